import { Cause, Clock, Deferred, Effect, Exit, Fiber, Logger, References, Scope, Stream } from "effect"
import {
  type Driver,
  Leat,
  MemoryBroker,
  memoryDriver,
  memoryTransport,
  type OpenLeat,
  readMeta,
  TransportError
} from "leat"
import type { Transport } from "leat/transport"
import { open } from "leat/promise"
import { faultDriver, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { monotonicMs } from "../src/Wake.ts"
import { noteContract } from "./contracts/Note.js"

/** Runs a story on virtual time, and fails as it does. */
function story<E>(program: Effect.Effect<void, E, Scope.Scope>, seed = 1): void {
  const quiet = program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
  const { exit } = simulate(seed, quiet)
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
}

const nowMs = Effect.map(Clock.Clock, monotonicMs)
const failure = (reason: TransportError["reason"]) =>
  new TransportError({ reason, transport: "away", operation: "openWriter", detail: "refused" })

/** A driver called `away`: nobody answers when a topic is opened. */
const awayDriver = (): Driver => {
  const inner = memoryDriver(new MemoryBroker())
  return {
    ...inner,
    name: "away",
    open: (cluster, config) =>
      Effect.map(inner.open(cluster, config), (transport) => ({
        ...transport,
        openWriter: () => Effect.fail(failure("Unavailable"))
      }))
  }
}

const twoClusters = {
  version: 1,
  clusters: { main: { transport: "memory" }, away: { transport: "away" } },
  routes: [
    { match: { stream: "far.*" }, to: [{ cluster: "away", topic: "{stream}", timeout: "2 seconds" }] },
    { match: { stream: "*" }, to: [{ cluster: "main", topic: "{stream}" }] }
  ]
}

const closedOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof TransportError ? error.reason : error
}

