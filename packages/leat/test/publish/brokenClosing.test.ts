/** Drivers that break, or never end, when what they have opened is closed: the rest of the leat is closed all the same. */
import { Effect, Exit, Logger, References, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import type { Announcement, Driver, Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { note, stored } from "./stories.js"

type Close = Effect.Effect<void>

interface Closings {
  readonly transport?: Close
  readonly writer?: Close
}

/** The memory driver, with something to do when it is closed. */
function closing(name: string, broker: MemoryBroker, closings: Closings): Driver {
  const inner = memoryDriver(broker)
  const at = (close: Close = Effect.void) => Effect.addFinalizer(() => close)
  const bend = (one: Transport): Transport => ({
    ...one,
    openWriter: (topic) => Effect.andThen(at(closings.writer), one.openWriter(topic))
  })
  return {
    ...inner,
    name,
    open: (...given) => Effect.andThen(at(closings.transport), Effect.map(inner.open(...given), bend))
  }
}

const routes = (required: boolean) => ({
  version: 1,
  clusters: { bad: { transport: "bad" }, good: { transport: "good" } },
  routes: [
    {
      match: { stream: "*" },
      to: [
        { cluster: "good", topic: "notes", linger: "1 second", read: true },
        { cluster: "bad", topic: "notes", linger: "1 second", required }
      ]
    }
  ]
})

const broken: Close = Effect.die(new Error("the client is gone"))
const cases: ReadonlyArray<readonly [string, Closings, string]> = [
  ["breaks while it closes a cluster", { transport: broken }, "the client is gone"],
  ["breaks while it closes a topic", { writer: broken }, "the client is gone"],
  ["never ends closing a cluster", { transport: Effect.never }, "has not closed"],
  ["never ends closing a topic", { writer: Effect.never }, "has not closed"]
]

describe("a driver that", () => {
  it.each(cases)("%s keeps nothing else from being closed, and is told", (_what, closings, told) => {
    const brokers = { bad: new MemoryBroker({ partitions: 1 }), good: new MemoryBroker({ partitions: 1 }) }
    const saved: Array<Announcement> = []
    const warnings: Array<string> = []
    let isClosed = false
    const drivers = [
      closing("bad", brokers.bad, closings),
      closing("good", brokers.good, { transport: Effect.sync(() => void (isClosed = true)) })
    ]
    const store = { save: (one: Announcement) => Effect.sync(() => void saved.push(one)) }
    const program = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const options = { source: "test", routes: routes(true), drivers, ledger: { store } }
      const leat = yield* Leat.make(options).pipe(Scope.provide(scope))
      const notes = yield* leat.stream(noteContract())
      notes.offer(note("k", "1"))
      expect(yield* Effect.exit(Scope.close(scope, Exit.void))).toEqual(Exit.void)
      expect(isClosed).toBe(true)
      expect(saved.at(-1)).toMatchObject({ isClosed: true, legs: [{ stored: 1 }, { stored: 1 }] })
      for (const broker of Object.values(brokers)) expect(yield* stored(broker)).toHaveLength(1)
      expect(warnings.filter((one) => one.includes(told))).toHaveLength(1)
    })
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    const { exit, timers } = simulate(1, Effect.provide(program, Logger.layer([logger])))
    if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
    expect(timers).toBe(0)
  })

  it("breaks closing what it could not open is asked again, when a best-effort leg needs it", () => {
    const broker = new MemoryBroker({ partitions: 1 })
    let opened = 0
    const inner = closing("bad", broker, { transport: broken })
    const bad: Driver = {
      ...inner,
      open: (...given) =>
        Effect.flatMap(inner.open(...given), (one) =>
          ++opened < 3 ? Effect.die(new Error("no")) : Effect.succeed(one)
        )
    }
    const drivers = [bad, closing("good", new MemoryBroker({ partitions: 1 }), {})]
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", routes: routes(false), drivers })
      yield* leat.stream(noteContract())
      yield* Effect.sleep("1 minute")
      expect(leat.sinks().map(({ closed }) => closed)).toEqual([undefined, undefined])
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
    const { exit } = simulate(1, program)
    if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  })
})
