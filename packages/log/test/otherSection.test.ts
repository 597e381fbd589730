import { log } from "@leat/log"
import { Effect, Fiber, Schedule } from "effect"
import { Leat } from "leat"
import { describe, expect, it } from "vitest"
import { noteContract, routesTo } from "./support/Note.ts"
import { temporaryDirectory } from "./support/temporary.ts"

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => String(from + at))

describe("another section of a log that is open", () => {
  it("is taken over while events are published and read: none is lost, doubled or overtaken", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const routes = (version: number, more: object) => ({ ...routesTo(directory, { ...more }), version })
      const leat = yield* Leat.make({ source: "test", routes: routes(1, {}), drivers: [log] })
      const notes = yield* leat.stream(noteContract)
      const seen: Array<string> = []
      yield* notes.handle("readers", ({ text }) => Effect.sync(() => void seen.push(text)))
      for (const [index, more] of [{ leaseMs: 2000 }, { retention: { bytes: 1e9 } }, { bytesMax: 1e9 }].entries()) {
        const publishing = yield* Effect.forkChild(
          Effect.forEach(numbers(index * 200, index * 200 + 200), (text) =>
            Effect.andThen(notes.publish({ key: "k", text }, { level: "queued" }), Effect.sleep(1))
          )
        )
        yield* Effect.sleep(50)
        yield* Effect.retry(leat.swapRoutes(routes(index + 2, more)), { times: 200, schedule: Schedule.spaced(50) })
        yield* Fiber.join(publishing)
      }
      yield* leat.flush
      const inOrder = () => [...new Set(seen)]
      for (let look = 0; look < 400 && inOrder().length < 600; look++) yield* Effect.sleep(25)
      expect(inOrder()).toEqual(numbers(0, 600))
      expect(leat.ledger.snapshot().legs[0]).toMatchObject({ admitted: 600, stored: 600, balanced: true })
      const [bounds] = (yield* notes.bounds()).filter(({ end }) => end > 0n)
      expect(bounds?.end).toBe(600n)
    }).pipe(Effect.scoped, Effect.runPromise))

  it.each([
    { why: "another directory", more: { directory: "elsewhere" }, message: "has less there than here" },
    { why: "a largest record that is smaller", more: { recordBytesMax: 1000 }, message: "can do other things" },
    {
      why: "ids that are kept for less time",
      more: { retention: { idsMs: 3_600_000 } },
      message: "can do other things"
    }
  ])("of $why is refused", ({ more, message }) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const leat = yield* Leat.make({ source: "test", routes: routesTo(directory), drivers: [log] })
      const notes = yield* leat.stream(noteContract)
      yield* notes.publish({ key: "k", text: "1" })
      const section = "directory" in more ? { directory: `${directory}/elsewhere` } : more
      const error = yield* Effect.flip(leat.swapRoutes({ ...routesTo(directory, section), version: 2 }))
      expect(error.message).toContain(message)
      yield* notes.publish({ key: "k", text: "2" })
      expect(leat.ledger.snapshot().legs[0]).toMatchObject({ stored: 2 })
    }).pipe(Effect.scoped, Effect.runPromise)
  )
})
