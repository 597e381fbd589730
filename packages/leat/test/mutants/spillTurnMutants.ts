import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spillReaders.test.ts"

/** Planted in who takes a spill: one that publishes with its first event, and one that only reads for a turn. */
export const spillTurnMutants: ReadonlyArray<Mutant> = [
  {
    name: "a process that only reads keeps the spill",
    file: "publish/spill/SpillTurns.ts",
    find: `if (this.isWanted) return yield* Effect.never`,
    replace: `return yield* Effect.never`,
    foundBy,
    test: "is given to a publisher that starts later"
  },
  {
    name: "a process that publishes gives the spill back",
    file: "publish/spill/SpillTurns.ts",
    find: `if (this.isWanted) return yield* Effect.never`,
    replace: ``,
    foundBy,
    test: "is taken with the first publish, and kept"
  },
  {
    name: "what was left waits for somebody who publishes",
    file: "publish/spill/SpillTurns.ts",
    find: `return Effect.raceFirst(this.wanted, looked)`,
    replace: `return this.wanted`,
    foundBy,
    test: "sends on what an earlier process has left"
  },
  {
    name: "a process that only reads looks once whether something was left",
    file: "publish/spill/SpillTurns.ts",
    find: `return holds ? Effect.void : looked`,
    replace: `return holds ? Effect.void : Effect.never`,
    foundBy,
    test: "sends on what a process leaves that ends while it runs"
  },
  {
    name: "nothing that is published takes the spill",
    file: "publish/spill/SinkSpill.ts",
    find: `    this.#drain.want()
`,
    replace: ``,
    foundBy,
    test: "is taken with the first publish, and kept"
  },
  {
    name: "a process that only reads warns that another one has the spill",
    file: "publish/spill/SpillLanes.ts",
    find: `Effect.andThen(wanted, Effect.sleep(tellMs))`,
    replace: `Effect.sleep(tellMs)`,
    foundBy,
    test: "sends on what a process leaves that ends while it runs"
  },
  {
    name: "a process that only reads says in each of its turns what was left",
    file: "publish/spill/SpillDrain.ts",
    find: `else this.#endings.tellOnce(line)`,
    replace: `else this.#endings.tell(line)`,
    foundBy,
    test: "is given to a publisher that starts later"
  },
  {
    name: "a process that does not have the spill says at its end what stays there",
    file: "publish/spill/SinkSpill.ts",
    find: `if (records > 0 && (this.spill.isReady || this.#drain.isWanted))`,
    replace: `if (records > 0)`,
    foundBy,
    test: "is given to a publisher that starts later"
  },
  {
    name: "a process that reads shows for ever what its last turn has left in the spill",
    file: "publish/spill/SpillTurns.ts",
    find: `if (!holds && !this.isWanted && !this.#spill.isReady) this.#spill.forget()`,
    replace: ``,
    foundBy: "publish/spillReaders.test.ts",
    test: "does not show what it has left there itself"
  },
  {
    name: "a turn of a process that reads lasts as long as there is something to send on",
    file: "publish/spill/SpillTurns.ts",
    find: `passedMs < turnMs && parts`,
    replace: `passedMs >= 0 && parts`,
    foundBy: "publish/spillReaders.test.ts",
    test: "refuses all the time"
  }
]