describe("opening", () => {
  it("fails as any other where its driver breaks when it is asked for partitions, and the next one works", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryDriver(new MemoryBroker())
        let asked = 0
        const breaking: Driver = {
          ...inner,
          open: (...opening) =>
            Effect.map(inner.open(...opening), (transport) => ({
              ...transport,
              partitionsOf: (topic) =>
                asked++ < 400 ? Effect.die(new Error("not today")) : transport.partitionsOf(topic)
            }))
        }
        const leat = yield* Leat.make({ source: "test", drivers: [breaking] })
        const error = yield* Effect.flip(leat.stream(noteContract()))
        expect(error).toMatchObject({ _tag: "TransportError" })
        expect(error.message).toContain("not today")
        asked = 400
        yield* leat.stream(noteContract())
      })
    ))

  it("of a stream whose cluster does not answer keeps no other stream, transport or table waiting", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: twoClusters, drivers: [awayDriver()] })
        const far = yield* Effect.forkChild(Effect.exit(leat.stream(noteContract({ stream: "far.notes" }))))
        yield* Effect.sleep(100)
        const beforeMs = yield* nowMs
        const near = yield* leat.stream(noteContract())
        yield* leat.transport("main")
        yield* leat.swapRoutes({ ...twoClusters, version: 2 })
        expect(yield* nowMs).toBe(beforeMs)
        yield* near.publish({ key: "k", text: "1" })
        expect(closedOf(yield* Fiber.join(far))).toBe("Unavailable")
        expect((yield* nowMs) - beforeMs).toBe(29_900)
      })
    ))

  it("puts no table in force once it is closed, and says so", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const leat = yield* Scope.provide(
          Leat.make({ source: "test", routes: twoClusters, drivers: [awayDriver()] }),
          scope
        )
        yield* Scope.close(scope, Exit.void)
        const error = yield* Effect.flip(leat.swapRoutes({ ...twoClusters, version: 2 }))
        expect(error.message).toMatch(/the leat is closed/)
        expect(leat.routes().version).toBe(1)
      })
    ))

  it("may take longer than a send: a cluster that is just starting creates the topic in its own time", () =>
    story(
      Effect.gen(function* () {
        const startMs = yield* nowMs
        const inner = memoryDriver(new MemoryBroker())
        const starting = <A, R>(effect: Effect.Effect<A, TransportError, R>) =>
          Effect.flatMap(nowMs, (ms) => (ms - startMs < 20_000 ? Effect.fail(failure("Unavailable")) : effect))
        const cold: Driver = {
          ...inner,
          name: "away",
          open: (cluster, config) =>
            Effect.map(inner.open(cluster, config), (transport) => ({
              ...transport,
              openWriter: (topic) => starting(transport.openWriter(topic))
            }))
        }
        const leat = yield* Leat.make({ source: "test", routes: twoClusters, drivers: [cold] })
        const notes = yield* leat.stream(noteContract({ stream: "far.notes" }))
        yield* notes.publish({ key: "k", text: "1" })
        expect((yield* nowMs) - startMs).toBeGreaterThanOrEqual(20_000)
      })
    ))

  it("fails for everybody who waits, and may be tried again", () =>
    story(
      Effect.gen(function* () {
        let tries = 0
        const inner = memoryDriver(new MemoryBroker())
        const driver: Driver = {
          ...inner,
          open: (cluster, config) =>
            Effect.suspend(() => (++tries < 2 ? Effect.fail(failure("Unauthorized")) : inner.open(cluster, config)))
        }
        const leat = yield* Leat.make({ source: "test", drivers: [driver] })
        const both = [leat.stream(noteContract()), leat.stream(noteContract())]
        const exits = yield* Effect.all(both.map(Effect.exit), { concurrency: "unbounded" })
        expect(exits.map(closedOf)).toEqual(["Unauthorized", "Unauthorized"])
        expect(tries).toBe(1)
        const [one, two] = yield* Effect.all(both, { concurrency: "unbounded" })
        expect(one).toBe(two)
        expect(tries).toBe(2)
      })
    ))

  it("goes on for the second caller when the first gives up", () =>
    story(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const inner = memoryDriver(new MemoryBroker())
        let opened = 0
        const driver: Driver = {
          ...inner,
          open: (cluster, config) =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.tap(inner.open(cluster, config), () => Effect.sync(() => opened++))
            )
        }
        const leat = yield* Leat.make({ source: "test", drivers: [driver] })
        const first = yield* Effect.forkChild(leat.stream(noteContract()))
        const second = yield* Effect.forkChild(leat.stream(noteContract()))
        yield* Effect.sleep(1)
        yield* Fiber.interrupt(first)
        yield* Deferred.succeed(gate, undefined)
        yield* (yield* Fiber.join(second)).publish({ key: "k", text: "1" })
        expect(opened).toBe(1)
      })
    ))

  it("gives one stream for one contract, and refuses another contract under its name", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test" })
        const notes = yield* leat.stream(noteContract())
        expect(yield* leat.stream(noteContract())).toBe(notes)
        for (const other of [{ name: "test.Other" }, { buckets: 16 }, { unordered: true }, { compacted: true }]) {
          const error = yield* Effect.flip(leat.stream(noteContract(other)))
          expect(error._tag).toBe("RouteError")
          expect(error.message).toMatch(
            /^stream test\.notes is open with the contract test\.Note\b.*; a stream has one contract, and not /
          )
        }
      })
    ))

  it("refuses the second of two contracts that are opened at the same time under one name", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test" })
        const contracts = [noteContract(), noteContract({ name: "test.Other" })]
        const exits = yield* Effect.all(
          contracts.map((contract) => Effect.exit(leat.stream(contract))),
          { concurrency: "unbounded" }
        )
        expect(exits.map(Exit.isSuccess)).toEqual([true, false])
      })
    ))
})

