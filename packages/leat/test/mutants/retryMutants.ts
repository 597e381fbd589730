import type { Mutant } from "./Mutant.ts"

/** Planted in the budget of retries. */
export const retryMutants: ReadonlyArray<Mutant> = [
  {
    name: "a retry beyond the budget is sent all the same",
    file: "publish/WriteLane.ts",
    find: `if (mayMs > nowMs) return this.#wait(mayMs)`,
    replace: `if (mayMs > nowMs) this.#wait(mayMs)`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "is sent one retry in a second"
  },
  {
    name: "a retry earns retries",
    file: "publish/RetryBudget.ts",
    find: `    if (attempts > 0) return`,
    replace: `    this.earn()
    if (attempts > 0) return`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "is sent one retry in a second"
  },
  {
    name: "what was never sent before needs a retry",
    file: "publish/RetryBudget.ts",
    find: `if (attempts > 0) return this.spend(nowMs)`,
    replace: `if (attempts >= 0) return this.spend(nowMs)`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "is sent a share of what goes to its other partitions"
  },
  {
    name: "where retries are few, others go behind them",
    file: "publish/RetryBudget.ts",
    find: `state === "inFlight" && attempts > 1`,
    replace: `state === "inFlight" && attempts > 5`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are not sent behind a retry"
  },
  {
    name: "a sick destination is never probed",
    file: "publish/RetryBudget.ts",
    find: `if (nowMs < this.#probeAtMs) return`,
    replace: `if (nowMs < Math.max(this.#probeAtMs, 60_000)) return`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "is a share of first sends"
  },
  {
    name: "a sick destination is probed ten times a second",
    file: "publish/RetryBudget.ts",
    find: `this.#probeAtMs = nowMs + probeMs`,
    replace: `this.#probeAtMs = nowMs + probeMs / 10`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "holds over any stretch of time"
  },
  {
    name: "what was saved up is never used up",
    file: "publish/RetryBudget.ts",
    find: `      this.#saved -= one
`,
    replace: ``,
    foundBy: "publish/RetryBudget.test.ts",
    test: "holds over any stretch of time"
  },
  {
    name: "a day's worth of retries is saved up",
    file: "publish/RetryBudget.ts",
    find: `Math.min(this.#saved + this.#earned, savedMax * one)`,
    replace: `Math.min(this.#saved + this.#earned, savedMax * one * one)`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "saves up a hundred"
  },
  {
    name: "those that wait for a retry ask at once, and the same is first each time",
    file: "publish/RetryBudget.ts",
    find: `return this.#probeAtMs + this.#refused++`,
    replace: `return this.#probeAtMs`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "is a share of first sends"
  },
  {
    name: "another table's budget is not taken",
    file: "publish/Sink.ts",
    find: `    this.rules.budget = budgetFor(policy, this.rules.budget)
`,
    replace: ``,
    foundBy: "publish/RetryBudget.test.ts",
    test: "has another budget with another table"
  },
  {
    name: "a subscription takes a policy with a budget, and has none",
    file: "routes/policyFaults.ts",
    find: `|| retryBudget(policyOf(own[name] ?? [])) === undefined) return []`,
    replace: `|| retryBudget(policyOf(own[name] ?? [])) !== 5) return []`,
    foundBy: "routes/RouteFaults.test.ts",
    test: "of policies with a budget"
  },
  {
    name: "a handler takes a policy with a budget, and has none",
    file: "consume/handleFaults.ts",
    find: `if (ofPolicy.length === 0 && retryBudget(policy ?? []) !== undefined)`,
    replace: `if (ofPolicy.length > 0 && retryBudget(policy ?? []) !== undefined)`,
    foundBy: "consume/endings.test.ts",
    test: "are refused"
  },
  {
    name: "the budget of a document is not read",
    file: "routes/RouteDocument.ts",
    find: `...(budget === undefined ? {} : { budget })`,
    replace: `...(budget === undefined ? {} : {})`,
    foundBy: "publish/RetryBudget.test.ts",
    test: "is sent one retry in a second"
  }
]
