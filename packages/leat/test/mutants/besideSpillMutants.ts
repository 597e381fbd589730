import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spill.test.ts"
const away = "publish/spillAway.test.ts"
const closing = "publish/spillClosing.test.ts"
const foundByDoubt = "publish/spillDoubt.test.ts"

/** Planted in what lane, partition, sink, ledger, routes and audit do about spills. */
export const besideSpillMutants: ReadonlyArray<Mutant> = [
  {
    name: "a lane that stands goes to its spill again and again while closing",
    file: "publish/Sink.ts",
    find: `if (lane.isGated || this.#givenToSpill?.has(lane) === true || this.#standIn`,
    replace: `if (lane.isGated || this.#standIn`,
    foundBy: "publish/spillClosing.test.ts",
    test: "what fits into no spill and is refused as a dead"
  },
  {
    name: "a publish whose signal is aborted is waited for on",
    file: "publish/Publishing.ts",
    find: `if (this.told !== undefined) this.#published.forget(this.told)`,
    replace: ``,
    foundBy: "publish/givingUp.test.ts",
    test: "publish with a signal"
  },
  {
    name: "a publishAll whose signal is aborted is waited for on",
    file: "publish/Publishing.ts",
    find: `if (told !== undefined) waiter.forget(told)`,
    replace: ``,
    foundBy: "publish/givingUp.test.ts",
    test: "publishAll with a signal"
  },
  {
    name: "a publish whose fiber is interrupted is waited for on",
    file: "publish/Publishing.ts",
    find: `return told === undefined ? undefined : Effect.sync`,
    replace: `return told === undefined || level !== "queued" ? undefined : Effect.sync`,
    foundBy: "publish/givingUp.test.ts",
    test: "publish in a fiber that is interrupted"
  },
  {
    name: "who waits for the disk cannot be forgotten",
    file: "ledger/Waiter.ts",
    find: `if (this.#durable === done) this.#durable = undefined`,
    replace: `if (this.#durable === done) this.#durable = done`,
    foundBy: "publish/givingUp.test.ts",
    test: "is waited for by nobody: publish with a signal"
  },
  {
    name: "what is in the spill is told stored",
    file: "publish/WriteLane.ts",
    find: `if (isOfSpill === true) {`,
    replace: `if (isOfSpill === undefined) {`,
    foundBy,
    test: "keeps what is published while its cluster is away"
  },
  {
    name: "a spill that is full halts nothing and drops what it may not",
    file: "publish/WriteLane.ts",
    find: `if (ending === "drop") {
        this.#ending(batch, part, "inFlight", "dropped", spillFull)`,
    replace: `if (ending !== undefined) {
        this.#ending(batch, part, "inFlight", "dropped", spillFull)`,
    foundBy,
    test: "keeps events in the buffer while the spill is full"
  },
  {
    name: "what a frozen cluster has left in doubt does not go to the spill",
    file: "publish/WritePartition.ts",
    find: `    this.#notBeforeMs = 0
    for (const lane of this.#doubted) lane.clearDoubt()`,
    replace: `    this.#notBeforeMs = 0`,
    foundBy,
    test: "keeps what is published while its cluster is frozen"
  },
  {
    name: "what is published overtakes what is in the spill",
    file: "publish/WritePartition.ts",
    find: `if (this.isHeldBack) return idle`,
    replace: ``,
    foundBy,
    test: "belongs to one process at a time"
  },
  {
    name: "a spill is fenced only where its destination can be",
    file: "publish/WritePartition.ts",
    find: `!(isOfSpill ? (fallback?.canFence(this) ?? true) : canFence)`,
    replace: `!canFence`,
    foundBy: foundByDoubt,
    test: "a destination that fences: none"
  },
  {
    name: "another stream goes to a spill before what it may hold",
    file: "publish/WritePartition.ts",
    find: `if (owing !== undefined) return this.#again`,
    replace: `if (owing !== undefined && this.isHeldBack) return this.#again`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has none of it"
  },
  {
    name: "what a spill may hold is sent on unseen, and published as well",
    file: "publish/WritePartition.ts",
    find: `!this.#isFencing && !this.isOwing`,
    replace: `!this.#isFencing`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has none of it"
  },
  {
    name: "what a spill may hold goes there while another process has it",
    file: "publish/WritePartition.ts",
    find: `if (this.isBarred || this.#window.length > 0) return idle`,
    replace: `if (this.#window.length > 0) return idle`,
    foundBy: "publish/WritePartition.test.ts",
    test: "wait for what may stand in the spill"
  },
  {
    name: "what a spill has no more is noted there",
    file: "publish/WriteLane.ts",
    find: `      if (run.base === undefined) {
        // The spill`,
    replace: `      if (run.base === 0n) {
        // The spill`,
    foundBy: foundByDoubt,
    test: "and that has it no more"
  },
  {
    name: "closing gives up the fence of a spill, and with it what the disk would take",
    file: "publish/Pump.ts",
    find: `unknownRun(this.transport.name, sending.from, sending.to, detail)])
    }
`,
    replace: `unknownRun(this.transport.name, sending.from, sending.to, detail)])
    }
    partition.fencing?.interruptUnsafe()
`,
    foundBy: foundByDoubt,
    test: "is waited for, and what is left goes to the disk"
  },
  {
    name: "a fence of the destination is taken for one of its spill",
    file: "publish/Pumped.ts",
    find: `    super.trip()
    // That of the destination is asked for anew by whoever sends on; it is not one of the spill, whenever it returns.
    this.fencing?.interruptUnsafe()`,
    replace: `    super.trip()`,
    foundBy: foundByDoubt,
    test: "is not taken for returned"
  },
  {
    name: "the budget of a destination bounds what goes to its spill",
    file: "publish/WriteLane.ts",
    find: `const mayMs = isOfSpill ? nowMs : (`,
    replace: `const mayMs = isOfSpill && span.attempts === 0 ? nowMs : (`,
    foundBy: foundByDoubt,
    test: "does not bound what goes to its spill"
  },
  {
    name: "what goes to a spill earns retries of its destination",
    file: "publish/WriteLane.ts",
    find: `const mayMs = isOfSpill ? nowMs : (`,
    replace: `const mayMs = isOfSpill && span.attempts > 0 ? nowMs : (`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are not counted in the budget"
  },
  {
    name: "what does not stand in a spill that is full is kept from its destination",
    file: "publish/WriteLane.ts",
    find: `part.mayBeSpilled = isUnknown`,
    replace: `part.mayBeSpilled ||= isUnknown`,
    foundBy: foundByDoubt,
    test: "keeps nothing from its destination"
  },
  {
    name: "a spill may be in memory",
    file: "routes/spillFaults.ts",
    find: `acks.includes("fsync") && !ephemeral`,
    replace: `acks.length > 0 && ephemeral !== undefined`,
    foundBy: "routes/spillFaults.test.ts",
    test: "needs a cluster on disk"
  },
  {
    name: "a rule may spill nowhere",
    file: "routes/spillFaults.ts",
    find: `if (spilling.length === 0) return []
    const`,
    replace: `if (spilling.length < 2) return []
    const`,
    foundBy: "routes/spillFaults.test.ts",
    test: "names the leg that does not say where"
  },
  {
    name: "what a process has left in its spill is told missing",
    file: "audit/SequenceAudit.ts",
    find: `Math.min(tail - ofTail - unclear, elsewhere)`,
    replace: `Math.min(tail - ofTail - unclear, 0)`,
    foundBy: "audit/published.test.ts",
    test: "takes what a process has left in its spill"
  },
  {
    name: "what stands for a cluster hears for ever why it could not be opened once",
    file: "publish/Sinks.ts",
    find: `    if (isAway) yield* Scope.close(holding, Exit.void)
`,
    replace: ``,
    foundBy: away,
    test: "takes what is published, and sends all on"
  },
  {
    name: "a stream waits for a cluster that its spill stands for",
    file: "publish/Sinks.ts",
    find: `        this.#standIns.set(sink, one)
`,
    replace: ``,
    foundBy: away,
    test: "takes what is published, and sends all on"
  },
  {
    name: "a lane that has made its last record announces drops",
    file: "publish/LegLanes.ts",
    find: `([, lane]) => lane === undefined || lane.isMarked)`,
    replace: `([, lane]) => lane === undefined)`,
    foundBy: closing,
    test: "what is dropped from the spill while its lane closes"
  },
  {
    name: "a spill that is full drops what is to be set aside",
    file: "publish/spillIsFull.ts",
    find: `return "ending" in decision ? decision.ending : undefined`,
    replace: `return "ending" in decision ? "drop" : undefined`,
    foundBy,
    test: "keeps events in the buffer while the spill is full"
  },
  {
    name: "what is no event counts as one when a spill is empty",
    file: "publish/spill/SpillEndings.ts",
    find: `else if (meta.id !== undefined && this.#tally`,
    replace: `else if (this.#tally`,
    foundBy: "publish/spillSilence.test.ts",
    test: "sends on what somebody else has put"
  }
]
