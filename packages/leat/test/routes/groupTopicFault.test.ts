/** A group that a document names, and whose own topics would have names that are too long. */
import { Result } from "effect"
import { memory, Routes } from "leat"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"

const faultsOf = (group: string, stream = "test.*") => {
  const routes = {
    version: 1,
    clusters: { local: { transport: "memory" } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes" }] }],
    subscriptions: [{ match: { stream, group }, concurrency: 2 }]
  }
  const compiled = Routes.compile(routes, { drivers: [memory], contracts: [noteContract()] })
  return Result.isFailure(compiled) ? compiled.failure.faults : []
}

it("a group of a document is refused where its own topics would have names that are too long", () => {
  // Of 249 characters: "notes.", the group, ".retry.8".
  expect(faultsOf("g".repeat(235))).toEqual([])
  expect(faultsOf("g".repeat(236))).toEqual([
    {
      path: "subscriptions[0].match.group",
      message: expect.stringMatching(/^the topics of this group, .* may have 250 characters, .* the limit is 249: /)
    }
  ])
  expect(faultsOf("ä".repeat(120)).map(({ path }) => path)).toEqual(["subscriptions[0].match.group"])
  expect(faultsOf("g".repeat(236), "other")).toEqual([])
  expect(faultsOf(`${"g".repeat(236)}*`)).toEqual([])
})
