import { Effect, Exit, Fiber, Scope } from "effect"
import type { OpenLeat } from "leat"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

const durable = { level: "durable" } as const

/** A process that has the document of the publishers, and only reads. */
const reader = openSpilling

describe("the spill of a process that only reads", () => {
  it("is left to the one that publishes, whoever has started first", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat } = yield* reader(places)
        yield* Effect.sleep("1 minute")
        const { notes } = yield* openSpilling(places)
        places.faults = isAway
        yield* Effect.timeout(notes.publish(note("k", "0"), durable), "2 seconds")
        yield* Effect.sleep("1 minute")
        expect(leat.sinks()).toMatchObject([{ spilled: { records: 0 } }])
        expect(leat.sinks()[0]?.trouble).toBeUndefined()
        places.faults = {}
        yield* until("it is sent on", () => leat.sinks()[0]?.spilled?.records === 0)
      })
    )
    expect(lines.filter((line) => line.includes("has not been given"))).toEqual([])
    expect(lines.filter((line) => line.includes("goes to the spill"))).toHaveLength(1)
  })

  it("sends on what an earlier process has left", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places), scope)
        places.faults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text), durable)
        yield* Scope.close(scope, Exit.void)
        const { leat } = yield* reader(places)
        // An outage of its own, longer than a turn.
        yield* Effect.sleep("2 minutes")
        places.faults = {}
        yield* until("all is sent on", () => legRow(leat)?.stored === 3, 60_000)
        expect(legRow(leat)).toMatchObject({ recovered: 3, balanced: true })
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["0", "1", "2"])
      })
    )
  })

  it("does not show what it has left there itself, once another process has sent that on", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places), scope)
        places.faults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text), durable)
        yield* Scope.close(scope, Exit.void)
        const { leat } = yield* reader(places)
        yield* Effect.sleep("30 seconds")
        expect(leat.sinks()).toMatchObject([{ spilled: { records: 3 } }])
        const two = yield* openSpilling(places)
        two.notes.offer(note("k", "3"))
        yield* Effect.sleep("20 seconds")
        places.faults = {}
        yield* until("all is sent on", () => legRow(two.leat)?.stored === 4, 60_000)
        yield* Effect.sleep("1 minute")
        expect(leat.sinks()).toMatchObject([{ spilled: { records: 0, bytes: 0 } }])
        expect(legRow(leat)).toMatchObject({ spilled: 0, balanced: true })
      })
    )
  })

  it("sends on what a process leaves that ends while it runs", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat } = yield* reader(places)
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places), scope)
        places.faults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text), durable)
        yield* Effect.sleep("2 minutes")
        expect(leat.sinks()[0]?.trouble).toBeUndefined()
        yield* Scope.close(scope, Exit.void)
        places.faults = {}
        yield* until("all is sent on", () => legRow(leat)?.stored === 3, 60_000)
      })
    )
    expect(lines.filter((line) => line.includes("has not been given"))).toEqual([])
  })

  it("is given to a publisher that starts later, with what was left and could not be sent on", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places), scope)
        places.faults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text), durable)
        yield* Scope.close(scope, Exit.void)
        const reading = yield* Scope.make()
        const { leat } = yield* Scope.provide(reader(places), reading)
        yield* Effect.sleep("1 minute")
        const later = yield* openSpilling(places)
        // The spill belongs to who has published: at once, or when the turn of the reader is over.
        const published = yield* Effect.forkChild(later.notes.publish(note("k", "3"), durable))
        yield* Effect.timeout(Fiber.join(published), "8 seconds")
        yield* Effect.sleep("1 minute")
        yield* Effect.timeout(later.notes.publish(note("k", "4"), durable), "2 seconds")
        yield* Scope.close(reading, Exit.void)
        places.faults = {}
        yield* until("all is sent on", () => legRow(later.leat)?.stored === 5, 60_000)
        expect(legRow(later.leat)).toMatchObject({ admitted: 2, recovered: 3, balanced: true })
        expect(legRow(leat)).toMatchObject({ admitted: 0, recovered: 0, balanced: true })
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["0", "1", "2", "3", "4"])
      })
    )
    expect(lines.filter((line) => line.includes("has not been given"))).toEqual([])
    // Each process that found them says so, once.
    expect(lines.filter((line) => line.includes("holds 3 events"))).toHaveLength(2)
    // The first one alone.
    expect(lines.filter((line) => line.includes("3 events for far/notes stay in"))).toHaveLength(1)
  })

  it("is taken with the first publish, and kept", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const one = yield* openSpilling(places)
        const other = yield* openSpilling(places)
        yield* one.notes.publish(note("k", "0"))
        yield* Effect.sleep("1 minute")
        const waiting = yield* Effect.forkChild(other.notes.publish(note("k", "1")))
        yield* Effect.sleep("1 minute")
        expect(other.leat.sinks()[0]?.trouble).toContain("has sent nothing for 60 seconds")
        yield* Fiber.interrupt(waiting)
      })
    )
    expect(lines.filter((line) => line.includes("has not been given"))).toHaveLength(1)
  })

  /** Three events are left, a process that only reads finds them, and the cluster refuses them. */
  const refused = (rule: object, then: (leat: OpenLeat, sends: () => number) => Effect.Effect<void, unknown>) => {
    const places = spillPlaces()
    let sends = 0
    const policy = [{ on: ["passing"], then: "spill" }, rule]
    return spillStory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places, { policy }), scope)
        places.faults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text), durable)
        yield* Scope.close(scope, Exit.void)
        places.faults = {
          send: () => {
            sends++
            return { kind: "fail", reason: "Rejected" }
          }
        }
        const { leat } = yield* openSpilling(places, { policy })
        yield* then(leat, () => sends)
      })
    )
  }

  it("sends what stands there once, and again when it is resumed", () => {
    const lines = refused({ on: ["Rejected"], then: "halt" }, (leat, sends) =>
      Effect.gen(function* () {
        yield* Effect.sleep("10 minutes")
        const before = sends()
        // All together, halves of that, and the first one alone.
        expect(before).toBeLessThan(5)
        yield* leat.resume
        yield* Effect.sleep("10 minutes")
        expect(sends()).toBeGreaterThan(before)
        expect(sends()).toBeLessThan(10)
      })
    )
    expect(lines.filter((line) => line.includes("stands until it is resumed"))).toHaveLength(2)
  })

  it("counts the retries of what is refused, however long they take", () => {
    refused({ on: ["Rejected"], retry: { times: 2, base: "10 seconds", jitter: 0 }, then: "drop" }, (leat) =>
      Effect.gen(function* () {
        yield* until("all is dropped", () => legRow(leat)?.dropped["Rejected"] === 3, 120_000)
        expect(legRow(leat)).toMatchObject({ recovered: 3, stored: 0, balanced: true })
      })
    )
  })
})
