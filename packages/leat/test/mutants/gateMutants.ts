import type { Mutant } from "./Mutant.ts"

const gates = "publish/gates.test.ts"
const redress = "record/redress.test.ts"

/** Planted where lanes are gated, and where records are dressed for another place. */
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
  },
  {
    name: "a record in another epoch says the one before",
    file: "record/redress.ts",
    find: `writeVarint(patched, end, epoch)`,
    replace: `patched.set(value.subarray(end, end + sizeOfVarint(epoch)), end)`,
    foundBy: redress,
    test: "is what its publisher would have written there, drops and all, in both wires"
  },
  {
    name: "the epoch of a record of CloudEvents stays",
    file: "record/redress.ts",
    find: `spelled(name) === "ce_leatepoch")`,
    replace: `name === "")`,
    foundBy: redress,
    test: "is what its publisher would have written there, drops and all, in both wires"
  },
  {
    name: "a record in another wire announces no drops",
    file: "record/redress.ts",
    find: `headers.filter((one) => !isOwn(one))`,
    replace: `headers.filter((one) => !isOwn(one) && one[0] !== "leat-dropped")`,
    foundBy: redress,
    test: "is what its publisher would have written there, drops and all"
  },
  {
    name: "a record in another wire says what it said in the one before too",
    file: "record/redress.ts",
    find: `headers.filter((one) => !isOwn(one))`,
    replace: `headers.filter((one) => one[0] === "leat" || !isOwn(one))`,
    foundBy: redress,
    test: "is what its publisher would have written there, drops and all"
  },
  {
    name: "what an event carries loses its last header in another wire",
    file: "record/redress.ts",
    find: `for (let left = own * 2; left > 0; left--) {`,
    replace: `for (let left = own * 2 + (own > 1 && count > own ? 2 : 0); left > 0; left--) {`,
    foundBy: redress,
    test: "is found in the block of its record"
  }
]
