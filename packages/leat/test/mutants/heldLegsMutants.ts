import type { Mutant } from "./Mutant.ts"

const added = "publish/addedLegs.test.ts"
const again = "publish/legsAgain.test.ts"
const removed = "publish/removedLegs.test.ts"

/** Planted where the legs of a stream come and go. */
export const heldLegsMutants: ReadonlyArray<Mutant> = [
  {
    name: "a leg that is removed is closed at once",
    file: "publish/HeldLegs.ts",
    find: `Effect.ensuring(this.#drained(one.sink), closed([one]))`,
    replace: `closed([one])`,
    foundBy: removed,
    test: "sends on what it has"
  },
  {
    name: "a leg that is removed is closed with what its spill holds",
    file: "publish/leaving.ts",
    find: `(spilling?.records ?? 0) > ofOthers || `,
    replace: ``,
    foundBy: removed,
    test: "is closed when a spill of it"
  },
  {
    name: "a leg that is removed is closed with what has fallen back",
    file: "publish/leaving.ts",
    find: `(fallingBack?.partitions.length ?? 0) + (fallingBack?.waiting ?? 0)`,
    replace: `0`,
    foundBy: removed,
    test: "is closed when a fallback of it"
  },
  {
    name: "a leg that is removed is waited for by the lanes of others",
    file: "publish/HeldLegs.ts",
    find: `if (account.stream === this.#contract.stream) lanes`,
    replace: `if (account.stream !== this.#contract.stream) lanes`,
    foundBy: removed,
    test: "sends on what it has"
  },
  {
    name: "what comes back finds the sink that is closing",
    file: "publish/Sinks.ts",
    find: `sink?.isClosing !== false || otherStandIns`,
    replace: `sink === undefined || otherStandIns`,
    foundBy: removed,
    test: "while it is still closing"
  },
  {
    name: "a sink is tried for ever although nobody waits for it",
    file: "publish/Sinks.ts",
    find: `unopened.waiting.size > 0) return Effect.void`,
    replace: `unopened.waiting.size >= 0) return Effect.void`,
    foundBy: removed,
    test: "is no longer tried"
  },
  {
    name: "a sink that was waited for is held by nobody",
    file: "publish/Sinks.ts",
    find: `yield* Effect.exit(Scope.provide(this.#shared.get(request.leg.sink), scope))`,
    replace: `void scope`,
    foundBy: added,
    test: "the table is in force soon, and the leg joins later, saying what it missed"
  },
  {
    name: "a leg may become required while it is not open",
    file: "publish/HeldLegs.ts",
    find: `(leg.required && this.#options.sinks.find(leg) === undefined)`,
    replace: `(leg.required && this.#held.length === 0)`,
    foundBy: "opening.test.ts",
    test: "cannot become required"
  },
  {
    name: "what a refused table has opened stays open",
    file: "TableSwaps.ts",
    find: `return Exit.isSuccess(exit) ? Effect.void : this.#discard`,
    replace: `return Exit.isSuccess(exit) || Exit.isFailure(exit) ? Effect.void : this.#discard`,
    foundBy: added,
    test: "refused whole"
  },
  {
    name: "a refused table has changed settings",
    file: "TableSwaps.ts",
    find: `sinks.configure(leg)`,
    replace: `void leg`,
    foundBy: added,
    test: "has the settings of the table in force"
  },
  {
    name: "a table is in force for the streams that were open when it came",
    file: "TableSwaps.ts",
    find: `const faults = (yield* Effect.raceFirst(opening, closed)).flat()`,
    replace: `const faults = (yield* Effect.raceFirst(opening, closed)).flat()
        if (faults.length === 0) return this.#adopt(routes)`,
    foundBy: added,
    test: "for a stream that comes while"
  },
  {
    name: "a stream that is being opened has the legs that it was asked for with",
    file: "Leat.ts",
    find: `if (legs.missing(route).length === 0) break`,
    replace: `if (legs.missing(route).length >= 0) break`,
    foundBy: added,
    test: "for a stream that is being opened"
  },
  {
    name: "two tables are put in force at once",
    file: "TableSwaps.ts",
    find: `readonly #turns = Semaphore.makeUnsafe(1)`,
    replace: `readonly #turns = Semaphore.makeUnsafe(2)`,
    foundBy: added,
    test: "keeps the next table waiting"
  },
  {
    name: "a table waits for a driver that gives no answer",
    file: "publish/HeldLegs.ts",
    find: `Effect.timeoutOption(opening, readyMsMax)`,
    replace: `Effect.timeoutOption(opening, readyMsMax * 1000)`,
    foundBy: added,
    test: "refused with all of them"
  },
  {
    name: "a table is in force before what it requires is open",
    file: "TableSwaps.ts",
    find: `const clients = this.#changed(routes)`,
    replace: `const clients = this.#changed(routes)
        this.#adopt(routes)`,
    foundBy: added,
    test: "is opened beside"
  },
  {
    name: "a leg that is removed is written to a little longer",
    file: "Leat.ts",
    find: `open.publisher.swap(this.#legs.destinations(contract, route))
      this.#release(open.legs.commit(route))`,
    replace: `this.#release(open.legs.commit(route))
      setTimeout(() => open.publisher.swap(this.#legs.destinations(contract, route)), 1)`,
    foundBy: removed,
    test: "sends on what it has"
  },
  {
    name: "a leg comes back with a spill that its sink does not have",
    file: "publish/Sinks.ts",
    find: `if (faults.length > 0) return yield* new RouteError({ faults })
        return sink`,
    replace: `return sink`,
    foundBy: removed,
    test: "comes back with a spill"
  },
  {
    name: "a leg that comes back finds the sink without its spill",
    file: "publish/Sinks.ts",
    find: `|| otherStandIns(sink.leg, leg).length > 0 ? undefined`,
    replace: `? undefined`,
    foundBy: removed,
    test: "comes back with a spill"
  },
  {
    name: "a leg that comes back in another epoch overtakes what it had",
    file: "publish/HeldLegs.ts",
    find: `account.stream !== stream || account.epoch === epoch ||`,
    replace: `account.stream !== stream || account.epoch > 0 ||`,
    foundBy: again,
    test: "is refused with another epoch until"
  },
  {
    name: "an epoch that is over keeps another one from a sink for ever",
    file: "publish/HeldLegs.ts",
    find: ` || lanes.all.every(({ isEmpty }) => isEmpty)) continue`,
    replace: `) continue`,
    foundBy: again,
    test: "may have the epoch that it likes"
  },
  {
    name: "a flush of a stream forgets what a removed leg still has",
    file: "publish/Publisher.ts",
    find: `    for (const { lanes } of this.#removed) lanes.flush(waiter)
`,
    replace: ``,
    foundBy: again,
    test: "is flushed with its stream"
  },
  {
    name: "a cluster that no document names any more is never opened for what is left of a leg",
    file: "TableSwaps.ts",
    find: ` ?? this.#left.get(name)`,
    replace: ``,
    foundBy: again,
    test: "also where its section is gone"
  },
  {
    name: "a flush waits for the word of what was dropped",
    file: "publish/LaneQueue.ts",
    find: `if (batch.isMarker(from)) return`,
    replace: ``,
    foundBy: "publish/removedLegs.test.ts",
    test: "keeps no flush waiting"
  },
  {
    name: "whoever asks again for what is open holds it once more",
    file: "publish/KeptOpen.ts",
    find: `Exit.isSuccess(exit) && this.#isFirst(name)`,
    replace: `Exit.isSuccess(exit) && (this.#isFirst(name) || true)`,
    foundBy: "growth.test.ts",
    test: "nothing of that stays"
  }
]
