import { Result } from "effect"
import { memory, Routes } from "leat"
import { describe, expect, it } from "vitest"

const compiled = (to: object, policies: object = {}) =>
  Routes.compile(
    {
      version: 1,
      clusters: { far: { transport: "memory" } },
      policies,
      routes: [{ match: { stream: "*" }, to: [{ cluster: "far", topic: "{stream}", ...to }] }]
    },
    { drivers: [memory] }
  )

const faultsOf = (...asked: Parameters<typeof compiled>) => {
  const table = compiled(...asked)
  return Result.isFailure(table) ? table.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}

const breakerOf = (breaker: object) => Result.getOrThrow(compiled({ breaker })).lookup("s", "me")?.legs[0]?.breaker

describe("the breaker of a leg", () => {
  it("is none where nothing is said, and has every setting by default", () => {
    expect(Result.getOrThrow(compiled({})).lookup("s", "me")?.legs[0]?.breaker).toBeUndefined()
    const defaults = { failureRate: 0.8, windowMs: 60_000, minSends: 20, waitMs: 1000, maxWaitMs: 10_000 }
    expect(breakerOf({})).toEqual(defaults)
    expect(breakerOf({ wait: "1 minute" })).toEqual({ ...defaults, waitMs: 60_000, maxWaitMs: 60_000 })
    const all = { failureRate: 1, window: "2 seconds", minSends: 5, wait: "10 millis", maxWait: "3 seconds" }
    expect(breakerOf(all)).toEqual({ failureRate: 1, windowMs: 2000, minSends: 5, waitMs: 10, maxWaitMs: 3000 })
  })

  it("is told of where a route is explained", () => {
    const told = Result.getOrThrow(compiled({ breaker: {} })).explain("s", "me")
    expect(told).toContain(
      "-> far/s (required, compact, overflow block, buffer 33554432 bytes, read, breaker at 0.8 of 20 sends)"
    )
  })

  it.each([
    [{ window: "10 millis" }, ".window: 10 is not between 1000 and 3600000 millis"],
    [{ minSends: 20_000 }, ".minSends: 20000 is not between 1 and 10000 sends"],
    [{ wait: "1 milli" }, ".wait: 1 is not between 10 and 3600000 millis"],
    [{ maxWait: "2 hours" }, ".maxWait: 7200000 is not between 10 and 3600000 millis"],
    [
      { wait: "5 seconds", maxWait: "1 second" },
      ".maxWait: a longest pause of 1000 millis is below the first one, which is 5000 millis"
    ],
    [{ failureRate: 0 }, ".failureRate: Expected a value between 0.01 and 1"],
    [
      { failures: 0.5 },
      ".failures: is no field of the breaker of a leg, which has failureRate, window, minSends, wait, maxWait"
    ]
  ])("%j is refused", (breaker, told) => {
    expect(faultsOf({ breaker })).toEqual([`routes[0].to[0].breaker${told}`])
  })

  it("is asked for where a policy says what becomes of events while it is open", () => {
    const policies = { p: [{ on: ["BreakerOpen"], then: "drop" }] }
    expect(faultsOf({ policy: ["p", "strict"], breaker: {} }, policies)).toEqual([])
    expect(faultsOf({ policy: ["p", "strict"] }, policies)).toEqual([
      "routes[0].to[0].policy: the policy p says what becomes of events while the breaker is open, and this leg has none; add breaker: {}"
    ])
  })

  it("is judged at once, and only drops and spills: a rule that says otherwise is refused", () => {
    const rules = [
      { on: ["BreakerOpen"], retry: { base: "1 second" }, then: "drop" },
      { on: ["passing", "BreakerOpen"], then: "deadLetter" },
      { on: ["BreakerOpen"], then: "halt" }
    ]
    const instead =
      "while a breaker is open, say drop, spill or fallback; without a rule for BreakerOpen events wait until it closes"
    expect(faultsOf({ policy: "p", breaker: {} }, { p: rules })).toEqual([
      "policies.p[0].retry: BreakerOpen is no attempt, so there is no retry; give it a rule of its own, without retry",
      `policies.p[1].then: ${instead}`,
      `policies.p[2].then: ${instead}`
    ])
  })
})
