import { Effect, Exit, Fiber, Result, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, TransportError } from "leat"
import { faultDriver, PowerLossBroker, powerLossDriver, type SendFault } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { Cluster, documentOf, main, mirror, openMirrored, rowOf } from "./mirrors.js"
import { big, note, stored, story } from "./stories.js"

const away: SendFault = { kind: "fail", reason: "Unavailable" }
/** The cluster takes nothing until it is let. */
function cut(cluster: Cluster): () => void {
  let isAway = true
  cluster.faults = { send: () => (isAway ? away : undefined) }
  return () => {
    isAway = false
  }
}
const textsOf = (cluster: Cluster, topic: string) =>
  Effect.map(stored(cluster.broker, topic), (records) => records.map(({ text }) => text))

describe("a leg that a table removes", () => {
  it("sends on what it has, is closed then, and stays in the ledger", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, mirror])
        const heal = cut(far)
        const told = yield* Effect.forEach(["1", "2", "3"], (text) =>
          notes.publish(note("k", text), { level: "queued" })
        )
        yield* leat.swapRoutes(documentOf(2, [main]))
        yield* Effect.timeout(notes.publish(note("k", "4")), 100)
        yield* Effect.sleep("3 hours")
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 3, stored: 0, balanced: true })
        expect([far.count("close"), leat.sinks().length]).toEqual([0, 2])
        heal()
        for (const { outcome } of told) expect(yield* outcome).toMatchObject({ stored: 2 })
        yield* Effect.sleep("1 second")
        expect(yield* textsOf(far, "copies")).toEqual(["1", "2", "3"])
        expect([far.count("close"), leat.sinks().length]).toEqual([1, 1])
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 3, stored: 3, balanced: true })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("has no linger any more", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, { ...mirror, linger: "20 seconds" }])
        notes.offer(note("k", "1"))
        yield* leat.swapRoutes(documentOf(2, [main]))
        yield* Effect.sleep("1 second")
        expect([yield* textsOf(far, "copies"), far.count("close")]).toEqual([["1"], 1])
      })
    ))

  it("lets publishers go that waited for its room", () =>
    story(
      Effect.gen(function* () {
        const narrow = { ...mirror, buffer: { bytes: 65_536 }, batch: { bytes: 4096 }, linger: "0 millis" }
        const { leat, notes, far } = yield* openMirrored([main, narrow])
        cut(far)
        const publishing = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 30 }), (_, at) => notes.publish(big(String(at)), { level: "queued" }))
        )
        yield* Effect.sleep(10)
        expect(leat.ledger.snapshot().streams[0]?.waiting).toBe(1)
        yield* leat.swapRoutes(documentOf(2, [main]))
        yield* Effect.timeout(Fiber.join(publishing), 100)
        expect(leat.ledger.snapshot().streams[0]).toMatchObject({ admitted: 30, waiting: 0, balanced: true })
      })
    ))

  it("goes on where it was when it is added again while it drains: nothing is lost, and nothing overtakes", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, mirror])
        const heal = cut(far)
        const offer = (text: string) => expect(notes.offer(note("k", text)).admitted).toBe(true)
        offer("1")
        yield* leat.swapRoutes(documentOf(2, [main]))
        offer("2")
        yield* leat.swapRoutes(documentOf(3, [main, mirror]))
        offer("3")
        yield* leat.swapRoutes(documentOf(4, [main]))
        yield* leat.swapRoutes(documentOf(5, [main, mirror]))
        offer("4")
        heal()
        yield* leat.flush
        yield* Effect.sleep("1 minute")
        offer("5")
        yield* leat.flush
        expect(yield* textsOf(far, "copies")).toEqual(["1", "3", "4", "5"])
        expect([far.count("open"), far.count("close")]).toEqual([1, 0])
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 4, stored: 4, balanced: true })
        expect(leat.ledger.snapshot()).toMatchObject({ balanced: true, legs: { length: 2 } })
      })
    ))

  it("is opened anew when it is added again later, and has the ledger that it had", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, mirror])
        for (let version = 2; version < 8; version++) {
          yield* notes.publish(note("k", String(version)))
          yield* leat.swapRoutes(documentOf(version, version % 2 === 0 ? [main] : [main, mirror]))
          yield* Effect.sleep(version < 5 ? "1 second" : 0)
        }
        yield* notes.publish(note("k", "8"))
        yield* leat.flush
        expect(yield* textsOf(far, "copies")).toEqual(["2", "4", "6", "8"])
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 4, stored: 4, balanced: true })
        expect(leat.ledger.snapshot()).toMatchObject({ balanced: true, legs: { length: 2 } })
      })
    ))

  it("counts what it cannot take while it is still closing, where it comes back as best effort", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, mirror])
        yield* notes.publish(note("k", "first"))
        far.closing = Effect.sleep("5 seconds")
        yield* leat.swapRoutes(documentOf(2, [main]))
        yield* Effect.sleep("1 second")
        yield* leat.swapRoutes(documentOf(3, [main, { ...mirror, required: false }]))
        yield* notes.publish(note("k", "missed"))
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 2, stored: 1, dropped: { Unavailable: 1 } })
        yield* Effect.sleep("10 seconds")
        yield* notes.publish(note("k", "last"))
        yield* leat.flush
        const kept = yield* stored(far.broker, "copies")
        expect(kept.map(({ text, dropped }) => [text, dropped.length])).toEqual([
          ["first", 0],
          ["last", 1]
        ])
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("is no longer tried where it was best effort and away", () =>
    story(
      Effect.gen(function* () {
        const { leat, far } = yield* openMirrored()
        const no = { reason: "Unauthorized", transport: "far", operation: "openWriter", detail: "no" } as const
        far.opening = Effect.fail(new TransportError(no))
        yield* leat.swapRoutes(documentOf(2, [main, { ...mirror, required: false }]))
        yield* Effect.sleep("5 minutes")
        yield* leat.swapRoutes(documentOf(3, [main]))
        yield* Effect.sleep(10)
        const asked = far.count("writer")
        expect([leat.sinks().length, far.count("close")]).toEqual([1, far.count("open")])
        yield* Effect.sleep("1 hour")
        expect(far.count("writer")).toBe(asked)
      })
    ))

  it("takes its sink from no other stream", () =>
    story(
      Effect.gen(function* () {
        const shared = { ...mirror, wire: "cloudevents" }
        const both = (version: number, more: ReadonlyArray<object>) => ({
          ...documentOf(version, []),
          routes: [
            { match: { stream: "test.notes" }, to: [main, ...more] },
            { match: { stream: "*" }, to: [{ ...main, topic: "others" }, shared] }
          ]
        })
        const { leat, notes, far } = yield* openMirrored([main, shared], { routes: both(1, [shared]).routes })
        const other = yield* leat.stream(noteContract({ stream: "other" }))
        yield* notes.publish(note("k", "1"))
        yield* leat.swapRoutes(both(2, []))
        yield* Effect.sleep("1 second")
        yield* notes.publish(note("k", "2"))
        yield* other.publish(note("k", "3"))
        expect([far.count("writer"), far.count("close")]).toEqual([1, 0])
        expect((yield* stored(far.broker, "copies")).map(({ text }) => text)).toEqual(["1", "3"])
      })
    ))

  it("does not keep a leat from closing: what is left then is counted as dropped", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { leat, notes, far } = yield* Scope.provide(openMirrored([main, mirror]), scope)
        cut(far)
        notes.offer(note("k", "1"))
        yield* leat.swapRoutes(documentOf(2, [main]))
        yield* Effect.sleep("1 minute")
        const closing = yield* Effect.exit(Effect.timeout(Scope.close(scope, Exit.void), "70 seconds"))
        expect(Exit.isSuccess(closing)).toBe(true)
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 1, dropped: { closed: 1 }, balanced: true })
        expect(far.count("close")).toBe(1)
      })
    ))

  it.each([
    { standIn: "a spill", leg: { spill: { cluster: "disk" } }, then: "spill" },
    { standIn: "a fallback", leg: { fallback: { cluster: "disk", back: "redrive" } }, then: "fallback" }
  ])("is closed when $standIn of it has been sent on too", ({ leg, then }) =>
    story(
      Effect.gen(function* () {
        const far = new MemoryBroker({ partitions: 1 })
        let isAway = true
        const plan = {
          send: () => (isAway ? away : undefined),
          fence: () => (isAway ? ("Unavailable" as const) : undefined)
        }
        const disk = powerLossDriver(new PowerLossBroker({ partitions: 1 }))
        const drivers = [
          { ...memoryDriver(new MemoryBroker({ partitions: 1 })), name: "main" },
          { ...faultDriver(memoryDriver(far), plan), name: "far" },
          disk
        ]
        const clusters = { main: { transport: "main" }, far: { transport: "far" }, disk: { transport: disk.name } }
        const policies = { again: [{ on: ["passing"], then }] }
        const routes = (version: number, to: ReadonlyArray<object>) => documentOf(version, to, { clusters, policies })
        const mirrored = { cluster: "far", topic: "copies", policy: "again", linger: "1 milli", ...leg }
        const first = { cluster: "main", topic: "notes" }
        const leat = yield* Leat.make({ source: "test", routes: routes(1, [first, mirrored]), drivers })
        const notes = yield* leat.stream(noteContract())
        for (let at = 0; at < 5; at++) notes.offer(note("k", String(at)))
        yield* Effect.sleep("5 seconds")
        yield* leat.swapRoutes(routes(2, [first]))
        notes.offer(note("k", "later"))
        yield* Effect.sleep("2 minutes")
        expect(leat.sinks()).toHaveLength(2)
        isAway = false
        yield* Effect.sleep("2 minutes")
        expect(leat.sinks()).toHaveLength(1)
        expect((yield* stored(far, "copies")).map(({ text }) => text)).toEqual(["0", "1", "2", "3", "4"])
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    )
  )

  it.each([true, false])("comes back with a spill when it has been closed, and not before (required: %s)", (required) =>
    story(
      Effect.gen(function* () {
        const disk = powerLossDriver(new PowerLossBroker({ partitions: 1 }))
        const [one, far] = [new Cluster("main"), new Cluster("far")]
        const heal = cut(far)
        const clusters = { main: { transport: "main" }, far: { transport: "far" }, disk: { transport: disk.name } }
        const policies = {
          again: [{ on: ["*"], retry: { base: "10 millis", maxDelay: "1 second" }, then: "halt" }],
          spilling: [{ on: ["passing"], then: "spill" }]
        }
        const routes = (version: number, to: ReadonlyArray<object>) => documentOf(version, to, { clusters, policies })
        const spilling = { ...mirror, required, policy: "spilling", spill: { cluster: "disk" } }
        const drivers = [one.driver, far.driver, disk]
        const leat = yield* Leat.make({ source: "test", routes: routes(1, [main, mirror]), drivers })
        const notes = yield* leat.stream(noteContract())
        notes.offer(note("k", "1"))
        yield* leat.swapRoutes(routes(2, [main]))
        const exit = yield* Effect.result(leat.swapRoutes(routes(3, [main, spilling])))
        const refused = "routes[0].to[1].spill: far/copies is still open without it"
        expect(Result.isFailure(exit) ? exit.failure.message.slice(0, refused.length) : "in force").toBe(
          required ? refused : "in force"
        )
        notes.offer(note("k", "2"))
        expect(rowOf(leat, "far/copies")?.admitted).toBe(required ? 1 : 2)
        heal()
        yield* Effect.sleep("1 minute")
        if (required) yield* leat.swapRoutes(routes(4, [main, spilling]))
        cut(far)
        notes.offer(note("k", "3"))
        yield* Effect.sleep("1 second")
        expect(leat.sinks().find(({ sink }) => sink === "far/copies")?.spilled?.records).toBe(1)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    )
  )

  it("keeps no flush waiting for the word of what it dropped, which goes to the spill", () =>
    story(
      Effect.gen(function* () {
        const disk = powerLossDriver(new PowerLossBroker({ partitions: 1 }))
        const [one, far] = [new Cluster("main"), new Cluster("far")]
        const clusters = { main: { transport: "main" }, far: { transport: "far" }, disk: { transport: disk.name } }
        const policies = {
          again: [{ on: ["*"], then: "halt" }],
          spilling: [
            { on: ["Rejected"], then: "drop" },
            { on: ["passing"], retry: { times: 1, base: "1 second" }, then: "spill" }
          ]
        }
        const routes = (version: number, to: ReadonlyArray<object>) => documentOf(version, to, { clusters, policies })
        const spilling = { ...mirror, policy: "spilling", spill: { cluster: "disk" } }
        const drivers = [one.driver, far.driver, disk]
        const leat = yield* Leat.make({ source: "test", routes: routes(1, [main, spilling]), drivers })
        const notes = yield* leat.stream(noteContract())
        far.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        yield* Effect.ignore(notes.publish(note("k", "1")))
        // The word that it was dropped waits for its retry when the flush begins.
        cut(far)
        yield* leat.swapRoutes(routes(2, [main]))
        yield* Effect.sleep(100)
        yield* Effect.timeout(leat.flush, "2 minutes")
        expect(rowOf(leat, "far/copies")).toMatchObject({ dropped: { Rejected: 1 }, balanced: true })
      })
    ))

  it("waits for a halted lane until somebody resumes it", () =>
    story(
      Effect.gen(function* () {
        const policies = { again: [{ on: ["*"], then: "halt" }] }
        const { leat, notes, far } = yield* openMirrored([main, mirror], { policies })
        const heal = cut(far)
        notes.offer(note("k", "1"))
        yield* Effect.sleep("1 second")
        yield* leat.swapRoutes(documentOf(2, [main], { policies }))
        yield* Effect.sleep("1 hour")
        expect(leat.halted()).toMatchObject([{ sink: "far/copies" }])
        heal()
        yield* leat.resume
        yield* Effect.sleep("1 second")
        expect([yield* textsOf(far, "copies"), far.count("close")]).toEqual([["1"], 1])
      })
    ))
})
