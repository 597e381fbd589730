import type { Mutant } from "./Mutant.ts"

/** Planted in what legs set aside: `publish/Undelivered.ts`, and what lane, partition and sink do about it. */
export const undeliveredMutants: ReadonlyArray<Mutant> = [
  {
    name: "a sink that dead-letters is not watched for an outage",
    file: "publish/outageFor.ts",
    find: `if (!policy.some(`,
    replace: `if (policy.some(`,
    foundBy: "publish/deadLetters.test.ts",
    test: "is waited out and told once"
  },
  {
    name: "the end of an outage of a sink is told as its beginning",
    file: "publish/Undelivered.ts",
    find: `text: outageText(options.leg.sink, isOutage)`,
    replace: `text: outageText(options.leg.sink, isOutage || options.leg.sink !== "")`,
    foundBy: "publish/deadLetters.test.ts",
    test: "is waited out and told once"
  },
  {
    name: "who waits is told of a dead letter as of a drop",
    file: "publish/countEnded.ts",
    find: `else if (ending === "deadLettered") waiter`,
    replace: `else if (ending !== "deadLettered" && reason === "") waiter`,
    foundBy: "publish/deadLetters.test.ts",
    test: "sets aside what is refused for good alone"
  },
  {
    name: "what is set aside holds up what stands behind it",
    file: "publish/WriteLane.ts",
    find: `if (queue.passes(at)) continue`,
    replace: `void queue`,
    foundBy: "publish/deadLetters.test.ts",
    test: "does not wait for the letter"
  },
  {
    name: "what is left of a batch waits for a letter of it",
    file: "publish/WriteLane.ts",
    find: `if (spans.some(isQueued) || `,
    replace: `if (spans.length > 1 || `,
    foundBy: "publish/WriteLane.test.ts",
    test: "are followed by the next batch when one of them waits for its letter"
  },
  {
    name: "what is set aside is sent all the same",
    file: "publish/WriteLane.ts",
    find: `const span = queued.sent.find(isQueued)`,
    replace: `const [span] = queued.sent`,
    foundBy: "publish/WriteLane.test.ts",
    test: "are followed by the next batch when one of them waits for its letter"
  },
  {
    name: "what is refused for good is set aside with its neighbours",
    file: "publish/WriteLane.ts",
    find: `if ("ending" in decision && tag === "Rejected" && !isOne)`,
    replace: `if ("ending" in decision && decision.ending === "drop" && tag === "Rejected" && !isOne)`,
    foundBy: "publish/deadLetters.test.ts",
    test: "sets aside what is refused for good alone"
  },
  {
    name: "a stored letter is counted as a drop",
    file: "publish/WriteLane.ts",
    find: `"deadLettering", "deadLettered", failure.tag)`,
    replace: `"deadLettering", "dropped", failure.tag)`,
    foundBy: "publish/deadLetters.test.ts",
    test: "sets aside what is refused for good alone"
  },
  {
    name: "the gap of a dead letter is announced by its reason",
    file: "publish/WriteLane.ts",
    find: `ending === "dropped" ? reason : ending)`,
    replace: `reason)`,
    foundBy: "publish/deadLetters.test.ts",
    test: "sets aside what is refused for good alone"
  },
  {
    name: "a refused letter is told stored",
    file: "publish/WriteLane.ts",
    find: `if (fault === undefined) this.#ending`,
    replace: `if (fault !== null) this.#ending`,
    foundBy: "publish/deadLetters.test.ts",
    test: "halts the lane, which names both faults"
  },
  {
    name: "a lane whose letter is refused goes on",
    file: "publish/WriteLane.ts",
    find: `this.halted ??= { ...failure, detail }`,
    replace: `void detail`,
    foundBy: "publish/deadLetters.test.ts",
    test: "halts the lane, which names both faults"
  },
  {
    name: "an answer to a letter counts for what was given up",
    file: "publish/WriteLane.ts",
    find: `if (queued.spans === undefined || span.state !== "deadLettering") return`,
    replace: `if (queued.spans === undefined) return`,
    foundBy: "publish/WriteLane.test.ts",
    test: "a letter of them is answered that nobody waits for any more"
  },
  {
    name: "an outage drains the topic into its dead letters, published",
    file: "publish/waitMsOf.ts",
    find: `if (!outage.isOutage(nowMs)) return undefined`,
    replace: `return undefined`,
    foundBy: "publish/deadLetters.test.ts",
    test: "is waited out and told once"
  },
  {
    name: "an outage is counted in ranges",
    file: "publish/waitMsOf.ts",
    find: `outage.failed(nowMs, part.countedMs, part.to - part.from)`,
    replace: `outage.failed(nowMs, part.countedMs)`,
    foundBy: "publish/deadLetters.test.ts",
    test: "is waited out and told once"
  },
  {
    name: "what is stored is no sign against an outage",
    file: "publish/WriteLane.ts",
    find: `this.#home.rules.outage?.handled(part.to - part.from, nowMs)`,
    replace: ``,
    foundBy: "publish/deadLetters.test.ts",
    test: "is waited out and told once"
  },
  {
    name: "a marker becomes a dead letter",
    file: "publish/WriteLane.ts",
    find: `(decision.ending === "deadLetter" && isMarker)`,
    replace: `(decision.ending === "deadLetter" && isMarker && isUnknown)`,
    foundBy: "publish/deadLetters.test.ts",
    test: "that only announces drops"
  },
  {
    name: "what a dead letter was to announce goes with it",
    file: "publish/WriteLane.ts",
    find: `if (announced > 0) batch.withdrawNotice()`,
    replace: ``,
    foundBy: "publish/deadLetters.test.ts",
    test: "leaves what it was to announce"
  },
  {
    name: "a fence that fails sets aside what is in doubt",
    file: "publish/WritePartition.ts",
    find: `else if (decision.ending === "deadLetter" && isPassing(tag)) {`,
    replace: `else if (decision.ending === "deadLetter" && tag === "") {`,
    foundBy: "publish/deadLetters.test.ts",
    test: "waits for a fence that fails for a passing reason"
  },
  {
    name: "closing gives up letters of a lane that stands",
    file: "publish/Sink.ts",
    find: `if (!isStanding || lane.isDeadLettering) continue`,
    replace: `if (!isStanding) continue`,
    foundBy: "publish/deadLetters.test.ts",
    test: "waits for letters of a lane that halts too"
  },
  {
    name: "closing does not go on when a letter is stored",
    file: "publish/Sink.ts",
    find: `if (this.#closing === "draining") this.#dropStanding()
    if (!lane`,
    replace: `if (!lane`,
    foundBy: "publish/deadLetters.test.ts",
    test: "waits for letters of a lane that halts too"
  },
  {
    name: "nobody is told of a lane whose letter was refused",
    file: "publish/Sink.ts",
    find: `lane.partition.haltedLanes.push(lane)`,
    replace: `void lane`,
    foundBy: "publish/deadLetters.test.ts",
    test: "halts the lane, which names both faults"
  },
  {
    name: "a letter has the time of its record",
    file: "publish/Undelivered.ts",
    find: `timeMs: this.#options.pump.wallMs`,
    replace: `timeMs: batch.timeMs(index)`,
    foundBy: "publish/deadLetters.test.ts",
    test: "stores the record as its wire wrote it"
  },
  {
    name: "a letter has no headers of its own",
    file: "publish/Undelivered.ts",
    find: `batch.timeMs(index)), ...own]`,
    replace: `batch.timeMs(index))]`,
    foundBy: "publish/deadLetters.test.ts",
    test: "stores the record as its wire wrote it"
  },
  {
    name: "each letter that is refused tells of the halt again",
    file: "publish/Sink.ts",
    find: `if (hasHalted) lane`,
    replace: `if (lane.halted !== undefined) lane`,
    foundBy: "publish/deadLetters.test.ts",
    test: "is told once for each halt"
  },
  {
    name: "a letter is answered in the step in which it is put",
    file: "transport/DeadLetters.ts",
    find: `        do yield* this.#wake.wait
        while (this.#letters.length === 0)`,
    replace: `        while (this.#letters.length === 0) yield* this.#wake.wait`,
    foundBy: "publish/deadLetters.test.ts",
    test: "may do so in the very step"
  },
  {
    name: "each range walks past all that waits for its letters",
    file: "publish/WriteLane.ts",
    find: `let at = queue.passed; at < queue`,
    replace: `let at = 0; at < queue`,
    foundBy: "publish/WriteLane.test.ts",
    test: "are passed over without a look"
  },
  {
    name: "what is refused is passed over all the same",
    file: "publish/WriteLane.ts",
    find: `if (left.length > 0) this.#queue.lookAgain()`,
    replace: `void left`,
    foundBy: "publish/WriteLane.test.ts",
    test: "are sent in their turn"
  },
  {
    name: "a letter that is stored leaves one more passed over",
    file: "publish/LaneQueue.ts",
    find: `    if (queued.isPassed) this.#passed--`,
    replace: `    if (queued.isPassed) this.#passed += 0`,
    foundBy: "publish/WriteLane.test.ts",
    test: "are passed over without a look"
  },
  {
    name: "a lane never waits for its letters",
    file: "publish/WriteLane.ts",
    find: ` || this.#aside >= this.#home.lettersMax) return undefined`,
    replace: `) return undefined`,
    foundBy: "publish/deadLetters.test.ts",
    test: "waits when 1024 events of a partition wait"
  },
  {
    name: "letters that were answered are counted on",
    file: "publish/WriteLane.ts",
    find: `if (place === "deadLettering") this.#aside -= span.to - span.from`,
    replace: ``,
    foundBy: "publish/deadLetters.test.ts",
    test: "waits when 1024 events of a partition wait"
  },
  {
    name: "halves of what is refused announce all there is",
    file: "publish/Span.ts",
    find: `Math.min(part.saidMax, saidMaxOfHalves)`,
    replace: `part.saidMax`,
    foundBy: "publish/WriteLane.test.ts",
    test: "say little of what was dropped"
  },
  {
    name: "all letters of a partition go in one request",
    file: "transport/DeadLetters.ts",
    find: `bytes < requestBytes && letters.length < requestLetters;`,
    replace: `;`,
    foundBy: "consume/deadLetterPartitions.test.ts",
    test: "go in requests of 256"
  },
  {
    name: "a request of letters may have any size",
    file: "transport/DeadLetters.ts",
    find: `bytes < requestBytes && letters`,
    replace: `letters`,
    foundBy: "consume/deadLetterPartitions.test.ts",
    test: "go in requests of 256"
  },
  {
    name: "what is put back of drops is not joined to what follows it",
    file: "record/DropNotice.ts",
    find: `if (follower?.from === to && follower.reason === reason) {`,
    replace: `if (follower?.from === to && follower.reason === reason && reason === "") {`,
    foundBy: "record/DropNotice.test.ts",
    test: "in as few ranges as there can be"
  },
  {
    name: "what is put back of drops is joined to what has another reason",
    file: "record/DropNotice.ts",
    find: `if (follower?.from === to && follower.reason === reason) {`,
    replace: `if (follower?.from === to) {`,
    foundBy: "record/DropNotice.test.ts",
    test: "in as few ranges as there can be"
  },
  {
    name: "drops that are not remembered are told nobody",
    file: "record/DropNotice.ts",
    find: `if (this.#ranges.length >= rangesMax) this.#forget()`,
    replace: `if (this.#ranges.length >= rangesMax) return`,
    foundBy: "record/DropNotice.test.ts",
    test: "in one word"
  },
  {
    name: "drops that are cut off when others are put back are told nobody",
    file: "record/DropNotice.ts",
    find: `if (cut.length > 0) this.#forget()`,
    replace: `void cut`,
    foundBy: "record/DropNotice.test.ts",
    test: "what was cut off is not added to"
  },
  {
    name: "drops that were cut off are added to",
    file: "record/DropNotice.ts",
    find: `      this.#young = Math.max(0, this.#young - 1)
      if (this.#newest.get(range.bucket) === range) this.#newest.delete(range.bucket)`,
    replace: `      this.#young = Math.max(0, this.#young - (range.bucket > 0 ? 1 : 0))`,
    foundBy: "record/DropNotice.test.ts",
    test: "what was cut off is not added to"
  },
  {
    name: "nothing is fenced after a range in doubt that is set aside",
    file: "publish/WritePartition.ts",
    find: `if (fate !== "unknown" || (!isTurned && !(isOfSpill ? (fallback?.canFence(this) ?? true) : canFence))) continue`,
    replace: `if (fate !== "unknown" || (!isTurned && !(isOfSpill ? (fallback?.canFence(this) ?? true) : canFence)) || lane.isDeadLettering) continue`,
    foundBy: "publish/WritePartition.test.ts",
    test: "fenced also where they are set aside"
  }
]
