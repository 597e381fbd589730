import { Clock, Effect, Exit, Scope } from "effect"
import { Audit, memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { SpillAges } from "../../src/publish/sendOn/SpillAges.js"
import { WallClock } from "../../src/testing/story/WallClock.js"
import { isAway, openSpilling, type SpillPlaces, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))
const expiring = (then: "drop" | "deadLetter") => ({
  spill: { age: "1 hour" },
  policy: [
    { on: ["SpillExpired"], then },
    { on: ["passing"], then: "spill" },
    { on: ["*"], then: "halt" }
  ]
})
const texts = (places: SpillPlaces, topic = "notes") =>
  Effect.map(stored(places.far, topic), (all) => all.map(({ text }) => text))
const audit = ({ far }: SpillPlaces) => Audit.topic(memoryTransport(far), "notes", { streams: ["test.notes"] })

describe("what has been in a spill for longer than its age", () => {
  it.each(["drop", "deadLetter"] as const)("is not sent on any more, and what is younger is: %s", (then) => {
    const places = spillPlaces()
    const warned = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places, expiring(then))
        yield* notes.publish(note("k", "first"))
        places.faults = isAway
        for (const text of numbers(700)) notes.offer(note("k", text))
        yield* Effect.sleep("50 minutes")
        for (const text of numbers(30, 700)) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 730)
        yield* Effect.sleep("20 minutes")
        places.faults = {}
        yield* until("it is empty", () => legRow(leat)?.spilled === 0)
        expect(yield* texts(places)).toEqual(["first", ...numbers(30, 700)])
        if (then === "deadLetter") expect(yield* texts(places, "notes.undelivered")).toEqual(numbers(700))
        const gone = { [then === "drop" ? "dropped" : "deadLettered"]: { SpillExpired: 700 } }
        expect(legRow(leat)).toMatchObject({ stored: 31, ...gone, droppedMayBeStored: 0, balanced: true })
        // The next record of its lane says so.
        yield* notes.publish(note("k", "next"))
        const told = { [then === "drop" ? "SpillExpired" : "deadLettered"]: 700 }
        expect(yield* Effect.orDie(audit(places))).toMatchObject({ events: 32, missing: 0, dropped: told })
      })
    )
    expect(warned.join("\n")).toContain(then === "drop" ? "30 events of it stored, 700 dropped" : "700 set aside")
  })

  it("is told to consumers although it was left by a process that is gone", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const before = yield* Scope.provide(openSpilling(places, expiring("drop")), scope)
        yield* before.notes.publish(note("k", "first"))
        places.faults = isAway
        for (const text of numbers(20)) before.notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(before.leat)?.spilled === 20)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.sleep("2 hours")
        const { leat, notes } = yield* openSpilling(places, expiring("drop"))
        notes.offer(note("k", "last"))
        yield* Effect.sleep("1 minute")
        // Who is to be told is away too: nothing has ended yet.
        expect(legRow(leat)).toMatchObject({ recovered: 0, dropped: {} })
        places.faults = {}
        yield* until("it is empty", () => legRow(leat)?.stored === 1)
        // What another process had on its way when it ended may be stored.
        expect(legRow(leat)).toMatchObject({ recovered: 20, dropped: { SpillExpired: 20 }, droppedMayBeStored: 20 })
        // Between them stands what announces the drops.
        expect(yield* texts(places)).toEqual(["first", null, "last"])
        const told = { missing: 0, dropped: { SpillExpired: 20 } }
        expect(yield* Effect.orDie(audit(places))).toMatchObject({ events: 2, ...told })
      })
    )
  })

  it("is as old as its process, and no older when a wall clock is set forward", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const wall = new WallClock(yield* Clock.Clock)
        yield* Effect.gen(function* () {
          const { leat, notes } = yield* openSpilling(places, expiring("drop"))
          places.faults = isAway
          for (const text of numbers(20)) notes.offer(note("k", text))
          yield* until("all is in the spill", () => legRow(leat)?.spilled === 20)
          wall.jump(24 * 3_600_000)
          places.faults = {}
          yield* until("all is stored", () => legRow(leat)?.stored === 20)
          expect(legRow(leat)?.dropped).toEqual({})
        }).pipe(Effect.provideService(Clock.Clock, wall))
      })
    )
  })

  it("is as old as the table in force says", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const { leat, notes, routes } = yield* openSpilling(places, expiring("drop"))
        places.faults = isAway
        for (const text of numbers(20)) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 20)
        yield* Effect.sleep("90 minutes")
        yield* leat.swapRoutes(routes(2, { age: "2 hours" }))
        places.faults = {}
        yield* until("it is empty", () => legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ stored: 20, dropped: {} })
      })
    )
  })
})

describe("the ages of records", () => {
  const record = (timeMs: number, headers: ReadonlyArray<readonly [string, Uint8Array]> = []) => ({
    position: 0n,
    key: null,
    value: null,
    headers,
    timeMs
  })

  it("are those of wall time, with the monotonic clock as their bound", () => {
    const clock = { wallMs: 1_000_000, nowMs: 500 }
    const ages = new SpillAges(clock, () => 1000)
    const records = [998_000, 998_999, 999_000, 998_000].map((timeMs) => record(timeMs))
    expect(ages.expired(records, 0, 4)).toEqual(records.slice(0, 2))
    expect(ages.expired(records, 0, 1)).toEqual(records.slice(0, 1))
    expect(ages.expired(records, 2, 4)).toEqual([])
    clock.wallMs += 60_000
    expect(ages.expired(records, 2, 4)).toEqual([])
    clock.nowMs += 1
    expect(ages.expired(records, 2, 4)).toEqual(records.slice(2))
    // Set back: what it says is believed.
    clock.wallMs = 0
    expect(ages.expired(records, 0, 4)).toEqual([])
  })
})
