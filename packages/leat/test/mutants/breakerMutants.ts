import type { Mutant } from "./Mutant.ts"

const foundByMachine = "publish/Breaker.test.ts"
const foundByStory = "publish/openBreaker.test.ts"

/** Planted in the breaker of a destination. */
export const breakerMutants: ReadonlyArray<Mutant> = [
  {
    name: "a breaker opens for what failed an hour ago",
    file: "publish/Breaker.ts",
    find: ` || (this.#atMs[this.#next] ?? 0) <= sinceMs) return false`,
    replace: `) return false`,
    foundBy: foundByMachine,
    test: "counts nothing that was answered before"
  },
  {
    name: "a breaker opens for one sick partition that is tried often",
    file: "publish/Breaker.ts",
    find: `if (sick < failureRate * partitions || sick`,
    replace: `if (sick`,
    foundBy: foundByMachine,
    test: "opens only when it may"
  },
  {
    name: "a breaker opens for the one partition that is written to, of many",
    file: "publish/Breaker.ts",
    find: `sick < Math.min(2, this.#lastAtMs.length)`,
    replace: `sick < 1`,
    foundBy: foundByMachine,
    test: "opens only when it may"
  },
  {
    name: "the pauses of a breaker have no bound",
    file: "publish/Breaker.ts",
    find: `Math.min(this.#pauseMs * 2, this.#settings.maxWaitMs)`,
    replace: `this.#pauseMs * 2`,
    foundBy: foundByMachine,
    test: "has longer and longer pauses"
  },
  {
    name: "a breaker probes whoever asks first",
    file: "publish/Breaker.ts",
    find: `(this.first ?? partition) === partition`,
    replace: `this.first !== -1`,
    foundBy: foundByMachine,
    test: "always probes again within the longest pause"
  },
  {
    name: "a breaker has several probes on their way",
    file: "publish/Breaker.ts",
    find: `if (this.#state === "open" && nowMs`,
    replace: `if (nowMs`,
    foundBy: foundByMachine,
    test: "lets one probe out at a time"
  },
  {
    name: "a breaker that has closed opens for what failed before",
    file: "publish/Breaker.ts",
    find: `    this.#line.clear()
    this.#forget()`,
    replace: `    this.#line.clear()`,
    foundBy: foundByMachine,
    test: "closes after a probe that was answered"
  },
  {
    name: "a breaker stays open after a probe that was answered",
    file: "publish/Breaker.ts",
    find: `if (!hasFailed) return this.close()`,
    replace: `if (!hasFailed) return false`,
    foundBy: foundByMachine,
    test: "closes after a probe that was answered"
  },
  {
    name: "poison opens a breaker",
    file: "publish/SinkBreaker.ts",
    find: `error !== undefined && !isPassing(error.reason))`,
    replace: `error === undefined)`,
    foundBy: "publish/SinkBreaker.test.ts",
    test: "Rejected (notStored)"
  },
  {
    name: "what failed because of others opens a breaker",
    file: "publish/SinkBreaker.ts",
    find: `(isBehind || isOfOthers)) return`,
    replace: `isOfOthers) return`,
    foundBy: "publish/SinkBreaker.test.ts",
    test: "is no range of which something was stored"
  },
  {
    name: "an answer that says nothing opens no breaker",
    file: "publish/SinkBreaker.ts",
    find: `failed?.fate === "notStored" && failed.error === undefined`,
    replace: `failed !== undefined && failed.error === undefined`,
    foundBy: "publish/SinkBreaker.test.ts",
    test: "is an answer that says of nothing what became of it"
  },
  {
    name: "any answer is taken for that of the probe",
    file: "publish/SinkBreaker.ts",
    find: `const isProbe = span === this.#probe`,
    replace: `const isProbe = this.#probe !== undefined || span === this.#probe`,
    foundBy: "publish/SinkBreaker.test.ts",
    test: "has its own answer"
  },
  {
    name: "a partition that has nothing to send keeps the next probe",
    file: "publish/SinkBreaker.ts",
    find: `    this.#breaker.leave(partition)
    this.#wakeNext()`,
    replace: `    this.#breaker.leave(partition)`,
    foundBy: "publish/SinkBreaker.test.ts",
    test: "is that of the first partition that has something to send"
  },
  {
    name: "a probe that was answered at once gives the place of all others up",
    file: "publish/SinkBreaker.ts",
    find: `    // It has had its turn, and may be answered before it is over.
    this.#woken = undefined
`,
    replace: ``,
    foundBy: foundByStory,
    test: "is sent a probe at a time"
  },
  {
    name: "what waits for a breaker is not told that it has closed",
    file: "publish/SinkBreaker.ts",
    find: `    this.#home.wake(undefined)`,
    replace: `    void this.#home.wake`,
    foundBy: foundByStory,
    test: "has everything stored again"
  },
  {
    name: "what is sent on from a spill closes no breaker",
    file: "publish/SinkBreaker.ts",
    find: `if (failed === undefined && this.#breaker.close()) this.#closes(nowMs)
      else`,
    replace: ``,
    foundBy: "publish/SinkBreaker.test.ts",
    test: "is not waited for where what is sent on"
  },
  {
    name: "an open breaker drops what a rule for everything drops",
    file: "publish/held.ts",
    find: `on.includes(breakerOpen))?.then`,
    replace: `on.includes(breakerOpen) || on.includes("*"))?.then`,
    foundBy: foundByStory,
    test: "drops no more than without"
  },
  {
    name: "a rule for what passes is for an open breaker too",
    file: "Policy.ts",
    find: `  if (tag === breakerOpen || tag === spillExpired) return on.includes(tag)
`,
    replace: ``,
    foundBy: "Policy.test.ts",
    test: "is judged by a rule that names it alone"
  },
  {
    name: "the metric of a breaker says nothing",
    file: "publish/sinkSeries.ts",
    find: `breakerStates[breaker?.view.state ?? "closed"]`,
    replace: `breakerStates[breaker === undefined ? "open" : "closed"]`,
    foundBy: foundByStory,
    test: "by a line when it opens"
  },
  {
    name: "an open breaker stops the clock of a deadline",
    file: "publish/held.ts",
    find: `if (nowMs < untilMs) return { untilMs }`,
    replace: `if (nowMs < untilMs + 3_600_000) return { untilMs: untilMs + 3_600_000 }`,
    foundBy: foundByStory,
    test: "a deadline goes on to count"
  },
  {
    name: "an open breaker ends what waits behind others that are on their way",
    file: "publish/WriteLane.ts",
    find: `return isFirst ? this.#held(span, nowMs) : undefined`,
    replace: `return this.#held(span, nowMs)`,
    foundBy: "publish/WritePartition.test.ts",
    test: "behind those on their way are judged"
  },
  {
    name: "a lane that an open breaker halts tells nobody",
    file: "publish/WritePartition.ts",
    find: `      this.#noteHalt(lane, halted)
      if (lane.dueMs <= nowMs) {`,
    replace: `      if (lane.dueMs <= nowMs) {`,
    foundBy: foundByStory,
    test: "a deadline after which the rule halts"
  },
  {
    name: "an open breaker ends one range of a lane, and forgets the rest",
    file: "publish/WritePartition.ts",
    find: `if (this.isSpilling === isSpilling) continue`,
    replace: `if (this.isSpilling === isSpilling) return idle`,
    foundBy: "publish/WritePartition.test.ts",
    test: "behind those on their way are judged"
  },
  {
    name: "another table's breaker is not taken",
    file: "publish/Sink.ts",
    find: `    this.#brokenBy(leg)
    this.buffer.configure(leg)`,
    replace: `    this.buffer.configure(leg)`,
    foundBy: foundByStory,
    test: "without a breaker lets everything go"
  },
  {
    name: "an open breaker keeps what goes to the spill",
    file: "publish/WriteLane.ts",
    find: `if (breaker?.isOpen === true && !isOfSpill) {`,
    replace: `if (breaker?.isOpen === true && isOfSpill) return undefined
    if (breaker?.isOpen === true) {`,
    foundBy: foundByStory,
    test: "has all partitions spilled"
  },
  {
    name: "a rule for an open breaker needs none",
    file: "routes/breakerFaults.ts",
    find: `if (asking.length === 0) return []`,
    replace: `if (asking.length >= 0) return []`,
    foundBy: "routes/breakerFaults.test.ts",
    test: "is asked for where a policy says"
  },
  {
    name: "streams of one sink have breakers of their own",
    file: "routes/Meetings.ts",
    find: `breaker: ({ breaker }: Leg) => JSON.stringify(breaker)`,
    replace: `breaker: () => ""`,
    foundBy: "routes/Meetings.test.ts",
    test: "have one breaker there"
  }
]
