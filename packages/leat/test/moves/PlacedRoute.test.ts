import { Result } from "effect"
import { MemoryBroker, memoryDriver, Routes } from "leat"
import { describe, expect, it } from "vitest"
import { placed } from "../../src/control/moves.ts"
import { legOf, routeAt } from "../../src/moves/PlacedRoute.ts"

describe("the leg that is read of a stream that is placed", () => {
  it("is best effort where it was, and behind those that are required", () => {
    const compiled = Routes.compile(
      {
        version: 1,
        clusters: { near: { transport: "memory" }, far: { transport: "memory" } },
        routes: [
          {
            match: { stream: "*" },
            to: [
              { cluster: "near", topic: "a", read: true, required: false },
              { cluster: "far", topic: "archive" }
            ]
          }
        ]
      },
      { drivers: [memoryDriver(new MemoryBroker())] }
    )
    const route = Result.getOrThrow(compiled).lookup("test.notes", "test")
    if (route === undefined) throw new Error("no route")
    const placement = placed({ cluster: "near", topic: "a", partitions: 2 }, [])
    const [epoch] = placement.epochs
    if (epoch === undefined) throw new Error("no epoch")
    const leg = legOf(epoch, route, new Map())
    const { legs, readLeg } = routeAt(route, leg, placement)
    expect(legs.map(({ sink, required }) => [sink, required])).toEqual([
      ["far/archive", true],
      ["near/a", false]
    ])
    expect(readLeg).toBe(leg)
  })
})
