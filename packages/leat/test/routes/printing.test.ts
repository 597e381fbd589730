import { inspect } from "node:util"
import { open, RouteError } from "leat/promise"
import { describe, expect, it } from "vitest"

describe("a RouteError that nobody catches", () => {
  it("is printed with each of its faults once, and where it came from", async () => {
    const routes = [{ match: { stream: "a" }, to: [{ cluster: "there", topic: "t" }] }]
    const error: unknown = await open({ source: "test", routes: { version: 1, clusters: {}, routes } }).catch(
      (failure: unknown) => failure
    )
    expect(error).toBeInstanceOf(RouteError)
    // The second is how Node prints what nobody catches.
    for (const options of [{}, { customInspect: false }]) {
      const printed = inspect(error, options)
      expect(printed.split("no cluster named there")).toHaveLength(2)
      expect(printed).toMatch(/^RouteError: routes\[0\].*\n +at /)
    }
    expect(error).toMatchObject({ faults: [{ path: "routes[0].to[0].cluster" }] })
  })
})
