import { Result } from "effect"
import { MemoryBroker, memoryDriver, Routes } from "leat"
import { describe, expect, it } from "vitest"
import type { Place } from "../../src/control/ControlRecord.ts"
import { placed } from "../../src/control/moves.ts"
import { legOf, routeAt } from "../../src/moves/PlacedRoute.ts"

type Leg = Record<string, unknown>

/** What a process writes of a stream that lies in a place, by a document with these legs. */
function ofMove(to: ReadonlyArray<Leg>, place: Place) {
  const compiled = Routes.compile(
    {
      version: 1,
      clusters: { near: { transport: "memory" }, far: { transport: "memory" } },
      routes: [{ match: { stream: "*" }, to }]
    },
    { drivers: [memoryDriver(new MemoryBroker())] }
  )
  const route = Result.getOrThrow(compiled).lookup("test.notes", "test")
  if (route === undefined) throw new Error("no route")
  const placement = placed(place, [])
  const [epoch] = placement.epochs
  if (epoch === undefined) throw new Error("no epoch")
  return routeAt(route, legOf(epoch, route, new Map()), placement)
}

describe("the leg that is read of a stream that is placed", () => {
  it("is best effort where it was, and behind those that are required", () => {
    const { legs, readLeg } = ofMove(
      [
        { cluster: "near", topic: "a", read: true, required: false },
        { cluster: "far", topic: "archive" }
      ],
      { cluster: "near", topic: "a", partitions: 2 }
    )
    expect(legs.map(({ sink, required }) => [sink, required])).toEqual([
      ["far/archive", true],
      ["near/a", false]
    ])
    expect(readLeg).toBe(legs[1])
  })

  it("is required where the one that is has to be left out, because it lies in a place that is read", () => {
    const { legs, readLeg } = ofMove(
      [
        { cluster: "far", topic: "b", read: true, required: false },
        { cluster: "near", topic: "a" }
      ],
      { cluster: "near", topic: "a", partitions: 2 }
    )
    expect(legs.map(({ sink, required }) => [sink, required])).toEqual([["near/a", true]])
    expect(readLeg.sink).toBe("near/a")
  })
})