describe("a best-effort leg whose cluster is away", () => {
  const routes = {
    version: 1,
    clusters: { main: { transport: "memory" }, away: { transport: "away" } },
    routes: [
      {
        match: { stream: "*" },
        to: [
          { cluster: "main", topic: "{stream}" },
          { cluster: "away", topic: "archive", required: false }
        ]
      }
    ]
  }

  /** The cluster is there from the time on that its broker is. */
  const until = (isThere: () => boolean, broker: MemoryBroker): Driver => {
    const inner = memoryDriver(broker)
    return {
      ...inner,
      name: "away",
      open: (cluster, config) =>
        Effect.suspend(() => (isThere() ? inner.open(cluster, config) : Effect.fail(failure("Unavailable"))))
    }
  }

  it.each([
    ["cluster", until(() => false, new MemoryBroker())],
    ["topic", awayDriver()]
  ])("says why its %s is not open as soon as that is known", (_, driver) =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes, drivers: [driver] })
        yield* leat.stream(noteContract())
        // The first attempt lasts for half a minute.
        yield* Effect.sleep("3 seconds")
        expect(leat.sinks().at(-1)?.closed).toBe("away openWriter: Unavailable: refused")
        yield* Effect.sleep("1 minute")
        expect(leat.sinks().at(-1)?.closed).toBe("away openWriter: Unavailable: refused")
      })
    )
  )

  const unauthorized: Driver = { ...awayDriver(), open: () => Effect.fail(failure("Unauthorized")) }

  it.each([
    ["cluster", until(() => false, new MemoryBroker()), "the cluster away is not open yet, and is tried again: "],
    ["topic", awayDriver(), "away/archive is not open yet, and is tried again: "],
    ["right", unauthorized, "the best-effort sink away/archive is not open, and is tried again: "]
  ])("is told of once, whatever of it is not there: its %s", (_, driver, words) => {
    const told: Array<string> = []
    const logger = Logger.make(({ message }) => void told.push(String(message)))
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", routes, drivers: [driver] })
      yield* leat.stream(noteContract())
      yield* Effect.sleep("5 minutes")
    })
    const { exit } = simulate(1, program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
    expect(exit).toEqual(Exit.void)
    expect([...new Set(told)]).toEqual([expect.stringContaining(words)])
  })

  it("opens its stream without it, counts what it would have taken, and joins with its first record saying so", () =>
    story(
      Effect.gen(function* () {
        const archive = new MemoryBroker({ partitions: 1 })
        let isThere = false
        const leat = yield* Leat.make({ source: "test", routes, drivers: [until(() => isThere, archive)] })
        const startMs = yield* nowMs
        const notes = yield* leat.stream(noteContract())
        expect((yield* nowMs) - startMs).toBeLessThanOrEqual(2000)
        yield* notes.publish({ key: "k", text: "1" })
        yield* notes.publish({ key: "k", text: "2" })
        yield* Effect.sleep("40 seconds")
        expect(leat.sinks().at(-1)).toEqual({
          sink: "away/archive",
          bufferedBytes: 0,
          bufferBytesMax: 32 * 1024 * 1024,
          closed: "away openWriter: Unavailable: refused"
        })
        isThere = true
        yield* Effect.sleep("1 minute")
        expect(leat.sinks().map(({ closed }) => closed)).toEqual([undefined, undefined])
        yield* notes.publish({ key: "k", text: "3" })
        yield* leat.flush
        const [main, away] = leat.ledger.snapshot().legs
        expect(main).toMatchObject({ admitted: 3, stored: 3, balanced: true })
        expect(away).toMatchObject({ admitted: 3, stored: 1, dropped: { Unavailable: 2 }, balanced: true })
        expect(leat.ledger.snapshot().balanced).toBe(true)
        const kept = yield* Stream.runCollect(memoryTransport(archive).read("archive", 0, { fromPosition: 0n }))
        const metas = Array.from(kept).flatMap(({ records }) =>
          records.map(({ headers }) => readMeta(headers, "test.notes"))
        )
        expect(metas.map(({ id, dropped }) => [id?.seq, dropped])).toEqual([
          [2, [{ bucket: metas[0]?.id?.bucket, from: 0, to: 2, reason: "Unavailable" }]]
        ])
      })
    ))

  it("cannot become required before it is open: what is published would seem to be stored there", () =>
    story(
      Effect.gen(function* () {
        let isThere = false
        const driver = until(() => isThere, new MemoryBroker({ partitions: 1 }))
        const leat = yield* Leat.make({ source: "test", routes, drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        const [route] = routes.routes
        const to = route?.to.map((leg) => ({ ...leg, required: true }))
        const required = { ...routes, version: 2, routes: [{ ...route, to }] }
        const error = yield* Effect.flip(leat.swapRoutes(required))
        expect(error.message).toMatch(/^routes\[0\]\.to\[1\]: away\/archive cannot be opened: .*Unavailable/)
        expect(leat.routes().version).toBe(1)
        isThere = true
        yield* Effect.sleep("1 minute")
        yield* leat.swapRoutes(required)
        expect(yield* Effect.flatMap(notes.publish({ key: "k", text: "1" }), ({ outcome }) => outcome)).toMatchObject({
          stored: 2
        })
      })
    ))

  it("opens with the settings of the table in force, not with those that it was first asked for with", () =>
    story(
      Effect.gen(function* () {
        let isThere = false
        const away = writersOf("away", (transport, topic) =>
          isThere ? transport.openWriter(topic) : Effect.fail(failure("Unavailable"))
        )
        const documentOf = (version: number, bytes: number) => ({
          version,
          clusters: { main: { transport: "memory" }, away: { transport: "away" } },
          routes: [
            {
              match: { stream: "*" },
              to: [
                { cluster: "main", topic: "notes", read: true },
                { cluster: "away", topic: "notes", required: false, timeout: "1 second", buffer: { bytes } }
              ]
            }
          ]
        })
        const leat = yield* Leat.make({ source: "test", routes: documentOf(1, 65_536), drivers: [away] })
        yield* leat.stream(noteContract())
        const bufferOf = () => leat.sinks().find(({ sink }) => sink === "away/notes")?.bufferBytesMax
        yield* Effect.sleep(1000)
        yield* leat.swapRoutes(documentOf(2, 131_072))
        expect(bufferOf()).toBe(131_072)
        isThere = true
        yield* Effect.sleep(60_000)
        expect(leat.sinks().every(({ closed }) => closed === undefined)).toBe(true)
        expect(bufferOf()).toBe(131_072)
      })
    ))

  it("joins when another stream opens its sink, and does not wait for its own next try", () =>
    story(
      Effect.gen(function* () {
        let isThere = false
        const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
        const driver: Driver = {
          ...inner,
          name: "away",
          open: (cluster, config) =>
            Effect.map(inner.open(cluster, config), (transport) => ({
              ...transport,
              openWriter: (topic) =>
                Effect.suspend(() => (isThere ? transport.openWriter(topic) : Effect.fail(failure("Unauthorized"))))
            }))
        }
        const [route] = routes.routes
        const to = route?.to.map((leg) => ({ ...leg, wire: "cloudevents" }))
        const far = { match: { stream: "far.*" }, to: [{ cluster: "away", topic: "archive", wire: "cloudevents" }] }
        const leat = yield* Leat.make({
          source: "test",
          routes: { ...routes, routes: [far, { ...route, to }] },
          drivers: [driver]
        })
        const notes = yield* leat.stream(noteContract())
        yield* Effect.sleep("70 seconds")
        isThere = true
        yield* leat.stream(noteContract({ stream: "far.notes" }))
        yield* Effect.sleep(1)
        yield* notes.publish({ key: "k", text: "1" })
        expect(leat.sinks().map(({ sink, closed }) => [sink, closed])).toEqual([
          ["main/test.notes", undefined],
          ["away/archive", undefined]
        ])
        yield* leat.flush
        expect(leat.ledger.snapshot().legs[1]).toMatchObject({ admitted: 1, stored: 1, dropped: {} })
      })
    ))

  it("is there for all streams that wait for it", () =>
    story(
      Effect.gen(function* () {
        let isUp = false
        const apart = { ...routes.routes[0], to: routes.routes[0]?.to.map((leg) => ({ ...leg, wire: "cloudevents" })) }
        const leat = yield* Leat.make({
          source: "test",
          routes: { ...routes, routes: [apart] },
          drivers: [memoryDriver(new MemoryBroker({ partitions: 1 })), until(() => isUp, new MemoryBroker())]
        })
        const names = ["test.one", "test.two", "test.three"]
        const streams = yield* Effect.forEach(names, (stream) => leat.stream(noteContract({ stream })))
        isUp = true
        yield* Effect.sleep("1 minute")
        for (const notes of streams) yield* notes.publish({ key: "k", text: "1" })
        yield* leat.flush
        const { legs } = leat.ledger.snapshot()
        const stored = legs.filter(({ sink }) => sink === "away/archive").map((leg) => [leg.stream, leg.stored])
        expect(stored).toEqual(names.map((name) => [name, 1]))
      })
    ))

  it("is opened for the stream that can use it, although another cannot", () =>
    story(
      Effect.gen(function* () {
        const apart = { ...routes.routes[0], to: routes.routes[0]?.to.map((leg) => ({ ...leg, wire: "cloudevents" })) }
        const leat = yield* Leat.make({
          source: "test",
          routes: { ...routes, routes: [apart] },
          drivers: [
            memoryDriver(new MemoryBroker({ partitions: 1 })),
            until(() => true, new MemoryBroker({ partitions: 3 }))
          ]
        })
        const eight = yield* leat.stream(noteContract({ stream: "test.eight", buckets: 8 }))
        const nine = yield* leat.stream(noteContract({ stream: "test.nine", buckets: 9 }))
        yield* Effect.sleep("1 minute")
        for (const notes of [eight, nine]) yield* notes.publish({ key: "k", text: "1" })
        yield* leat.flush
        const rowOf = (name: string) =>
          leat.ledger.snapshot().legs.find(({ sink, stream }) => sink === "away/archive" && stream === name)
        expect(rowOf("test.nine")).toMatchObject({ admitted: 1, stored: 1 })
        expect(rowOf("test.eight")).toMatchObject({ admitted: 1, stored: 0, dropped: { Unsupported: 1 } })
      })
    ))

  it("is there from the first event on when its cluster is well", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes, drivers: [until(() => true, new MemoryBroker())] })
        const notes = yield* leat.stream(noteContract())
        yield* notes.publish({ key: "k", text: "1" })
        yield* leat.flush
        expect(leat.ledger.snapshot().legs.map(({ stored }) => stored)).toEqual([1, 1])
      })
    ))

  it("keeps nobody waiting longer than its patience when it does not answer at all, and is given up when the leat closes", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const hanging: Driver = { ...awayDriver(), open: () => Effect.never }
        const leat = yield* Scope.provide(Leat.make({ source: "test", routes, drivers: [hanging] }), scope)
        const startMs = yield* nowMs
        const notes = yield* leat.stream(noteContract())
        yield* leat.stream(noteContract({ stream: "test.others", name: "test.Other" })).pipe(Effect.flip)
        expect((yield* nowMs) - startMs).toBe(2000)
        yield* notes.publish({ key: "k", text: "1" })
        yield* Scope.close(scope, Exit.void)
        expect((yield* nowMs) - startMs).toBeLessThan(2100)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))
})

