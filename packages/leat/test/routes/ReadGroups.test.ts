import { Result } from "effect"
import { type Leg, MemoryBroker, memoryDriver, Routes } from "leat"
import { expect, it } from "vitest"
import { ReadGroups } from "../../src/routes/ReadGroups.js"

const clusters = { a: { transport: "memory" }, b: { transport: "memory" } }
const table = Result.getOrThrow(
  Routes.compile(
    {
      version: 1,
      clusters,
      routes: [
        { match: { stream: "alias" }, to: [{ cluster: "b", topic: "shared", wire: "cloudevents" }] },
        { match: { stream: "own.*" }, to: [{ cluster: "a", topic: "{stream}" }] },
        { match: { stream: "*" }, to: [{ cluster: "a", topic: "shared", wire: "cloudevents" }] }
      ]
    },
    { drivers: [memoryDriver(new MemoryBroker())] }
  )
)
function legOf(stream: string): Leg {
  const leg = table.lookup(stream, "s")?.readLeg
  if (leg === undefined) throw new Error(`${stream} has no route`)
  return leg
}

it("one group does not read two streams in one topic at the same time", () => {
  const groups = new ReadGroups()
  const enter = (stream: string, group = "g") => groups.enter(legOf(stream), group, stream)?.message
  expect([enter("orders"), enter("orders"), enter("refunds", "h"), enter("own.a"), enter("own.b")]).toEqual(
    Array.from({ length: 5 })
  )
  const told =
    "group g reads orders in topic a/shared, where it has one position for all streams; give refunds another group"
  expect(enter("refunds")).toBe(told)
  expect(enter("alias")).toMatch(/^group g reads orders in topic b\/shared/)
  groups.leave(legOf("orders"), "g")
  expect(enter("refunds")).toBe(told)
  groups.leave(legOf("orders"), "g")
  expect(enter("refunds")).toBeUndefined()
})

it("the groups that read a stream are known while they read it", () => {
  const groups = new ReadGroups()
  for (const group of ["g", "h", "g"]) groups.enter(legOf("orders"), group, "orders")
  groups.enter(legOf("own.a"), "i", "own.a")
  expect([groups.of("orders"), groups.of("own.a"), groups.of("own.b")]).toEqual([["g", "h"], ["i"], []])
  groups.leave(legOf("orders"), "g")
  groups.leave(legOf("orders"), "h")
  expect(groups.of("orders")).toEqual(["g"])
})
