import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/otherSections.test.ts"
const file = "routes/SwitchableCluster.ts"

/** Planted where another client of a cluster takes the place of the one that is open. */
export const switchableMutants: ReadonlyArray<Mutant> = [
  {
    name: "a partition goes over while something of it is on its way",
    file,
    find: `(this.#onWay?.[partition] ?? 0) > 0 || `,
    replace: ``,
    foundBy,
    test: "nothing overtakes"
  },
  {
    name: "a partition goes over although an outcome is unknown",
    file,
    find: `fences[partition] = { count: fences[partition]?.count ?? 0, isNeeded: true }`,
    replace: `fences[partition] = { count: fences[partition]?.count ?? 0, isNeeded: false }`,
    foundBy,
    test: "lateWrite"
  },
  {
    name: "what waits is sent although what it waits for has failed",
    file,
    find: `if (runs.some(({ fate }) => fate !== "stored")) this.#refuse(partition)`,
    replace: ``,
    foundBy,
    test: "has failed"
  },
  {
    name: "the old client is never closed",
    file,
    find: `this.#isLeft = true`,
    replace: `this.#isLeft = false`,
    foundBy,
    test: "takes over what is sent and read"
  },
  {
    name: "the old client is closed under those who use it",
    file,
    find: `return this.#users === 0 ? this.#closed : Effect.void`,
    replace: `return this.#closed`,
    foundBy,
    test: "one after the other"
  },
  {
    name: "a subscription stays with the old client",
    file,
    find: `for (const left of this.told) left(error)`,
    replace: `void error`,
    foundBy,
    test: "takes over what is sent and read"
  },
  {
    name: "nobody hears that a client was replaced",
    file: "transport/whenLeft.ts",
    find: `return "whenLeft" in transport ?`,
    replace: `return "whenLeftNever" in transport ?`,
    foundBy,
    test: "takes over what is sent and read"
  },
  {
    name: "another cluster is taken for the one that is open",
    file,
    find: `if (!isThere)`,
    replace: `if (!isThere && count === 0)`,
    foundBy,
    test: "another cluster with the same partitions"
  },
  {
    name: "a client is taken over that has nothing open that was opened since",
    file: "TableSwaps.ts",
    find: `return open.isComplete(candidate) ? []`,
    replace: `return candidate !== undefined ? []`,
    foundBy,
    test: "a leg of its table"
  },
  {
    name: "the next section does not wait for the one before",
    file: "TableSwaps.ts",
    find: `if (open === undefined || open.isGoingOver)`,
    replace: `if (open === undefined)`,
    foundBy,
    test: "one after the other"
  }
]
