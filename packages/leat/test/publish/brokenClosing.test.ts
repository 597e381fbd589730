/** Drivers that break, or never end, when what they have opened is closed: the rest of the leat is closed all the same. */
import { Effect, Exit, Fiber, Logger, References, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { type Announcement, type Driver, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { changed } from "./spillStory.js"
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

  const never = Effect.uninterruptible(Effect.never)
  const hanging: ReadonlyArray<readonly [string, (inner: Driver) => Driver, string | undefined]> = [
    ["the opening of a cluster", (inner) => ({ ...inner, open: () => never }), "has not ended the opening of bad"],
    // It is left, and nobody waits for it.
    ["the opening of a topic", (inner) => changed(inner, () => ({ openWriter: () => never })), undefined],
    [
      "the release of a lane",
      (inner) =>
        changed(inner, ({ subscribe }) => ({
          subscribe: (asked) => Stream.map(subscribe(asked), (lane) => ({ ...lane, release: never }))
        })),
      "has not taken back partition 0 of test.notes of the group g"
    ]
  ]
  it.each(hanging)(
    "never ends %s, and does not let it be interrupted, keeps nothing from being closed",
    (_what, bend, told) => {
      const broker = new MemoryBroker({ partitions: 1 })
      const warnings: Array<string> = []
      const routed = {
        version: 1,
        clusters: { bad: { transport: "memory" } },
        routes: [{ match: { stream: "*" }, to: [{ cluster: "bad", topic: "notes" }] }]
      }
      const program = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const leat = yield* Leat.make({ source: "test", routes: routed, drivers: [bend(memoryDriver(broker))] }).pipe(
          Scope.provide(scope)
        )
        const using = Effect.flatMap(leat.stream(noteContract()), (notes) => notes.handle("g", () => Effect.void))
        yield* Effect.forkDetach(Scope.provide(using, scope))
        yield* Effect.sleep("10 seconds")
        const ending = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
        yield* Effect.timeout(Fiber.join(ending), "3 minutes")
        const waited = warnings.filter((one) => one.includes("is not waited for"))
        expect(waited).toEqual(told === undefined ? [] : [expect.stringContaining(told)])
      })
      const logger = Logger.make(({ message }) => void warnings.push(String(message)))
      const { exit } = simulate(1, Effect.provide(program, Logger.layer([logger])))
      if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
    }
  )

  it.each(["cluster", "topic", "place beside a topic"] as const)(
    "fails again and again with something in hand has one of it open, of a %s",
    (what) => {
      const open = { now: 0, ever: 0 }
      const taken = Effect.acquireRelease(
        Effect.sync(() => void (open.ever++, open.now++)),
        () => Effect.sync(() => void open.now--)
      )
      const unavailable = new TransportError({
        reason: "Unavailable",
        transport: "memory",
        operation: "open",
        detail: "not yet"
      })
      let failures = 0
      const trying = <A>(opening: Effect.Effect<A, TransportError, Scope.Scope>) =>
        Effect.suspend(() => (failures++ < 8 ? Effect.fail(unavailable) : opening))
      const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
      const far: Driver = {
        ...inner,
        open: (...given) => {
          const opening = inner.open(...given)
          const connected = what === "cluster" ? Effect.andThen(taken, trying(opening)) : opening
          return Effect.map(connected, (one) => ({
            ...one,
            openWriter: (topic) => {
              if (what === "cluster") return one.openWriter(topic)
              return Effect.andThen(taken, what === "topic" ? trying(one.openWriter(topic)) : one.openWriter(topic))
            }
          }))
        }
      }
      const near = changed(memoryDriver(new MemoryBroker({ partitions: 1 })), ({ openWriter }) => ({
        openWriter: (topic) => (what === "place beside a topic" ? trying(openWriter(topic)) : openWriter(topic))
      }))
      const document = {
        version: 1,
        clusters: { far: { transport: "memory" }, near: { transport: "near" } },
        policies: { leg: [{ on: ["passing"], then: "fallback" }] },
        routes: [
          {
            match: { stream: "*" },
            to: [{ cluster: "far", topic: "notes", policy: "leg", fallback: { cluster: "near", back: "stay" } }]
          }
        ]
      }
      const program = Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: document, drivers: [far, { ...near, name: "near" }] })
        yield* leat.stream(noteContract())
        expect(failures).toBe(9)
        expect(open).toEqual({ now: 1, ever: 9 })
      }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
      const { exit } = simulate(1, program)
      if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
      expect(open.now).toBe(0)
    }
  )

  it.each(["open", "openWriter"] as const)("throws in %s has its stream fail with a TransportError", (call) => {
    const thrown = () => {
      throw new Error("boom")
    }
    const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
    const bad = call === "open" ? { ...inner, open: thrown } : changed(inner, () => ({ openWriter: thrown }))
    const document = {
      version: 1,
      clusters: { bad: { transport: "memory" } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "bad", topic: "notes" }] }]
    }
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", routes: document, drivers: [bad] })
      const error = yield* Effect.flip(leat.stream(noteContract()))
      expect(error).toMatchObject({ _tag: "TransportError", reason: "Unsupported", operation: call })
      expect(error.message).toContain("the driver broke: ")
      expect(error.message).toContain("boom")
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
    const { exit } = simulate(1, program)
    if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  })
})
