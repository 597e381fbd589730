import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { Leat, TransportError } from "leat"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { Cluster, documentOf, main, mirror, openMirrored, rowOf } from "./mirrors.js"
import { big, note, stored, story } from "./stories.js"

const refused = new TransportError({ reason: "Unauthorized", transport: "far", operation: "openWriter", detail: "no" })
const ids = (records: ReadonlyArray<{ readonly id?: unknown; readonly text: string | null }>) =>
  records.map(({ id, text }) => [text, id])

describe("a leg that a table adds", () => {
  it("joins at the next event, and has the ids that the other leg has", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one, far } = yield* openMirrored()
        yield* notes.publish(note("k", "1"))
        yield* leat.swapRoutes(documentOf(2, [main, mirror]))
        const { outcome } = yield* notes.publish(note("k", "2"))
        expect(yield* outcome).toMatchObject({ stored: 2 })
        const first = yield* stored(one.broker)
        const second = yield* stored(far.broker, "copies")
        expect(first.map(({ text }) => text)).toEqual(["1", "2"])
        expect(ids(second)).toEqual(ids(first.slice(1)))
        expect(leat.ledger.snapshot().balanced).toBe(true)
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 1, stored: 1 })
      })
    ))

  it("is opened beside, while events go on to the other legs", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored()
        far.opening = Effect.sleep("5 seconds")
        const swap = yield* Effect.forkChild(leat.swapRoutes(documentOf(2, [main, mirror])))
        for (let second = 0; second < 4; second++) {
          yield* Effect.sleep("1 second")
          yield* Effect.timeout(notes.publish(note("k", String(second))), 100)
          expect(leat.routes().version).toBe(1)
        }
        yield* Fiber.join(swap)
        yield* notes.publish(note("k", "5"))
        expect((yield* stored(far.broker, "copies")).map(({ text }) => text)).toEqual(["5"])
      })
    ))

  it("is not noticed by the sinks that are open: they are called as if there were no other table", () => {
    const told = (isMirrored: boolean) => {
      let calls: ReadonlyArray<string> = []
      story(
        Effect.gen(function* () {
          const { leat, notes, main: one } = yield* openMirrored()
          for (let at = 0; at < 6; at++) {
            const legs = at === 2 ? [main, mirror] : [main]
            if (isMirrored && (at === 2 || at === 4)) yield* leat.swapRoutes(documentOf(at, legs))
            yield* notes.publishAll([note("k", `${at}a`), note("k", `${at}b`)])
          }
          calls = [...one.calls]
        })
      )
      return calls
    }
    expect(told(true)).toEqual(told(false))
    expect(told(true)).toEqual(["open", "writer notes", ...Array.from({ length: 6 }, () => "send notes 2")])
  })

  it("is required and cannot be opened: the table is refused whole, and nothing of it stays", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored()
        far.opening = Effect.fail(refused)
        const before = leat.sinks()
        const also = { ...main, topic: "also" }
        const other = documentOf(2, [{ ...main, buffer: { bytes: 1_000_000 } }, mirror, also])
        const error = yield* Effect.flip(leat.swapRoutes(other))
        expect(error.faults.map(({ path }) => path)).toEqual(["routes[0].to[1]"])
        expect(error.message).toContain("far/copies cannot be opened: far openWriter: Unauthorized: no")
        expect([leat.routes().version, leat.sinks()]).toEqual([1, before])
        expect([far.count("open"), far.count("close")]).toEqual([1, 1])
        yield* notes.publish(note("k", "1"))
        expect(rowOf(leat, "far/copies")).toBeUndefined()
        far.opening = Effect.void
        yield* leat.swapRoutes(other)
        expect(leat.sinks()[0]).toMatchObject({ bufferBytesMax: 1_000_000 })
        expect(
          leat
            .sinks()
            .map(({ sink }) => sink)
            .toSorted()
        ).toEqual(["far/copies", "main/also", "main/notes"])
      })
    ))

  it("is tried for half a minute where it may pass, and a table with several is refused with all of them", () =>
    story(
      Effect.gen(function* () {
        const { leat, far } = yield* openMirrored()
        far.opening = Effect.fail(refused)
        const two = [main, mirror, { ...mirror, topic: "more" }, { ...mirror, topic: "less", required: false }]
        const error = yield* Effect.flip(leat.swapRoutes(documentOf(2, two)))
        expect(error.faults.map(({ path }) => path)).toEqual(["routes[0].to[1]", "routes[0].to[2]"])
        expect(leat.sinks().map(({ sink }) => sink)).toEqual(["main/notes"])
        far.opening = Effect.never
        const late = yield* Effect.flip(Effect.timeout(leat.swapRoutes(documentOf(2, [main, mirror])), "46 seconds"))
        expect(late.message).toBe("routes[0].to[1]: far/copies has not been opened within 45 seconds")
      })
    ))

  it("is best effort and away: the table is in force soon, and the leg joins later, saying what it missed", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored()
        far.opening = Effect.fail(refused)
        yield* Effect.timeout(leat.swapRoutes(documentOf(2, [main, { ...mirror, required: false }])), 2100)
        yield* notes.publish(note("k", "1"))
        expect(leat.sinks().at(-1)).toMatchObject({ sink: "far/copies", closed: refused.message })
        far.opening = Effect.void
        yield* Effect.sleep("1 minute")
        yield* notes.publish(note("k", "2"))
        yield* leat.flush
        const kept = yield* stored(far.broker, "copies")
        expect(kept.map(({ text, dropped }) => [text, dropped.length])).toEqual([["2", 1]])
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 2, stored: 1, dropped: { Unauthorized: 1 } })
      })
    ))

  it("misses nothing where it is best effort and well", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored()
        far.opening = Effect.sleep("1 second")
        yield* leat.swapRoutes(documentOf(2, [main, { ...mirror, required: false }]))
        yield* notes.publish(note("k", "1"))
        yield* leat.flush
        expect(rowOf(leat, "far/copies")).toMatchObject({ admitted: 1, stored: 1, dropped: {} })
      })
    ))

  it("is there for a publish that waits for room when the table is put in force", () =>
    story(
      Effect.gen(function* () {
        const narrow = { ...main, buffer: { bytes: 65_536 }, batch: { bytes: 4096 }, linger: "0 millis" }
        const { leat, notes, main: one, far } = yield* openMirrored([narrow])
        one.faults = { send: () => ({ kind: "delay", ms: 1000 }) }
        const texts = Array.from({ length: 30 }, (_, at) => String(at))
        const publishing = yield* Effect.forkChild(
          Effect.forEach(texts, (text) => notes.publish(big(text)), { concurrency: "unbounded" })
        )
        yield* Effect.sleep(10)
        expect(leat.ledger.snapshot().streams[0]?.waiting).toBeGreaterThan(0)
        yield* leat.swapRoutes(documentOf(2, [narrow, mirror]))
        yield* Fiber.join(publishing)
        const first = yield* stored(one.broker)
        const second = yield* stored(far.broker, "copies")
        expect(first).toHaveLength(30)
        expect(second.length).toBeGreaterThan(0)
        expect(ids(second)).toEqual(ids(first.slice(-second.length)))
      })
    ))

  it("is opened for a stream that is being opened", () =>
    story(
      Effect.gen(function* () {
        const [one, far] = [new Cluster("main"), new Cluster("far")]
        one.opening = Effect.sleep("1 second")
        const leat = yield* Leat.make({
          source: "test",
          routes: documentOf(1, [main]),
          drivers: [one.driver, far.driver]
        })
        const asked = yield* Effect.forkChild(leat.stream(noteContract()))
        yield* Effect.sleep(500)
        yield* leat.swapRoutes(documentOf(2, [main, mirror]))
        const notes = yield* Fiber.join(asked)
        const { outcome } = yield* notes.publish(note("k", "1"))
        expect(yield* outcome).toMatchObject({ stored: 2 })
      })
    ))

  it("is opened for a stream that comes while it is opened for another one", () =>
    story(
      Effect.gen(function* () {
        const both = (version: number, more: ReadonlyArray<object>) =>
          documentOf(version, [{ ...main, topic: "{stream}" }, ...more])
        const { leat, far } = yield* openMirrored([{ ...main, topic: "{stream}" }])
        far.opening = Effect.sleep("5 seconds")
        const swap = yield* Effect.forkChild(leat.swapRoutes(both(2, [{ ...mirror, topic: "{stream}" }])))
        yield* Effect.sleep("1 second")
        const other = yield* leat.stream(noteContract({ stream: "other" }))
        yield* Fiber.join(swap)
        const { outcome } = yield* other.publish(note("k", "1"))
        expect(yield* outcome).toMatchObject({ stored: 2 })
        expect(rowOf(leat, "far/other")).toMatchObject({ stored: 1 })
      })
    ))

  it("has the settings of the table in force, and not those of one that was refused", () =>
    story(
      Effect.gen(function* () {
        const { leat, far } = yield* openMirrored()
        far.opening = Effect.fail(refused)
        const buffer = (bytes: number) => ({ ...mirror, buffer: { bytes } })
        yield* leat.swapRoutes(documentOf(2, [main, { ...buffer(100_000), required: false }]))
        yield* Effect.flip(leat.swapRoutes(documentOf(3, [main, buffer(200_000)])))
        expect(leat.sinks().at(-1)).toMatchObject({ sink: "far/copies", bufferBytesMax: 100_000 })
        far.opening = Effect.void
        yield* Effect.sleep("1 minute")
        expect(leat.sinks().at(-1)).toEqual({ sink: "far/copies", bufferedBytes: 0, bufferBytesMax: 100_000 })
        yield* leat.swapRoutes(documentOf(4, [main, buffer(200_000)]))
        expect(leat.sinks().at(-1)).toEqual({ sink: "far/copies", bufferedBytes: 0, bufferBytesMax: 200_000 })
        yield* leat.swapRoutes(documentOf(5, [main]))
        yield* Effect.sleep("1 second")
        expect(far.count("open")).toBe(far.count("close"))
      })
    ))

  it("is closed where nobody waits for its table any more", () =>
    story(
      Effect.gen(function* () {
        const { leat, far } = yield* openMirrored()
        far.opening = Effect.sleep("5 seconds")
        const swap = yield* Effect.forkChild(leat.swapRoutes(documentOf(2, [main, mirror])))
        yield* Effect.sleep("1 second")
        yield* Fiber.interrupt(swap)
        yield* Effect.sleep("10 seconds")
        expect([far.count("open"), far.count("close"), leat.routes().version]).toEqual([1, 1, 1])
        expect(leat.sinks()).toHaveLength(1)
      })
    ))

  it("keeps the next table waiting, and not the end of the leat", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { leat, far } = yield* Scope.provide(openMirrored(), scope)
        const gate = yield* Deferred.make<void>()
        far.opening = Deferred.await(gate)
        const first = yield* Effect.forkChild(leat.swapRoutes(documentOf(2, [main, mirror])))
        yield* Effect.sleep(10)
        const second = yield* Effect.forkChild(leat.swapRoutes(documentOf(3, [main])))
        yield* Effect.sleep(10)
        expect(leat.routes().version).toBe(1)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(first)
        yield* Fiber.join(second)
        expect(leat.routes().version).toBe(3)
        yield* Effect.sleep(10)
        far.opening = Effect.never
        const third = yield* Effect.forkChild(Effect.flip(leat.swapRoutes(documentOf(4, [main, mirror]))))
        yield* Effect.sleep(10)
        expect(Exit.isSuccess(yield* Effect.exit(Effect.timeout(Scope.close(scope, Exit.void), 5000)))).toBe(true)
        expect((yield* Fiber.join(third)).message).toContain("the leat is closed")
      })
    ))
})
