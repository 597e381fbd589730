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
      ".spill.byte: is no field of the spill of a leg, which has cluster, bytes, rate; did you mean bytes?"
    ]
  ])("%j", (spill, told) => {
    expect(faultsOf(leg({ policy: "spilling", spill }))).toEqual([`routes[0].to[0]${told}`])
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
