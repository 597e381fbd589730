import type { Mutant } from "./Mutant.ts"

/** Planted in windows of counters and in loss objectives. */
export const lossMutants: ReadonlyArray<Mutant> = [
  {
    name: "a window begins at the oldest reading",
    file: "ledger/Rings.ts",
    find: `atMs > this.timeAt(found)`,
    replace: `atMs < this.timeAt(found)`,
    foundBy: "ledger/Windows.test.ts",
    test: "begins at the youngest that is old enough"
  },
  {
    name: "a window begins at a reading that is too young",
    file: "ledger/Windows.ts",
    find: `this.#rings.slotBy(endMs - lengthMs)`,
    replace: `this.#rings.slotBy(endMs - lengthMs + 5000)`,
    foundBy: "ledger/Windows.test.ts",
    test: "begins at the youngest that is old enough"
  },
  {
    name: "a window ends where the clock went back to",
    file: "ledger/Windows.ts",
    find: `Math.max(nowMs, this.#lastMs)`,
    replace: `nowMs`,
    foundBy: "ledger/Windows.test.ts",
    test: "begins at the youngest that is old enough"
  },
  {
    name: "a reading is kept for the last minutes only",
    file: "ledger/Readings.ts",
    find: `for (const slot of slots) {`,
    replace: `for (const slot of slots.slice(0, 1)) {`,
    foundBy: "ledger/Windows.test.ts",
    test: "begins at the youngest that is old enough"
  },
  {
    name: "counters that are added move those before them",
    file: "ledger/Readings.ts",
    find: `      larger.set(this.#now)
`,
    replace: ``,
    foundBy: "ledger/Windows.test.ts",
    test: "of many streams"
  },
  {
    name: "what was found of another moment is told again",
    file: "ledger/Windows.ts",
    find: `if (endMs !== this.#begunAtMs) this`,
    replace: `if (endMs < this.#begunAtMs) this`,
    foundBy: "ledger/Windows.test.ts",
    test: "begins at the youngest that is old enough"
  },
  {
    name: "the oldest reading is written over too soon",
    file: "ledger/Rings.ts",
    find: `from, size: count + 1, next`,
    replace: `from, size: count, next`,
    foundBy: "ledger/Windows.test.ts",
    test: "less than the distance of readings"
  },
  {
    name: "nothing is read when events are published",
    file: "publish/TurnClock.ts",
    find: `    this.#looks?.(this.monotonicMs)
`,
    replace: ``,
    foundBy: "loss/objectives.test.ts",
    test: "is asked for at both doors"
  },
  {
    name: "an alert ends with its long window",
    file: "loss/BurnAlert.ts",
    find: `if (!isGoingOn) this`,
    replace: `if (!isGoingOn || burnIn(longMs) <= rate) this`,
    foundBy: "loss/BurnAlert.test.ts",
    test: "ends with it"
  },
  {
    name: "an alert begins with its short window",
    file: "loss/BurnAlert.ts",
    find: `else if (burnIn(longMs) > rate) this`,
    replace: `else this`,
    foundBy: "loss/BurnAlert.test.ts",
    test: "ends with it"
  },
  {
    name: "an alert looks at two minutes",
    file: "loss/BurnAlert.ts",
    find: `Math.max(hourMs, (longMs * windowMs) / standardMs)`,
    replace: `(longMs * windowMs) / standardMs`,
    foundBy: "loss/BurnAlert.test.ts",
    test: "look at an hour at least"
  },
  {
    name: "a burn that lasts is told at each look",
    file: "loss/LossWatch.ts",
    find: `if (leg.state !== state) this`,
    replace: `if (leg.state !== "ok") this`,
    foundBy: "loss/objectives.test.ts",
    test: "is told once when that is over"
  },
  {
    name: "what is set aside has not ended",
    file: "ledger/Windows.ts",
    find: `ended: stored + fellBack + setAside + lost`,
    replace: `ended: stored + fellBack + lost`,
    foundBy: "loss/objectives.test.ts",
    test: "does not count what is set aside as lost"
  },
  {
    name: "gaps of a best-effort leg burn the objective",
    file: "Leat.ts",
    find: `this.#ledger.stream(contract.stream).required.map(({ account }) => account)`,
    replace: `this.#ledger.accountsOf(contract.stream)`,
    foundBy: "loss/objectives.test.ts",
    test: "is about what is given up on required legs"
  },
  {
    name: "another table's objective is not taken",
    file: "loss/LossWatch.ts",
    find: `return one.loss === other.loss && one.windowMs === other.windowMs`,
    replace: `return one.loss !== other.loss || one.windowMs === other.windowMs || true`,
    foundBy: "loss/objectives.test.ts",
    test: "comes and goes with tables"
  },
  {
    name: "what is given up while the leat closes is not looked at",
    file: "loss/LossWatch.ts",
    find: `if (this.#looking !== undefined) this.look()`,
    replace: ``,
    foundBy: "loss/objectives.test.ts",
    test: "tells what is given up when the leat closes"
  },
  {
    name: "an objective may be over an hour",
    file: "routes/objectiveFaults.ts",
    find: `windowMs < dayMs ||`,
    replace: `windowMs < 1 ||`,
    foundBy: "routes/RouteFaults.test.ts",
    test: "has its fault told at"
  },
  {
    name: "burn rates of two leats are added",
    file: "ledger/pulled.ts",
    find: `value = isMost === true ? Math.max(value, read(one)) : value + read(one)`,
    replace: `value = isMost === undefined ? value + read(one) : value + read(one)`,
    foundBy: "loss/objectives.test.ts",
    test: "has a metric for each of its windows"
  }
]
