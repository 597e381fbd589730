import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spillRefusals.test.ts"

/** Planted in what becomes of records of a spill that their destination refuses. */
export const spillRefusalMutants: ReadonlyArray<Mutant> = [
  {
    name: "a spill is drained into the dead letters while its topic takes nothing",
    file: "publish/sendOn/Refusals.ts",
    find: `trial.isLet ? undefined : this.#rules.outage`,
    replace: `undefined`,
    foundBy,
    test: "waits, and is not set aside"
  },
  {
    name: "what a spill stores is no sign that an outage is over",
    file: "publish/sendOn/Refusals.ts",
    find: `this.#rules.outage?.handled(count, nowMs)`,
    replace: `this.#rules.outage?.handled(count * 0, nowMs)`,
    foundBy,
    test: "waits, and is not set aside"
  },
  {
    name: "what is let through an outage waits when it is halved",
    file: "publish/sendOn/Refusals.ts",
    find: `trial.isLet = true`,
    replace: `trial.isLet = isOne`,
    foundBy,
    test: "lets one be set aside in ten minutes"
  },
  {
    name: "all of a range is let through an outage",
    file: "publish/sendOn/Refusals.ts",
    find: `if (this.#trial !== undefined) this.#trial.isLet = false`,
    replace: ``,
    foundBy,
    test: "lets one be set aside in ten minutes"
  },
  {
    name: "the deadline of a rule does not count for a spill",
    file: "publish/sendOn/Refusals.ts",
    find: `facts.nowMs - trial.firstRefusedMs`,
    replace: `0`,
    foundBy,
    test: "is tried again until the deadline"
  },
  {
    name: "the attempts of a rule do not count for a spill",
    file: "publish/sendOn/Refusals.ts",
    find: `trial.attempts++`,
    replace: `trial.attempts += 0`,
    foundBy,
    test: "has the attempts of its rule"
  },
  {
    name: "each record of a spill has the attempts of its rule anew",
    file: "publish/sendOn/Refusals.ts",
    find: `if (trial !== undefined && from < trial.to) {`,
    replace: `if (trial !== undefined && from <= trial.from) {`,
    foundBy,
    test: "has the attempts of its rule"
  },
  {
    name: "resume gives a record of a spill no new attempts",
    file: "publish/sendOn/Refusals.ts",
    find: `  resume(): void {
    this.#trial = undefined`,
    replace: `  resume(): void {`,
    foundBy,
    test: "stands when the deadline of its rule is over"
  },
  {
    name: "resume leaves a record of a spill a time that is refused",
    file: "publish/sendOn/SendOn.ts",
    find: `      if (latest !== undefined) portion.resume(latest.before, latest.timeMs)`,
    replace: `      portion.refusals.resume()`,
    foundBy,
    test: "have the present one after"
  },
  {
    name: "resume gives a time to one record of a spill alone",
    file: "publish/sendOn/SendOn.ts",
    find: `{ before: part.end, timeMs: this.#pump.wallMs }`,
    replace: `{ before: part.at + 1n, timeMs: this.#pump.wallMs }`,
    foundBy,
    test: "have the present one after"
  }
]
