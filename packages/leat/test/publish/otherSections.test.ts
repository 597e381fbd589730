import { Effect, Exit, Fiber, Schedule, Scope } from "effect"
import { MemoryBroker } from "leat"
import type { SendFault } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { documentOf, main, mirror, openMirrored, rowOf } from "./mirrors.js"
import { note, stored, story } from "./stories.js"

const as = (user: string) => ({ clusters: { main: { transport: "main", user }, far: { transport: "far" } } })
const begin = openMirrored([main], as("one"))

describe("another section of a cluster that is open", () => {
  it("has another client opened beside, which takes over what is sent and read", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* begin
        const seen: Array<string> = []
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
        yield* notes.publish(note("k", "1"))
        yield* leat.swapRoutes(documentOf(2, [main], as("two")))
        yield* notes.publish(note("k", "2"))
        yield* Effect.sleep("10 seconds")
        yield* notes.publish(note("k", "3"))
        yield* Effect.sleep("1 second")
        expect(one.calls.filter((call) => !/^(writer|join)/.test(call))).toEqual([
          "open by one",
          "send notes 1 by one",
          "open by two",
          "close by one",
          "send notes 1 by two",
          "send notes 1 by two"
        ])
        expect([...new Set(seen)]).toEqual(["1", "2", "3"])
        expect(rowOf(leat, "main/notes")).toMatchObject({ admitted: 3, stored: 3, balanced: true })
      })
    ))

  it("goes over when nothing is on its way: nothing overtakes what is, and nothing is sent twice", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* begin
        one.faults = { send: () => ({ kind: "delay", ms: 500 }) }
        const publishing = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 40 }), (_, at) =>
            Effect.delay(notes.publish(note("k", String(at)), { level: "queued" }), 30)
          )
        )
        yield* Effect.sleep(300)
        yield* leat.swapRoutes(documentOf(2, [main], as("two")))
        yield* Fiber.join(publishing)
        yield* leat.flush
        expect((yield* stored(one.broker)).map(({ text }) => text)).toEqual(
          Array.from({ length: 40 }, (_, at) => String(at))
        )
        const users = one.calls.filter((call) => call.startsWith("send")).map((call) => call.slice(-3))
        expect(new Set(users)).toEqual(new Set(["one", "two"]))
        expect(users).toEqual(users.toSorted())
      })
    ))

  it.each<{ readonly fault: SendFault }>([
    { fault: { kind: "fail", reason: "Unavailable" } },
    { fault: { kind: "loseResponse" } },
    { fault: { kind: "cut" } },
    { fault: { kind: "lateWrite", ms: 200 } },
    { fault: { kind: "silence" } },
    { fault: { kind: "throw" } }
  ])("goes over after what was on its way has failed: $fault", ({ fault }) => {
    for (let seed = 1; seed < 15; seed++)
      story(
        Effect.gen(function* () {
          const timed = { ...main, timeout: "1 second" }
          const { leat, notes, main: one } = yield* openMirrored([timed], as("one"))
          one.faults = { send: ({ call }) => (call % 3 === 1 ? fault : { kind: "delay", ms: 40 }) }
          const publishing = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 30 }), (_, at) =>
              Effect.delay(notes.publish(note("k", String(at)), { level: "queued" }), 10)
            )
          )
          for (const [index, user] of ["two", "three", "four"].entries()) {
            yield* Effect.sleep(60 * seed)
            yield* Effect.retry(leat.swapRoutes(documentOf(index + 2, [timed], as(user))), {
              schedule: Schedule.spaced(100),
              times: 300
            })
          }
          yield* Fiber.join(publishing)
          yield* leat.flush
          const texts = (yield* stored(one.broker)).map(({ text }) => text)
          const expected = Array.from({ length: 30 }, (_, at) => String(at))
          // What was stored, and not answered, is sent again.
          expect(fault.kind === "loseResponse" ? [...new Set(texts)] : texts).toEqual(expected)
          yield* Effect.sleep("1 minute")
          expect(one.count("close by")).toBe(3)
          expect(leat.ledger.snapshot().balanced).toBe(true)
        }),
        seed
      )
  })

  it("is refused whole where its client cannot be opened, and what is open goes on", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* begin
        const error = yield* Effect.flip(
          leat.swapRoutes(documentOf(2, [{ ...main, linger: "9 millis" }], as("nobody")))
        )
        expect(error.faults.map(({ path }) => path)).toEqual(["clusters.main"])
        expect(error.message).toContain(
          "the new section of main cannot be taken over: far open: Unauthenticated: nobody may"
        )
        expect(leat.routes().version).toBe(1)
        yield* notes.publish(note("k", "1"))
        expect(one.calls).toContain("close by nobody")
        expect(one.calls.at(-1)).toBe("send notes 1 by one")
      })
    ))

  it("is refused in bounded time where its driver never opens and cannot be interrupted, and the leat closes all the same", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { leat, notes, main: one } = yield* Scope.provide(begin, scope)
        one.connecting = Effect.uninterruptible(Effect.never)
        const swap = yield* Effect.forkDetach(Effect.flip(leat.swapRoutes(documentOf(2, [main], as("two")))))
        const { message } = yield* Effect.timeout(Fiber.join(swap), "1 minute")
        expect(message).toContain("main has not been opened within 45 seconds")
        yield* notes.publish(note("k", "1"))
        const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
        yield* Effect.timeout(Fiber.join(closing), "1 minute")
      })
    ))

  it("is refused where it is another cluster with the same partitions, which does not have what is here", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* begin
        yield* notes.publish(note("k", "1"))
        one.elsewhere = new MemoryBroker({ partitions: 1 })
        const error = yield* Effect.flip(leat.swapRoutes(documentOf(2, [main], as("two"))))
        expect(error.message).toContain("notes has less there than here, so it is another cluster")
        expect(leat.routes().version).toBe(1)
      })
    ))

  it.each(["while its client is opened", "while a leg of its table is opened"])(
    "takes over what is opened %s",
    (when) =>
      story(
        Effect.gen(function* () {
          const to = [{ ...main, topic: "{stream}" }]
          const { leat, main: one, far } = yield* openMirrored(to, as("one"))
          const isOfLeg = when.includes("leg")
          one.opening = Effect.sleep(isOfLeg ? "100 millis" : "2 seconds")
          far.opening = Effect.sleep("5 seconds")
          const next = isOfLeg ? [...to, { ...mirror, topic: "{stream}" }] : to
          const swap = yield* Effect.forkChild(leat.swapRoutes(documentOf(2, next, as("two"))))
          yield* Effect.sleep("1 second")
          const opening = yield* Effect.forkChild(leat.stream(noteContract({ stream: "other" })))
          yield* Fiber.join(swap)
          const other = yield* Fiber.join(opening)
          yield* other.publish(note("k", "1"))
          yield* Effect.sleep("1 minute")
          expect(one.calls).toContain("close by one")
          yield* other.publish(note("k", "2"))
          expect(one.calls.at(-1)).toBe("send other 1 by two")
        })
      )
  )

  it("comes one after the other: the next is refused while partitions are still going over", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* begin
        one.faults = { send: () => ({ kind: "delay", ms: 5000 }) }
        notes.offer(note("k", "1"))
        yield* Effect.sleep(100)
        yield* leat.swapRoutes(documentOf(2, [main], as("two")))
        const error = yield* Effect.flip(leat.swapRoutes(documentOf(3, [main], as("three"))))
        expect(error.message).toContain("is still going over from the section before")
        expect(one.count("close")).toBe(0)
        yield* Effect.sleep("6 seconds")
        yield* leat.swapRoutes(documentOf(3, [main], as("three")))
        yield* leat.flush
        yield* Effect.sleep("1 second")
        expect((yield* stored(one.broker)).map(({ text }) => text)).toEqual(["1"])
        expect(one.count("close")).toBe(2)
      })
    ))
})