/** A driver over a memory broker of its own whose writers open, and close, in their own time. */
const writersOf = (
  name: string,
  openWriter: (transport: Transport, topic: string) => ReturnType<Transport["openWriter"]>
): Driver => {
  const inner = memoryDriver(new MemoryBroker())
  return {
    ...inner,
    name,
    open: (cluster, config) =>
      Effect.map(inner.open(cluster, config), (transport) => ({
        ...transport,
        openWriter: (topic) => openWriter(transport, topic)
      }))
  }
}

describe("a stream that somebody gave up waiting for", () => {
  const slow = writersOf("slow", (transport, topic) => Effect.delay(transport.openWriter(topic), 1000))
  const documentOf = (version: number, cluster: string) => ({
    version,
    clusters: { slow: { transport: "slow" }, other: { transport: "memory" } },
    routes: [{ match: { stream: "*" }, to: [{ cluster, topic: "{stream}" }] }]
  })

  it("is known while others wait: it may not be moved, nor be given to another contract", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: documentOf(1, "slow"), drivers: [slow] })
        const first = yield* Effect.forkChild(leat.stream(noteContract()))
        const second = yield* Effect.forkChild(leat.stream(noteContract()))
        yield* Effect.sleep(100)
        yield* Fiber.interrupt(first)
        yield* Fiber.join(second)
        const moved = yield* Effect.flip(leat.swapRoutes(documentOf(2, "other")))
        expect(moved.message).toContain("stream test.notes is open and would move")
        const other = yield* Effect.flip(leat.stream(noteContract({ name: "test.Other" })))
        expect(other.message).toContain("is open with the contract test.Note")
      })
    ))

  it("by the only caller, at whichever step, is open or forgotten", () => {
    for (let run = 0; run < 400; run++)
      story(
        Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test" })
          const first = yield* Effect.forkChild(leat.stream(noteContract()))
          for (let step = 0; step < run % 50; step++) yield* Effect.yieldNow
          yield* Fiber.interrupt(first)
          const isOpen = leat.sinks().length > 0
          const notes = yield* leat.stream(noteContract(isOpen ? {} : { name: "test.Other" }))
          yield* notes.publish({ key: "k", text: "1" })
          expect(leat.sinks()).toHaveLength(1)
        }),
        run + 1
      )
  })

  it("by the first of two, at whichever step, is a good one for the second", () => {
    for (let run = 0; run < 1200; run++) {
      const [before, between, seed] = [run % 15, Math.floor(run / 15) % 4, 1 + Math.floor(run / 60)]
      story(
        Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test" })
          const first = yield* Effect.forkChild(leat.stream(noteContract()))
          for (let step = 0; step < before; step++) yield* Effect.yieldNow
          const second = yield* Effect.forkChild(leat.stream(noteContract()))
          for (let step = 0; step < between; step++) yield* Effect.yieldNow
          yield* Fiber.interrupt(first)
          yield* (yield* Fiber.join(second)).publish({ key: "k", text: "1" })
          expect(leat.sinks()).toHaveLength(1)
        }),
        seed
      )
    }
  })

  it("is opened again after what it had opened has closed: of a sink no two are there at once", () =>
    story(
      Effect.gen(function* () {
        let openings = 0
        const near = writersOf("near", (transport, topic) =>
          Effect.andThen(
            Effect.addFinalizer(() => Effect.sleep(1000)),
            transport.openWriter(topic)
          )
        )
        const far = writersOf("far", (transport, topic) =>
          Effect.andThen(openings++ === 0 ? Effect.never : Effect.sleep(2000), transport.openWriter(topic))
        )
        const routes = {
          version: 1,
          clusters: { near: { transport: "near" }, far: { transport: "far" } },
          routes: [
            {
              match: { stream: "*" },
              to: ["near", "far"].map((cluster) => ({ cluster, topic: "notes", read: cluster === "far" }))
            }
          ]
        }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [near, far] })
        const first = yield* Effect.forkChild(leat.stream(noteContract()))
        yield* Effect.sleep(100)
        yield* Effect.forkChild(Fiber.interrupt(first))
        yield* Effect.sleep(100)
        const notes = yield* leat.stream(noteContract())
        const { outcome } = yield* notes.publish({ key: "k", text: "1" })
        expect(yield* outcome).toMatchObject({ stored: 2, dropped: {} })
        expect(
          leat
            .sinks()
            .map(({ sink }) => sink)
            .toSorted()
        ).toEqual(["far/notes", "near/notes"])
      })
    ))

  it("leaves a best-effort leg of another stream the sink that both use", () =>
    story(
      Effect.gen(function* () {
        const never = writersOf("never", () => Effect.never)
        const shared = { cluster: "main", topic: "shared", wire: "cloudevents" }
        const routes = {
          version: 1,
          clusters: { never: { transport: "never" }, main: { transport: "memory" } },
          routes: [
            {
              match: { stream: "one" },
              to: [
                { ...shared, read: true },
                { cluster: "never", topic: "one" }
              ]
            },
            {
              match: { stream: "two" },
              to: [
                { cluster: "main", topic: "two", read: true },
                { ...shared, required: false }
              ]
            }
          ]
        }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [never] })
        const first = yield* Effect.forkChild(leat.stream(noteContract({ stream: "one" })))
        yield* Effect.sleep(100)
        const two = yield* leat.stream(noteContract({ stream: "two" }))
        yield* Fiber.interrupt(first)
        yield* two.publish({ key: "k", text: "1" })
        yield* leat.flush
        expect(leat.ledger.snapshot().legs).toMatchObject([
          { stored: 1 },
          { sink: "main/shared", admitted: 1, stored: 1 }
        ])
      })
    ))
})

