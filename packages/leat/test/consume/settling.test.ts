import { Effect, Exit } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { faultDriver, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { drained, routes } from "./support.ts"

const run = <A>(program: Effect.Effect<A, unknown>): A => {
  const { exit } = simulate(1, program)
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

describe("a subscription", () => {
  it("keeps its lane when a settle fails for a reason that passes: nothing comes again", () => {
    const failed: Array<number> = []
    const driver = faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), {
      settle: ({ call }) => {
        if (call > 0) return undefined
        failed.push(call)
        return "Unavailable"
      }
    })
    const seen = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        const texts: Array<string> = []
        const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void texts.push(text)))
        for (const text of ["1", "2", "3"]) {
          yield* notes.publish({ key: "k", text })
          yield* Effect.sleep(20)
        }
        yield* drained(subscription)
        return texts
      }).pipe(Effect.scoped)
    )
    expect([seen, failed]).toEqual([["1", "2", "3"], [0]])
  })

  it("runs as many handlers as its options say, whatever the document says", () => {
    const most = run(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes({ concurrency: 8 }) })
        const notes = yield* leat.stream(noteContract())
        let running = 0
        let highest = 0
        const handler = Effect.acquireUseRelease(
          Effect.sync(() => void (highest = Math.max(highest, ++running))),
          () => Effect.sleep(5),
          () => Effect.sync(() => void running--)
        )
        yield* notes.publishAll(Array.from({ length: 12 }, (_, index) => ({ key: `k${index}`, text: "t" })))
        const subscription = yield* notes.handle("g", () => handler, { concurrency: 2 })
        yield* drained(subscription)
        return highest
      }).pipe(Effect.scoped)
    )
    expect(most).toBe(2)
  })
})