const both = (user: string, other: string) => ({
  clusters: { main: { transport: "main", user }, far: { transport: "far", user: other } }
})

describe("sections of clusters that are open or being opened", () => {
  it("change together or not at all: of two clients one cannot be opened", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one, far } = yield* openMirrored([main, mirror], both("one", "one"))
        const error = yield* Effect.flip(leat.swapRoutes(documentOf(2, [main, mirror], both("two", "nobody"))))
        expect(error.faults.map(({ path }) => path)).toEqual(["clusters.far"])
        expect([one.count("close by two"), one.count("close by one")]).toEqual([1, 0])
        yield* notes.publish(note("k", "1"))
        expect([one.calls.at(-1), far.calls.at(-1)]).toEqual(["send notes 1 by one", "send copies 1 by one"])
        yield* leat.swapRoutes(documentOf(2, [main, mirror], both("two", "two")))
        yield* notes.publish(note("k", "2"))
        expect([one.calls.at(-1), far.calls.at(-1)]).toEqual(["send notes 1 by two", "send copies 1 by two"])
      })
    ))

  it("change while it is opened in vain: the cluster of a best-effort leg is opened by the next section", () =>
    story(
      Effect.gen(function* () {
        const to = [main, { ...mirror, required: false }]
        const { leat, notes, far } = yield* openMirrored(to, both("one", "nobody"))
        yield* Effect.sleep("5 seconds")
        expect(far.count("writer")).toBe(0)
        yield* leat.swapRoutes(documentOf(2, to, both("one", "two")))
        yield* Effect.sleep("1 minute")
        yield* notes.publish(note("k", "1"))
        yield* leat.flush
        expect(far.calls.at(-1)).toBe("send copies 1 by two")
        expect(leat.sinks().filter((sink) => "closed" in sink)).toEqual([])
      })
    ))

  it("change while a connection hangs: what waits for it is opened by the next section", () =>
    story(
      Effect.gen(function* () {
        const { leat, far } = yield* openMirrored([main], both("one", "one"))
        far.connecting = Effect.uninterruptible(Effect.never)
        const other = yield* Effect.forkChild(leat.transport("far"))
        yield* Effect.sleep("1 second")
        far.connecting = Effect.void
        yield* leat.swapRoutes(documentOf(2, [main], both("one", "two")))
        yield* Effect.timeout(Fiber.join(other), "1 second")
        expect(far.count("open by two")).toBe(1)
      })
    ))

  it("change back when it has gone over, and not before", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* begin
        one.faults = { send: () => ({ kind: "delay", ms: 5000 }) }
        notes.offer(note("k", "1"))
        yield* Effect.sleep(100)
        yield* leat.swapRoutes(documentOf(2, [main], as("two")))
        const error = yield* Effect.flip(leat.swapRoutes(documentOf(3, [main], as("one"))))
        expect(error.message).toContain("is still going over from the section before")
        yield* Effect.sleep("6 seconds")
        one.faults = {}
        yield* leat.swapRoutes(documentOf(3, [main], as("one")))
        yield* notes.publish(note("k", "2"))
        yield* Effect.sleep("1 second")
        expect(one.calls.slice(-3)).toEqual(["writer notes", "close by two", "send notes 1 by one"])
      })
    ))

  it("change while a leg is removed: each client is closed once, when nothing is on its way by it", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one, far } = yield* openMirrored([main, mirror], both("one", "one"))
        far.faults = { send: () => ({ kind: "delay", ms: 5000 }) }
        notes.offer(note("k", "1"))
        yield* Effect.sleep(100)
        yield* leat.swapRoutes(documentOf(2, [main, mirror], both("one", "two")))
        yield* leat.swapRoutes(documentOf(3, [main], both("one", "two")))
        yield* Effect.sleep("2 seconds")
        expect(far.count("close")).toBe(0)
        yield* Effect.sleep("1 minute")
        expect([far.count("close by one"), far.count("close by two")]).toEqual([1, 1])
        expect((yield* stored(far.broker, "copies")).map(({ text }) => text)).toEqual(["1"])
        expect(one.count("close")).toBe(0)
      })
    ))

  it.each([{ kind: "delay", ms: 5000 }, { kind: "silence" }] satisfies ReadonlyArray<SendFault>)(
    "change while the leat is closed, which ends in time, with all clients closed: $kind",
    (fault) =>
      story(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { leat, notes, main: one } = yield* Scope.provide(begin, scope)
          let isFirst = true
          one.faults = { send: () => (isFirst ? fault : undefined) }
          for (const text of ["1", "2"]) {
            notes.offer(note("k", text))
            yield* Effect.sleep(100)
          }
          yield* leat.swapRoutes(documentOf(2, [main], as("two")))
          isFirst = false
          notes.offer(note("k", "3"))
          yield* Effect.timeout(Scope.close(scope, Exit.void), "2 minutes")
          expect([one.count("close by one"), one.count("close by two")]).toEqual([1, 1])
          expect(leat.ledger.snapshot().balanced).toBe(true)
          expect((yield* stored(one.broker)).map(({ text }) => text)).toEqual(["1", "2", "3"])
        })
      )
  )
})
