import { Result } from "effect"
import { memory, Routes } from "leat"
import { PowerLossBroker, powerLossDriver } from "leat/testing"
import { describe, expect, it } from "vitest"

const leg = (more: object) => ({ cluster: "far", topic: "{stream}", ...more })

const faultsOf = (to: object, more: object = {}) => {
  const document = {
    version: 1,
    clusters: { far: { transport: "memory" }, disk: { transport: "powerLoss" }, near: { transport: "memory" } },
    policies: { spilling: [{ on: ["passing"], then: "spill" }], strictly: [{ on: ["*"], then: "halt" }] },
    routes: [{ match: { stream: "*" }, to: [to] }],
    ...more
  }
  const table = Routes.compile(document, { drivers: [memory, powerLossDriver(new PowerLossBroker())] })
  return Result.isFailure(table) ? table.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}

describe("the spill of a leg", () => {
  it("is a cluster on disk, and a policy that spills", () => {
    expect(faultsOf(leg({ policy: "spilling", spill: { cluster: "disk", bytes: 1_000_000, rate: 500 } }))).toEqual([])
    expect(faultsOf(leg({ policy: ["spilling", "strict"], spill: { cluster: "disk" } }))).toEqual([])
  })

  it("needs a cluster on disk", () => {
    expect(faultsOf(leg({ policy: "spilling", spill: { cluster: "near" } }))).toEqual([
      "routes[0].to[0].spill.cluster: a spill needs fsync, which cluster near does not declare; @leat/log does"
    ])
  })

  it("names the leg that does not say where", () => {
    expect(faultsOf(leg({ policy: "spilling" }))).toEqual([
      "routes[0].to[0].policy: the policy spilling spills, and this leg does not say where; add spill: { cluster: ... } with a cluster on a local disk, as @leat/log is one"
    ])
  })

  it.each([
    [{ cluster: "nowhere" }, ".spill.cluster: no cluster named nowhere; there is far, disk, near"],
    [
      { cluster: "far" },
      ".spill.cluster: far is the cluster that it is to stand in for: it is away when that is; name another"
    ],
    [{ cluster: "disk", bytes: 5 }, ".spill.bytes: 5 is not between 65536 and 1099511627776 bytes"],
    [{ cluster: "disk", rate: 100_000_000 }, ".spill.rate: 100000000 is not between 1 and 10000000 events per second"],
    [
      { cluster: "disk", byte: 5 },
      ".spill.byte: is no field of the spill of a leg, which has cluster, bytes, rate, age; did you mean bytes?"
    ]
  ])("%j", (spill, told) => {
    expect(faultsOf(leg({ policy: "spilling", spill }))).toEqual([`routes[0].to[0]${told}`])
  })

  it("keeps events for so long at most, and its policy says what becomes of them then", () => {
    const old = { on: ["SpillExpired"], then: "drop" }
    const aged = (rules: ReadonlyArray<object>, age?: string) =>
      faultsOf(
        leg({ policy: ["old", "spilling"], spill: { cluster: "disk", ...(age === undefined ? {} : { age }) } }),
        {
          policies: { old: rules, spilling: [{ on: ["passing"], then: "spill" }] }
        }
      )
    expect(aged([old], "6 hours")).toEqual([])
    expect(aged([{ ...old, then: "deadLetter" }], "1 second")).toEqual([])
    expect(aged([old], "999 millis")).toEqual([
      "routes[0].to[0].spill.age: 999 is not between 1000 and 315360000000 millis"
    ])
    expect(aged([old])).toEqual([
      "routes[0].to[0].policy: the policy old says what becomes of events that were in the spill for too long, and this leg has no such time; add an age to its spill"
    ])
    expect(aged([{ on: ["*"], then: "drop" }], "1 hour")).toEqual([
      "routes[0].to[0].spill.age: no policy of this leg says what becomes of events that are older; add a rule with on: [SpillExpired] that drops or sets aside, before the others"
    ])
    expect(aged([{ ...old, retry: { base: "1 second" } }], "1 hour")).toEqual([
      "policies.old[0].retry: SpillExpired is no attempt, so there is no retry; give it a rule of its own, without retry"
    ])
    expect(aged([{ ...old, then: "halt" }], "1 hour")).toEqual([
      "policies.old[0].then: what was in a spill for too long is dropped or set aside; say drop or deadLetter, or give SpillExpired a rule of its own"
    ])
  })

  it("is never used where no rule spills", () => {
    expect(faultsOf(leg({ policy: "strictly", spill: { cluster: "disk" } }))).toEqual([
      "routes[0].to[0].spill: no policy of this leg spills, so nothing would ever go there; add a rule with then: spill"
    ])
  })

  it("is nothing for a subscription", () => {
    expect(faultsOf(leg({}), { subscriptions: [{ match: { stream: "*" }, policy: "spilling" }] })).toEqual([
      "subscriptions[0].policy: the policy spilling spills, which a subscription cannot: its events stand in their topic; say drop, deadLetter or halt"
    ])
  })
})
