import type { Mutant } from "./Mutant.ts"

/** Bugs in what becomes of spills of places that a stream leaves. */
export const leftSpillMutants: ReadonlyArray<Mutant> = [
  {
    name: "what has left a place is sent there out of its spill",
    file: "moves/Departed.ts",
    find: `if (!this.isPlaced) return "send"`,
    replace: `if (this.isPlaced) return "send"`,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "who has only another stream open carries nothing",
    file: "moves/Departed.ts",
    find: `this.#home?.join(stream)
`,
    replace: `void stream
`,
    foundBy: "moves/leftSpills.test.ts",
    test: "not sent to the place"
  },
  {
    name: "a spill that is left waits for ever",
    file: "moves/PlacedWriter.ts",
    find: `return this.#carriesTo ?? "wait"`,
    replace: `return "wait"`,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "a gate opens before what a spill held is carried",
    file: "moves/PlacedWriter.ts",
    find: `yield* this.#carried(placement, epoch)`,
    replace: `this.#carryTo(epoch)`,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "nobody looks for what an earlier process has left",
    file: "moves/LeftSpills.ts",
    find: `if (own !== undefined && partitions <= own) continue`,
    replace: `if (own === undefined || partitions <= own) continue`,
    foundBy: "moves/leftSpills.test.ts",
    test: "before its own events"
  },
  {
    name: "nobody is told what the spill of a process holds while its stream moves",
    file: "moves/LeftSpills.ts",
    find: `held += sink.spilling.records`,
    replace: `held += 0`,
    foundBy: "moves/leftSpills.test.ts",
    test: "is told in the status"
  },
  {
    name: "nobody is told what a process before has left in a spill",
    file: "moves/LeftSpills.ts",
    find: `this.#orphaned.set(topic, left)`,
    replace: `this.#orphaned.set(topic, 0)`,
    foundBy: "moves/leftSpills.test.ts",
    test: "is told in the status while the new place takes nothing, of who has found it"
  },
  {
    name: "a spill whose cluster is gone holds up all that is published",
    file: "moves/LeftSpills.ts",
    find: `Effect.catchTag(looked, "RouteError", ({ faults }) =>`,
    replace: `Effect.catchTag(looked, "RouteError", ({ faults }): Effect.Effect<void> => faults.length > 0 ? Effect.never :`,
    foundBy: "moves/leftSpills.test.ts",
    test: "no document names the disk"
  },
  {
    name: "what is carried for an earlier process is settled at its end alone",
    file: "moves/orphanSpill.ts",
    find: `return Effect.suspend(() => this.#lanes.settle(this.#bounds.partition, this.#done))`,
    replace: `return Effect.void`,
    foundBy: "moves/leftSpills.test.ts",
    test: "is settled as it is carried"
  },
  {
    name: "what was carried past another stream's record is carried with each look",
    file: "moves/SpillCarrier.ts",
    find: `one.isThere = this.#hasCarried(one.record)`,
    replace: `one.isThere = false`,
    foundBy: "moves/leftSpills.test.ts",
    test: "carried once past"
  },
  {
    name: "what was carried counts again when its spill is opened",
    file: "moves/CarriedRecords.ts",
    find: `if (this.#add(key, seq)) count++`,
    replace: `void this.#add(key, seq), count++`,
    foundBy: "moves/leftSpills.test.ts",
    test: "carried once past"
  },
  {
    name: "a gap between two that were carried is taken for carried",
    file: "moves/CarriedRecords.ts",
    find: `if (before?.to === seq) before.to = after?.from === seq + 1 ? after.to : seq + 1`,
    replace: `if (before !== undefined) before.to = after?.from === seq + 1 ? after.to : seq + 1`,
    foundBy: "moves/CarriedRecords.test.ts",
    test: "known by its id"
  },
  {
    name: "what is carried goes record by record",
    file: "moves/SpillCarrier.ts",
    find: `[toldEvery, toldBytes] = [1024,`,
    replace: `[toldEvery, toldBytes] = [1,`,
    foundBy: "moves/leftSpills.test.ts",
    test: "carried in batches"
  },
  {
    name: "what stands behind a record that is refused is carried before it",
    file: "moves/SpillCarrier.ts",
    find: `left = left.filter(({ isThere, bucket }) => !isThere && !held.has(bucket))`,
    replace: `left = left.filter((_, index) => fates[index] === "unsent")`,
    foundBy: "moves/leftSpills.test.ts",
    test: "behind a record that is refused"
  },
  {
    name: "an append that is to stop at a refusal goes on",
    file: "transport/Forwarder.ts",
    find: `      if (stopsAtRefusal) left`,
    replace: `      if (stopsAtRefusal && left.length < 0) left`,
    foundBy: "transport/Forwarder.test.ts",
    test: "stops at one that is refused"
  },
  {
    name: "what an earlier process has left goes in front of what it has stored where nobody reads it",
    file: "moves/SpillCarrier.ts",
    find: `        yield* this.#swept(going)
`,
    replace: ``,
    foundBy: "moves/leftSpills.test.ts",
    test: "swept late"
  },
  {
    name: "what is swept in part is taken for swept",
    file: "moves/sweptBefore.ts",
    find: `ends.every((end, index) => (now.swept[index] ?? 0) >= end)`,
    replace: `ends.length > 0`,
    foundBy: "moves/leftSpills.test.ts",
    test: "swept late"
  },
  {
    name: "what is carried counts nowhere",
    file: "moves/SpillCarrier.ts",
    find: `    there.stored++
`,
    replace: ``,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "what is carried says the epoch that it was published in",
    file: "moves/SpillCarrier.ts",
    find: `headers: inEpoch(headers, epoch)`,
    replace: `headers`,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "only documents with a spill of now say where one was",
    file: "moves/PastLegs.ts",
    find: `if (!all.some(({ document })`,
    replace: `if (all.some(({ document })`,
    foundBy: "moves/leftSpills.test.ts",
    test: "before its own events"
  },
  {
    name: "a document that this build refuses says nothing of a spill",
    file: "moves/PastLegs.ts",
    find: `return readLegs(document)`,
    replace: `return { of: () => [], faults: [] }`,
    foundBy: "moves/leftSpills.test.ts",
    test: "by a build without"
  },
  {
    name: "what is wrong with the form of an older document is not said",
    file: "routes/readLegs.ts",
    find: `build(index, stream).readLeg), faults }`,
    replace: `build(index, stream).readLeg), faults: [] }`,
    foundBy: "moves/leftSpills.test.ts",
    test: "not understood"
  },
  {
    name: "an older document that is not understood is passed over in silence",
    file: "moves/LeftSpills.ts",
    find: `Effect.andThen(this.#tellUnread),`,
    replace: ``,
    foundBy: "moves/leftSpills.test.ts",
    test: "not understood"
  },
  {
    name: "all of a portion goes where its first record goes",
    file: "publish/spill/Departures.ts",
    find: `const end = records.findIndex((record) => fateOf(record, sink, departures) !== fate)`,
    replace: `const end = -1`,
    foundBy: "moves/leftSpills.test.ts",
    test: "not sent to the place"
  },
  {
    name: "a place that is left is tried on until it stores",
    file: "publish/spill/SpillParting.ts",
    find: `const parted = Effect.as(this.#parted(departures, records), false)`,
    replace: `const parted = Effect.never`,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "a place that is left is fenced before its spill goes along",
    file: "publish/spill/SpillParting.ts",
    find: `return Effect.raceFirst(fenced, hasLeft)`,
    replace: `return fenced`,
    foundBy: "moves/leftSpills.test.ts",
    test: "goes along, in front"
  },
  {
    name: "what an earlier process has left counts as moved by the one that carries it",
    file: "moves/SpillCarrier.ts",
    find: `if (id.incarnation !== member) {`,
    replace: `if (id.incarnation === "") {`,
    foundBy: "moves/leftSpills.test.ts",
    test: "counts beside what the process has published"
  },
  {
    name: "what an earlier process has left counts as moved out of the place of its spill",
    file: "publish/spill/SpillEndings.ts",
    find: `if (id === undefined || how.ending === "movedOut") return`,
    replace: `if (id === undefined) return`,
    foundBy: "moves/leftSpills.test.ts",
    test: "counts beside what the process has published"
  },
  {
    name: "what would not count where it goes is sent there again and again",
    file: "publish/spill/SpillParting.ts",
    find: `const mayCount = () => departures.mayCount(records, this.#sink())`,
    replace: `const mayCount = () => true`,
    foundBy: "moves/leftSpills.test.ts",
    test: "sent nowhere twice"
  },
  {
    name: "a spill is lost with the cluster that has it",
    file: "control/leftBehind.ts",
    find: `standInsEmpty ? [] : was.lostSpills`,
    replace: `[]`,
    foundBy: "moves/leftBehind.test.ts",
    test: "a spill whose cluster"
  },
  {
    name: "a dead place keeps what its spill holds",
    file: "moves/dead.ts",
    find: `left.includes("fallback")`,
    replace: `left.length > 0`,
    foundBy: "moves/leftBehind.test.ts",
    test: "a spill whose cluster"
  },
  {
    name: "what stands behind a record that is refused is stored by each process that begins with it",
    file: "moves/SpillCarrier.ts",
    find: `at === 0 ? records.slice(0, 1) : portionAt(records, at)`,
    replace: `portionAt(records, at)`,
    foundBy: "moves/refusedCarry.test.ts",
    test: "by none that begins with that"
  },
  {
    name: "what stands in front of a record that is refused is not settled",
    file: "moves/SpillCarrier.ts",
    find: `if (there > told && !stored(there - told)) return`,
    replace: `if (there > told && there < 0) return`,
    foundBy: "moves/refusedCarry.test.ts",
    test: "by none that begins with that"
  },
  {
    name: "a spill of nobody here settles nothing before all that was read is carried",
    file: "moves/orphanSpill.ts",
    find: `if (this.kept === 0) this.#done = part.at`,
    replace: ``,
    foundBy: "moves/refusedCarry.test.ts",
    test: "by none that begins with that"
  },
  {
    name: "a process waits for a spill that another part of it has",
    file: "moves/LeftSpills.ts",
    find: `own === undefined ? Effect.raceFirst(looked, Effect.as(this.#opened(leg), false)) : looked`,
    replace: `looked`,
    foundBy: "moves/sharedSpill.test.ts",
    test: "keep their order"
  },
  {
    name: "a stream that stays waits behind one that has left without a word",
    file: "publish/spill/SpillParting.ts",
    find: `if (this.#pump.nowMs - sinceMs < againMs) return`,
    replace: `if (this.#pump.nowMs - sinceMs >= 0) return`,
    foundBy: "moves/sharedSpill.test.ts",
    test: "what the one that stays waits for"
  },
  {
    name: "a carrier does not say why the new place takes nothing",
    file: "moves/SpillCarrier.ts",
    find: `appendUntilRefused(partition, plain, onWaiting)`,
    replace: `appendUntilRefused(partition, plain)`,
    foundBy: "moves/sharedSpill.test.ts",
    test: "what the one that stays waits for"
  }
]
