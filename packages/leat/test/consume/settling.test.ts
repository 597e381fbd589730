import { Effect, Exit, Logger } from "effect"
import { Leat, MemoryBroker } from "leat"
import { simulate } from "leat/testing"
import { TransportError } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { routes, withLanes } from "./support.ts"

it("a group whose settles fail for a passing reason goes on, says so once while it lasts, and again when it comes back", () => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => void warnings.push(String(message)))
  const away = new TransportError({ reason: "Unavailable", transport: "memory", operation: "settle", detail: "away" })
  let isAway = true
  const driver = withLanes(
    (lane) => ({ ...lane, settle: (position) => (isAway ? Effect.fail(away) : lane.settle(position)) }),
    new MemoryBroker({ partitions: 1 })
  )
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test", routes: routes({ settleEvery: "100 millis" }), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    let handled = 0
    const subscription = yield* notes.handle("g", () => Effect.sync(() => void handled++))
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep("5 seconds")
    expect({ handled, warnings }).toEqual({ handled: 1, warnings: [] })
    yield* Effect.sleep("1 minute")
    expect(warnings).toEqual([
      "the group g of test.notes cannot settle partition 0, and is tried again; what it has handled comes again if this process ends: memory settle: Unavailable: away"
    ])
    expect(subscription.halted()).toEqual([])
    isAway = false
    yield* Effect.sleep("1 second")
    expect(yield* subscription.lag).toBe(0n)
    isAway = true
    yield* notes.publish({ key: "k", text: "2" })
    yield* Effect.sleep("1 minute")
    expect({ handled, told: warnings.length }).toEqual({ handled: 2, told: 2 })
    isAway = false
  }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  const { exit } = simulate(1, program)
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
})
