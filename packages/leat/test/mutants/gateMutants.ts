import type { Mutant } from "./Mutant.ts"

const gates = "publish/gates.test.ts"

/** Planted where lanes are gated. */
export const gateMutants: ReadonlyArray<Mutant> = [
  {
    name: "a lane that is made behind a gate sends",
    file: "publish/LegLanes.ts",
    find: `    lane.isGated = this.#isGated
`,
    replace: ``,
    foundBy: gates,
    test: "keeps what is offered"
  },
  {
    name: "a gate that opens lets nobody know",
    file: "publish/LegLanes.ts",
    find: `if (!isGated) this.#maker.ready(lane)`,
    replace: ``,
    foundBy: gates,
    test: "is waited for by a flush"
  },
  {
    name: "a lane that is there already is not gated",
    file: "publish/LegLanes.ts",
    find: `      lane.isGated = isGated
`,
    replace: `      lane.isGated &&= isGated
`,
    foundBy: gates,
    test: "has its answer for what was on its way"
  }
]
