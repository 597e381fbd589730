import type { Mutant } from "./Mutant.ts"

/** Planted in what becomes of the records of a lane: retries, endings, arenas, drops to tell, and what a driver has said. */
export const laneMutants: ReadonlyArray<Mutant> = [
  {
    name: "a record that is refused for good takes the others of its range with it",
    file: "publish/WriteLane.ts",
    find: `tag === "Rejected" && !isOne`,
    replace: `tag === "Rejected" && isOne && !isOne`,
    foundBy: "publish/WritePartition.test.ts",
    test: "that are refused for good are halved"
  },
  {
    name: "each record of a range that is refused is tried as often as the policy says",
    file: "publish/WriteLane.ts",
    find: `if (tag === "TooLarge" && !isOne)`,
    replace: `if ((tag === "TooLarge" || tag === "Rejected") && !isOne)`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are tried again together"
  },
  {
    name: "a record that is too large with the drops it announces is judged by them",
    file: "publish/WriteLane.ts",
    find: `announced > 0 && !part.mayBeStored`,
    replace: `announced > 9 && announced < 9`,
    foundBy: "publish/WriteLane.test.ts",
    test: "is cut where the backend takes less"
  },
  {
    name: "a record that was too large with what it announced says as much again",
    file: "publish/WriteLane.ts",
    find: `part.saidMax = announced >> 1`,
    replace: `part.saidMax = announced`,
    foundBy: "publish/WriteLane.test.ts",
    test: "is cut where the backend takes less"
  },
  {
    name: "what failed only because of others in its range is judged as if it had failed by itself",
    file: "publish/WriteLane.ts",
    find: `(isExplained && run.fate === "notStored" && run.error === undefined)`,
    replace: `false`,
    foundBy: "publish/WritePartition.test.ts",
    test: "that failed only because of others"
  },
  {
    name: "what failed without a word is tried again for ever",
    file: "publish/WriteLane.ts",
    find: `(isExplained && run.fate`,
    replace: `(run.fate`,
    foundBy: "publish/WritePartition.test.ts",
    test: "of which no driver says why"
  },
  {
    name: "a time ahead of the clock stays with a record that is resumed",
    file: "publish/LaneQueue.ts",
    find: `if (span.state === "queued") batch.limitTime(span.from, span.to, wallMs)`,
    replace: ``,
    foundBy: "publish/WritePartition.test.ts",
    test: "lose times that lie ahead"
  },
  {
    name: "a record in doubt is given another time while a driver holds it",
    file: "publish/LaneQueue.ts",
    find: `if (span.state === "queued") batch`,
    replace: `batch`,
    foundBy: "publish/WritePartition.test.ts",
    test: "that are in doubt keep their times"
  },
  {
    name: "a retry does not wait for its time",
    file: "publish/WriteLane.ts",
    find: `if (this.#notBeforeMs > nowMs) return`,
    replace: `if (this.#notBeforeMs < 0) return`,
    foundBy: "publish/WritePartition.test.ts",
    test: "so that the thread is not kept busy"
  },
  {
    name: "finding the record that is too large uses up the attempts of the others",
    file: "publish/Span.ts",
    find: `const attempts = part.attempts - 1`,
    replace: `const { attempts } = part`,
    foundBy: "publish/WritePartition.test.ts",
    test: "that are too large for one request"
  },
  {
    name: "the time that a policy allows counts from the last attempt",
    file: "publish/WriteLane.ts",
    find: `if (span.attempts === 0) span.firstSentMs = nowMs`,
    replace: `span.firstSentMs = nowMs`,
    foundBy: "publish/WritePartition.test.ts",
    test: "as long as the policy says"
  },
  {
    name: "what was given up on its way is said not to be stored",
    file: "publish/WriteLane.ts",
    find: `if (state === "inFlight") span.mayBeStored = true`,
    replace: ``,
    foundBy: "publish/publishing.test.ts",
    test: "counts what it could not send by its deadline"
  },
  {
    name: "the arena of what was given up on its way is used again",
    file: "publish/WriteLane.ts",
    find: `if (state === "inFlight") queued.isReusable = false`,
    replace: ``,
    foundBy: "publish/WritePartition.test.ts",
    test: "leave arenas that nobody uses again"
  },
  {
    name: "a range of which nobody knows all is taken for one that failed",
    file: "publish/Fate.ts",
    find: `if (runs.some(({ fate }) => fate === "unknown")) return "unknown"`,
    replace: `if (runs.every(({ fate }) => fate === "unknown") && runs.length > 1) return "unknown"`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are all answered before a fence"
  },
  {
    name: "the arena of what may still land is used again",
    file: "publish/WriteLane.ts",
    find: `      part.mayBeStored = true
      queued.isReusable = false`,
    replace: `      part.mayBeStored = true`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are dropped of only what"
  },
  {
    name: "a lane that closes waits for linger",
    file: "publish/WriteLane.ts",
    find: `!this.isSealed && this.lingerDueMs`,
    replace: `this.lingerDueMs`,
    foundBy: "publish/WritePartition.test.ts",
    test: "wait for linger unless"
  },
  {
    name: "the attempt that runs when a lane is resumed is none",
    file: "publish/LaneQueue.ts",
    find: `span.attempts = isInFlight(span) ? 1 : 0`,
    replace: `span.attempts = 0`,
    foundBy: "publish/writeModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "a journal is told a reason of what is stored",
    file: "publish/WriteLane.ts",
    find: `isKept(ending) ? undefined : reason`,
    replace: `reason`,
    foundBy: "publish/writeModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "a record that only announces drops is counted as stored",
    file: "publish/countEnded.ts",
    find: `if (batch.isMarker(index)) events--`,
    replace: `if (batch.isMarker(index)) events -= 0`,
    foundBy: "publish/closing.test.ts",
    test: "a marker that is dropped too"
  },
  {
    name: "a batch that was dropped takes records",
    file: "publish/WriteLane.ts",
    find: `    if (queued.batch === this.#open) this.#open = undefined
    this.#removeEnded`,
    replace: `    this.#removeEnded`,
    foundBy: "publish/WritePartition.test.ts",
    test: "a batch that was dropped while it lingered"
  },
  {
    name: "what a failed record was to announce is announced by nobody",
    file: "publish/WriteLane.ts",
    find: `if (!part.mayBeStored) this.#drops.takeBack(part)`,
    replace: ``,
    foundBy: "publish/WriteLane.test.ts",
    test: "grows on a retry"
  },
  {
    name: "a record given up with the drops that it announced takes them along",
    file: "publish/WriteLane.ts",
    find: `    this.#drops.takeBack(span)
    this.#drops.noteRange`,
    replace: `    this.#drops.noteRange`,
    foundBy: "publish/WriteLane.test.ts",
    test: "one that perhaps said it is given up"
  },
  {
    name: "drops are announced twice",
    file: "publish/DropsToTell.ts",
    find: `    this.putBack(span.said)
    span.said = none`,
    replace: `    this.putBack(span.said)`,
    foundBy: "publish/WriteLane.test.ts",
    test: "and is said once"
  },
  {
    name: "a retry of what may be stored announces what was dropped since",
    file: "publish/DropsToTell.ts",
    find: `if (span.mayBeStored) {`,
    replace: `if (span.mayBeStored && span.said.length > 0) {`,
    foundBy: "publish/WriteLane.test.ts",
    test: "stays unsaid on a retry"
  },
  {
    name: "a retry says nothing when another record of its batch was sent in between",
    file: "publish/DropsToTell.ts",
    find: `    batch.withdrawNotice()
    if (span.mayBeStored) {
      // Another record of the batch may have had the notice since.
      if (span.said.length > 0) batch.notice(span.from, droppedHeader, span.notice)
      return
    }`,
    replace: `    if (span.mayBeStored && span.said.length > 0) return
    batch.withdrawNotice()
    if (span.mayBeStored) return`,
    foundBy: "publish/WriteLane.test.ts",
    test: "although another of them was sent in between"
  },
  {
    name: "drops that one record has no room for are forgotten",
    file: "publish/DropsToTell.ts",
    find: `span.said = dropped.take(count)`,
    replace: `span.said = dropped.take()`,
    foundBy: "publish/WriteLane.test.ts",
    test: "is told in parts"
  },
  {
    name: "a notice makes its record too large",
    file: "publish/DropsToTell.ts",
    find: `batch.recordBytes(span.from) - noticeHeaderBytes`,
    replace: `batch.recordBytes(span.from)`,
    foundBy: "publish/WriteLane.test.ts",
    test: "is told in parts"
  },
  {
    name: "the oldest goes although it may be stored",
    file: "publish/Span.ts",
    find: `!mayBeStored && state === "queued"`,
    replace: `mayBeStored || state === "queued"`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are dropped of only what"
  },
  {
    name: "the oldest goes although it is on its way",
    file: "publish/Span.ts",
    find: `!mayBeStored && state === "queued"`,
    replace: `!mayBeStored && state !== "ended"`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are dropped of only what"
  },
  {
    name: "a position that a driver made up is taken",
    file: "transport/answeredRuns.ts",
    find: `return typeof run.base === "bigint" && run.base >= 0n`,
    replace: `return typeof run.base === "bigint"`,
    foundBy: "transport/answeredRuns.test.ts",
    test: "what is stored at no position that can be"
  },
  {
    name: "what a driver has not said is stored",
    file: "transport/answeredRuns.ts",
    find: `if (at < to) result.push({ from: at, to, fate: "unknown" })`,
    replace: `if (at < to) result.push({ from: at, to, fate: "stored" })`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "answers with an empty array"
  },
  {
    name: "a driver that refuses need not say why",
    file: "transport/answeredRuns.ts",
    find: `run.error === undefined || isError(run.error))`,
    replace: `run.error === undefined || run.error !== undefined)`,
    foundBy: "transport/Forwarder.test.ts",
    test: "without an error that says why"
  },
  {
    name: "the second of two words about a record counts",
    file: "transport/answeredRuns.ts",
    find: `const start = Math.max(run.from, at)`,
    replace: `const start = run.from`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "make no sense"
  },
  {
    name: "an answer about more than was sent is taken",
    file: "transport/answeredRuns.ts",
    find: `const end = Math.min(run.to, to)`,
    replace: `const end = run.to`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "make no sense"
  },
  {
    name: "a policy without a delay keeps the thread",
    file: "publish/retryDelayMs.ts",
    find: `attempts > promptAttempts ?`,
    replace: `attempts > promptAttempts * 1e6 ?`,
    foundBy: "publish/WritePartition.test.ts",
    test: "so that the thread is not kept busy"
  },
  {
    name: "delays of a policy are cut short after some attempts",
    file: "publish/retryDelayMs.ts",
    find: `Math.max(wantedMs, delayMinMs)`,
    replace: `delayMinMs`,
    foundBy: "publish/WritePartition.test.ts",
    test: "is what the policy says"
  }
]
