/** A group that a document names, and whose own topics would have names that are too long. */
import { it as live } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Leat, memory, Routes } from "leat"
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

live.live(
  "a table is not put in force that has a stream where a group that reads it could have no topics of its own",
  () =>
    Effect.gen(function* () {
      const at = (version: number, topic: string) => ({
        version,
        clusters: { local: { transport: "memory" } },
        routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic }] }]
      })
      const leat = yield* Leat.make({ source: "test", drivers: [memory], routes: at(1, "notes") })
      const notes = yield* leat.stream(noteContract())
      yield* notes.handle("g".repeat(235), () => Effect.void)
      const faultsOfSwap = (topic: string) =>
        Effect.map(Effect.flip(leat.swapRoutes(at(2, topic))), ({ faults }) =>
          faults.filter(({ message }) => message.startsWith("group")).map(({ path, message }) => `${path}: ${message}`)
        )
      // An open stream lies where it lies; that is said too.
      expect(yield* faultsOfSwap("other")).toEqual([])
      expect(yield* faultsOfSwap("others")).toEqual([
        expect.stringMatching(
          /^routes\[0\]\.to\[0\]\.topic: group g+ reads test\.notes, and cannot read it there: .* may have 250 characters, with the name of others in them; the limit is 249: take shorter names/
        )
      ])
    })
)
