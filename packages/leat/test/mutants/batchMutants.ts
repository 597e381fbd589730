import type { Mutant } from "./Mutant.ts"

/** Planted in what a lane holds: batches that are cut, and what is kept of records that are done. */
export const batchMutants: ReadonlyArray<Mutant> = [
  {
    name: "what is left of a batch waits to be full once more",
    file: "consume/Bundling.ts",
    find: `this.#isRest = true`,
    replace: ``,
    foundBy: "consume/batches.test.ts",
    test: "has waited once"
  },
  {
    name: "whoever cuts a batch looks at all that is left of it",
    file: "consume/HeldRecord.ts",
    find: `  held.span = 0
  held.bytes = 0`,
    replace: `  for (let at = rest.from; at < rest.to; at++) bytesOf(rest.records, at)
  held.span = 0
  held.bytes = 0`,
    foundBy: "consume/longLanes.test.ts",
    test: "is no event for it"
  },
  {
    name: "batches are kept until hundreds of records more are done",
    file: "consume/ReadLane.ts",
    find: `this.#held[this.#head++] = passed`,
    replace: `this.#head++`,
    foundBy: "consume/longLanes.test.ts",
    test: "behind the watermark: handled at once"
  },
  {
    name: "batches are kept until no record of them waits for a handler",
    file: "consume/ReadLane.ts",
    find: `this.#ready[this.#readyHead++] = passed`,
    replace: `this.#readyHead++`,
    foundBy: "consume/longLanes.test.ts",
    test: "the next one is always there"
  }
]
