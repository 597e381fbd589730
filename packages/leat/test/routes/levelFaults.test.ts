import { Result } from "effect"
import { memory, Routes } from "leat"
import { PowerLossBroker, powerLossDriver } from "leat/testing"
import { expect, it } from "vitest"

const faultsOf = (level: string, ...to: ReadonlyArray<object>) => {
  const document = {
    version: 1,
    clusters: { near: { transport: "memory" }, disk: { transport: "powerLoss" }, other: { transport: "powerLoss" } },
    policies: { spilling: [{ on: ["passing"], then: "spill" }] },
    routes: [
      { match: { stream: "first" }, to: [{ cluster: "disk", topic: "first" }] },
      { match: { stream: "*" }, level, to }
    ]
  }
  const table = Routes.compile(document, { drivers: [memory, powerLossDriver(new PowerLossBroker())] })
  return Result.isFailure(table) ? table.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}

const near = { cluster: "near", topic: "{stream}" }
const disk = { cluster: "disk", topic: "{stream}" }
const told =
  "routes[1].level: the level durable needs a cluster that keeps what it stores, which near does not declare; say stored, or give the leg a spill"

it.each([
  ["durable", [near], [told]],
  ["durable", [disk, near], [told]],
  ["durable", [disk], []],
  ["durable", [disk, { ...near, required: false }], []],
  ["durable", [{ ...near, policy: "spilling", spill: { cluster: "other" } }], []],
  ["stored", [near], []],
  ["queued", [near], []]
] as const)("the level %s of legs %j", (level, to, faults) => {
  expect(faultsOf(level, ...to)).toEqual(faults)
})
