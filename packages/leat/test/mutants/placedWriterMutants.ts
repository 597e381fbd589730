import type { Mutant } from "./Mutant.ts"

const file = "moves/PlacedWriter.ts"
const route = "moves/PlacedRoute.ts"
const foundBy = "moves/moving.test.ts"

/** Bugs in who writes a stream that moves. */
export const placedWriterMutants: ReadonlyArray<Mutant> = [
  {
    name: "the new place is written before it is open",
    file,
    find: `this.#isGated = isGated
    this.#now?.outlet.lanes.gate(isGated)`,
    replace: `this.#isGated = isGated
    this.#now?.outlet.lanes.gate(false)`,
    foundBy,
    test: "takes along"
  },
  {
    name: "who holds something still says that it has drained",
    file,
    find: `yield* this.#empty`,
    replace: `void this.#empty`,
    foundBy,
    test: "takes along"
  },
  {
    name: "what an old place has not stored comes behind what was offered since",
    file,
    find: `this.#moves(old, to.outlet, true)`,
    replace: `this.#moves(old, to.outlet, false)`,
    foundBy,
    test: "takes along"
  },
  {
    name: "what was gated stays where the stream does not go",
    file,
    find: `if (this.#isGated) this.#moves(from, to, false)`,
    replace: `if (this.#isGated) void from`,
    foundBy,
    test: "goes back when it is called off"
  },
  {
    name: "a mirror writes where the stream is read",
    file: route,
    find: `one.sink === leg.sink || read.has(one.sink)`,
    replace: `one.sink === leg.sink`,
    foundBy,
    test: "is mirrored where nobody reads it"
  },
  {
    name: "a mirror in an old place says the epoch that was read there",
    file: route,
    find: `epoch: was.epoch + 1`,
    replace: `epoch: was.epoch`,
    foundBy,
    test: "is mirrored where nobody reads it"
  },
  {
    name: "an epoch is written under the number of the document",
    file: route,
    find: `    epoch,
    partitions`,
    replace: `    epoch: like.epoch,
    partitions`,
    foundBy,
    test: "goes on in the new place of 4"
  },
  {
    name: "who is closed stays a writer of what it has joined",
    file: "control/ControlStream.ts",
    find: `Effect.andThen(left, this.#write({ kind: "forgotten", member, beats }, "", sendMsMax))`,
    replace: `this.#write({ kind: "forgotten", member, beats }, "", sendMsMax)`,
    foundBy: "control/ControlStream.test.ts",
    test: "keep it short"
  }
]
