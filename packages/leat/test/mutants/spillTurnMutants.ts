import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spillReaders.test.ts"
const ended = "publish/spillTurns.test.ts"

/** Planted in who takes a spill: one that publishes with its first event, and one that only reads for a turn. */
export const spillTurnMutants: ReadonlyArray<Mutant> = [
  {
    name: "a process that only reads keeps the spill",
    file: "publish/spill/SpillTurns.ts",
    find: `if (this.isWanted) return yield* Effect.never`,
    replace: `return yield* Effect.never`,
    foundBy: ended,
    test: "begins nothing any more when it is over"
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
    find: `return Effect.raceFirst(Deferred.await(this.#wanted), looked)`,
    replace: `return Deferred.await(this.#wanted)`,
    foundBy,
    test: "sends on what an earlier process has left"
  },
  {
    name: "a process that only reads looks once whether something was left",
    file: "publish/spill/SpillTurns.ts",
    find: `this.#pauseMs = lookMs
        return yield* looked`,
    replace: `this.#pauseMs = lookMs
        return yield* Effect.never`,
    foundBy,
    test: "sends on what a process leaves that ends while it runs"
  },
  {
    name: "nothing that is published takes the spill",
    file: "publish/spill/SinkSpill.ts",
    find: `    this.#drain.want()
    partition`,
    replace: `    partition`,
    foundBy,
    test: "is taken with the first publish, and kept"
  },
  {
    name: "a process that only reads says in each of its turns what was left",
    file: "publish/spill/SpillDrain.ts",
    find: `else this.#endings.tellOnce(line)`,
    replace: `else this.#endings.tell(line)`,
    foundBy: ended,
    test: "tells once of a record that stands"
  },
  {
    name: "a process that does not have the spill says at its end what stays there",
    file: "publish/spill/SinkSpill.ts",
    find: `if (records > 0 && (this.spill.isReady || this.#drain.isWanted))`,
    replace: `if (records > 0)`,
    foundBy: ended,
    test: "leaves to others to say what stays"
  },
  {
    name: "a process that reads shows for ever what its last turn has left in the spill",
    file: "publish/spill/SpillTurns.ts",
    find: `if (left === undefined) this.#spill.forget()`,
    replace: ``,
    foundBy: "publish/spillReaders.test.ts",
    test: "does not show what it has left there itself"
  },
  {
    name: "a turn of a process that reads lasts as long as there is something to send on",
    file: "publish/spill/SpillTurns.ts",
    find: `passedMs < this.#turnMs && parts`,
    replace: `passedMs >= 0 && parts`,
    foundBy: "publish/spillReaders.test.ts",
    test: "refuses all the time"
  },
  {
    name: "a turn of a process that reads ends although something is on its way",
    file: "publish/spill/SpillDrain.ts",
    find: `return Effect.andThen(this.#sendOn.quietAll(mostMs), this.#older.quietAll(mostMs))`,
    replace: `return Effect.andThen(Effect.void, this.#older.quietAll(mostMs))`,
    foundBy: ended,
    test: "sends on once what its cluster is slow to answer"
  },
  {
    name: "what a turn has on its way lands behind a publisher",
    file: "publish/spill/SpillDrain.ts",
    find: `return Effect.andThen(this.#sendOn.quietAll(mostMs), this.#older.quietAll(mostMs))`,
    replace: `return this.#sendOn.quietAll(Math.min(mostMs, 1))`,
    foundBy: ended,
    test: "leaves nothing behind that lands later"
  },
  {
    name: "at the end of its turn a process that reads goes on sending",
    file: "publish/spill/SpillDrain.ts",
    find: `      this.#isOver = true
`,
    replace: ``,
    foundBy: ended,
    test: "begins nothing any more when it is over"
  },
  {
    name: "a process that reads waits for the spill beside those that publish",
    file: "publish/spill/SpillTurns.ts",
    find: `if (this.isWanted || this.#isGiven) return Effect.never`,
    replace: `if (this.#missed < 99) return Effect.never`,
    foundBy: ended,
    test: "comes where nobody waits for the spill"
  },
  {
    name: "a letter that nobody wants any more is stored all the same",
    file: "transport/DeadLetters.ts",
    find: `(index) => letters[index]?.isWanted() === true`,
    replace: `(index) => letters[index] !== undefined`,
    foundBy: ended,
    test: "takes back a letter"
  },
  {
    name: "a process that reads takes the spill of a cluster that is away",
    file: "publish/spill/SpillTurns.ts",
    find: `if (!(yield* this.#answers(left))) {`,
    replace: `if (left < 0) {`,
    foundBy: ended,
    test: "does not begin while its cluster is away"
  },
  {
    name: "a turn of a process that reads is too short for a slow fence",
    file: "publish/spill/SpillTurns.ts",
    find: `2 * (this.#home.nowMs - sinceMs)`,
    replace: `2 * (sinceMs - sinceMs)`,
    foundBy: ended,
    test: "is long enough for a cluster"
  },
  {
    name: "what stands is told in each turn of a process that reads",
    file: "publish/sendOn/SendOn.ts",
    find: `before.failure.tag === failure.tag`,
    replace: `before.failure.tag === ""`,
    foundBy: ended,
    test: "tells once of a record that stands"
  },
  {
    name: "what stands is shown in the turns of a process that reads alone",
    file: "publish/sendOn/SendOn.ts",
    find: `=== halted && part.isOfTurn !== true)`,
    replace: `=== halted)`,
    foundBy: ended,
    test: "tells once of a record that stands"
  },
  {
    name: "what another process has sent on is shown as standing for ever",
    file: "publish/spill/SpillTurns.ts",
    find: `for (const { partition, settled = 0n } of rows) this.#home.passed(partition, settled)`,
    replace: ``,
    foundBy: ended,
    test: "shows nothing as standing"
  },
  {
    name: "a process that reads never waits long enough for a slow spill",
    file: "publish/spill/SpillTurns.ts",
    find: `const lineMsMax = 30_000`,
    replace: `const lineMsMax = 4000`,
    foundBy: ended,
    test: "comes in the end where the spill takes long"
  },
  {
    name: "a publisher waits for the question of a reader",
    file: "publish/spill/SpillDrain.ts",
    find: `Effect.map(leaving(fenced), (failure)`,
    replace: `Effect.map(fenced, (failure)`,
    foundBy: ended,
    test: "is asked for by a fence that keeps no publisher"
  }
]