describe("streams that meet in one topic", () => {
  const shared = (wire: string) => ({
    version: 1,
    clusters: { local: { transport: "memory" } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "shared", wire }] }]
  })
  const others = noteContract({ stream: "test.others", name: "test.Other" })

  it("are refused with wire compact when the second is opened: their ids would be the same", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: shared("compact") })
        yield* leat.stream(noteContract())
        const error = yield* Effect.flip(leat.stream(others))
        expect(error.message).toBe(
          "routes[0].to[0].topic: streams test.notes and test.others meet in topic local/shared with wire compact; use {stream} in the topic, or wire cloudevents"
        )
        const later = yield* Effect.flip(leat.stream(others))
        expect(later.message).toBe(error.message)
      })
    ))

  it("share it with wire cloudevents, each with its own lane and its own events", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: shared("cloudevents") })
        const notes = yield* leat.stream(noteContract())
        const other = yield* leat.stream(others)
        const seen: Array<string> = []
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(`note ${text}`)))
        yield* other.handle("h", ({ text }) => Effect.sync(() => void seen.push(`other ${text}`)))
        yield* notes.publish({ key: "k", text: "1" })
        yield* other.publish({ key: "k", text: "2" })
        yield* Effect.sleep(1000)
        expect(seen.toSorted()).toEqual(["note 1", "other 2"])
      })
    ))

  it("may be opened after a stream that could not be, and for which nothing was created", () =>
    story(
      Effect.gen(function* () {
        const broker = new MemoryBroker({ partitions: 3 })
        const leat = yield* Leat.make({ source: "test", routes: shared("compact"), drivers: [memoryDriver(broker)] })
        const refused = yield* Effect.flip(leat.stream(noteContract()))
        expect(refused.message).toContain("3 partitions")
        expect(broker.topics).toEqual([])
        yield* leat.stream(noteContract({ ...others, buckets: 6 }))
      })
    ))
})

