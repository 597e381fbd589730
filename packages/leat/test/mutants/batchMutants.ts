import type { Mutant } from "./Mutant.ts"

/** Planted in what a lane holds and judges: batches that are cut or fail, what is kept of records that are done, and crash loops. */
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
    file: "consume/ReadyLine.ts",
    find: `this.#line[this.#head++] = taken`,
    replace: `this.#head++`,
    foundBy: "consume/longLanes.test.ts",
    test: "the next one is always there"
  },
  {
    name: "where the record that processes died of is gone, the next one is judged for it",
    file: "consume/ReadLane.ts",
    find: `if (held.position !== this.#options.start) return held`,
    replace: ``,
    foundBy: "consume/ReadLane.test.ts",
    test: "gone from the log"
  },
  {
    name: "a batch of which all events failed counts as handled",
    file: "OutageWatch.ts",
    find: `if (count === 0) return`,
    replace: ``,
    foundBy: "consume/OutageWatch.test.ts",
    test: "of which nothing was handled"
  },
  {
    name: "a tombstone among batches is done by being seen",
    file: "consume/Handling.ts",
    find: `this.#startWithout(noEvent, handler.onTombstone, held`,
    replace: `this.#startWithout(noEvent, undefined, held`,
    foundBy: "consume/batches.test.ts",
    test: "comes in its turn, by itself"
  },
  {
    name: "a tombstone among batches passes the inbox",
    file: "consume/onceEach.ts",
    find: `return { ...handler, onEvents, onTombstone }`,
    replace: `return { ...handler, onEvents }`,
    foundBy: "consume/batches.test.ts",
    test: "is handled once with an inbox"
  },
  {
    name: "what a handler of batches publishes is caused by the first event",
    file: "consume/DeliveryInfo.ts",
    find: `return first === undefined || infos.length === 1 ? first`,
    replace: `return first === undefined || infos.length > 0 ? first`,
    foundBy: "consume/batches.test.ts",
    test: "is not caused by the first event of its batch"
  },
  {
    name: "a batch agrees in what its first event says",
    file: "consume/BatchCause.ts",
    find: `this.#infos.every(`,
    replace: `this.#infos.some(`,
    foundBy: "promise/causes.test.ts",
    test: "carries nothing of an event that it may not be about"
  }
]
