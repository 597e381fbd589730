import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spillNotices.test.ts"

/** Planted in what is told of drops when a spill is sent on. */
export const spillNoticeMutants: ReadonlyArray<Mutant> = [
  {
    name: "what a record of a spill was to announce is lost with it",
    file: "publish/sendOn/CarriedDrops.ts",
    find: `const ranges = [...said, {`,
    replace: `const ranges = [{`,
    foundBy,
    test: "are announced by a later one"
  },
  {
    name: "drops of an earlier process are announced by nobody",
    file: "publish/sendOn/CarriedDrops.ts",
    find: `if (!isTold(id, ranges)) this.add(partition, markerOfEvent(id), ranges)`,
    replace: `isTold(id, ranges)`,
    foundBy,
    test: "are announced for an earlier process"
  },
  {
    name: "what a marker in a spill was to announce is lost with it",
    file: "publish/sendOn/CarriedDrops.ts",
    find: `if (marker !== undefined) this.add(partition, marker, said)`,
    replace: ``,
    foundBy,
    test: "are not lost with a marker"
  },
  {
    name: "a marker in a spill is set aside, or stands",
    file: "publish/sendOn/Refusals.ts",
    find: `if (ending === "drop" || isMarker)`,
    replace: `if (ending === "drop")`,
    foundBy,
    test: "are not lost with a marker"
  },
  {
    name: "a marker that is found in a spill is told as an event",
    file: "publish/spill/SpillDrain.ts",
    find: `part.markers = markers`,
    replace: `part.markers = markers * 0`,
    foundBy,
    test: "are not lost with a marker"
  },
  {
    name: "a marker that stays in a spill is told as an event",
    file: "publish/spill/Spill.ts",
    find: `if (spilled.batch.isMarker(spilled.from)) part.markers++`,
    replace: ``,
    foundBy,
    test: "are not lost with a marker"
  },
  {
    name: "notices of a spill that are refused once are told no more",
    file: "publish/sendOn/SendOn.ts",
    find: `if (isRefused(run) && this.#isForGood(run.error.reason)) {`,
    replace: `if (isRefused(run)) {
          notice.told()`,
    foundBy,
    test: "wait for the next marker"
  },
  {
    name: "a notice of a spill has no bound",
    file: "publish/sendOn/CarriedDrops.ts",
    find: `rangesWithin(dropped.all, recordBytesMax - markerBytes)`,
    replace: `dropped.all.length`,
    foundBy,
    test: "are as many as the bytes"
  },
  {
    name: "a notice of a spill is given up while a right is missing",
    file: "publish/sendOn/SendOn.ts",
    find: `if (isRefused(run) && this.#isForGood(run.error.reason)) {`,
    replace: `if (isRefused(run)) {`,
    foundBy,
    test: "are told by the next process where a right is missing"
  },
  {
    name: "what could not be announced is announced although it is judged anew",
    file: "publish/spill/sentPartition.ts",
    find: `untold: () => endings.notices.forget(partition),`,
    replace: `untold: () => undefined,`,
    foundBy,
    test: "are announced once where the spill is lost before that"
  }
]