/** What each way to open something says once `leat` is closing. */
const whatOpens = (leat: OpenLeat) =>
  Effect.all([
    Effect.map(Effect.exit(leat.stream(noteContract())), closedOf),
    Effect.map(Effect.exit(leat.stream(noteContract({ stream: "test.later" }))), closedOf),
    Effect.map(Effect.exit(leat.transport("memory")), closedOf)
  ])

describe("closing", () => {
  it("refuses what is opened while it drains and afterwards, and ends what is being opened", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const hanging: Driver = { ...awayDriver(), open: () => Effect.never }
        const slow = faultDriver(memoryDriver(new MemoryBroker()), { send: () => ({ kind: "delay", ms: 1000 }) })
        const leat = yield* Scope.provide(
          Leat.make({
            source: "test",
            routes: { ...twoClusters, clusters: { ...twoClusters.clusters, memory: { transport: "memory" } } },
            drivers: [slow, hanging]
          }),
          scope
        )
        const notes = yield* leat.stream(noteContract())
        notes.offer({ key: "k", text: "1" })
        const far = yield* Effect.forkChild(Effect.exit(leat.stream(noteContract({ stream: "far.notes" }))))
        yield* Effect.sleep(10)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep(10)
        expect(closedOf(yield* Fiber.join(far))).toBe("Closed")
        expect(yield* whatOpens(leat)).toEqual(["Closed", "Closed", "Closed"])
        expect(notes.offer({ key: "k", text: "2" })).toEqual({ admitted: false, reason: "closed" })
        yield* Fiber.join(closing)
        expect(yield* whatOpens(leat)).toEqual(["Closed", "Closed", "Closed"])
        expect(notes.offer({ key: "k", text: "3" })).toEqual({ admitted: false, reason: "closed" })
        expect(leat.ledger.snapshot().legs[0]).toMatchObject({ stored: 1 })
      })
    ))

  it("drains all sinks at the same time", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const dead = faultDriver(memoryDriver(new MemoryBroker()), { send: () => ({ kind: "delay", ms: 100_000 }) })
        const leat = yield* Scope.provide(Leat.make({ source: "test", drivers: [dead], drain: "5 seconds" }), scope)
        for (let index = 0; index < 4; index++) {
          const notes = yield* leat.stream(noteContract({ stream: `test.notes${index}` }))
          notes.offer({ key: "k", text: "1" })
        }
        yield* Effect.sleep(1000)
        const beforeMs = yield* nowMs
        yield* Scope.close(scope, Exit.void)
        expect((yield* nowMs) - beforeMs).toBe(5000)
        expect(leat.ledger.snapshot().legs.map(({ dropped }) => dropped)).toEqual(
          Array.from({ length: 4 }, () => ({ closed: 1 }))
        )
      })
    ))

  it("waits for the same end, however often it is called", async () => {
    const broker = new MemoryBroker({ partitions: 1 })
    const slow = faultDriver(memoryDriver(broker), { send: () => ({ kind: "delay", ms: 50 }) })
    const leat = await open({ source: "test", drivers: [slow] })
    const notes = await leat.stream(noteContract())
    notes.offer({ key: "k", text: "1" })
    const first = leat.close()
    await leat.close()
    expect(broker.topic("test.notes").partitions[0]?.end).toBe(1n)
    await first
  })
})
