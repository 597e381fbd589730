import { Effect, Exit, Fiber, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

const durable = { level: "durable" } as const

/** A process that has the document of the publishers, and only reads. */
const reader = openSpilling

/** An earlier process has ended in an outage, with three events on its disk. */
const leftBehind = (places: ReturnType<typeof spillPlaces>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { notes } = yield* openSpilling(places)
      places.faults = isAway
      for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text), durable)
    })
  )

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
        yield* leftBehind(places)
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
    const lines = spillStory(
      Effect.gen(function* () {
        const one = { spill: { rate: 1 }, leg: { timeout: "30 seconds" } }
        yield* leftBehind(places)
        const reading = yield* Scope.make()
        const { leat } = yield* Scope.provide(reader(places, one), reading)
        // Each answer takes long, so that its turn leaves something.
        places.faults = { send: () => ({ kind: "delay", ms: 6000 }) }
        yield* until("it has a turn", () => leat.sinks()[0]?.spilled?.records === 3, 60_000)
        yield* until("that is over", () => leat.sinks()[0]?.spilled?.records === 2, 60_000)
        places.faults = isAway
        yield* Effect.sleep("20 seconds")
        expect(leat.sinks()).toMatchObject([{ spilled: { records: 2 } }])
        const two = yield* openSpilling(places, one)
        two.notes.offer(note("k", "3"))
        yield* Effect.sleep("20 seconds")
        places.faults = {}
        yield* until("all is sent on", () => legRow(two.leat)?.stored === 3, 60_000)
        yield* Effect.sleep("1 minute")
        expect(leat.sinks()).toMatchObject([{ spilled: { records: 0, bytes: 0 } }])
        expect(legRow(leat)).toMatchObject({ spilled: 0, balanced: true })
        yield* Scope.close(reading, Exit.void)
      })
    )
    expect(lines.filter((line) => line.includes("could not settle") || line.includes("stay in the spill"))).toEqual([
      expect.stringContaining("3 events for far/notes stay in the spill")
    ])
  })

  it.for([
    { name: "refuses all the time", isOver: false },
    { name: "has refused for a second", isOver: true }
  ])("waits for no longer than a turn where the cluster $name: a publisher has it then", ({ isOver }) => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const policy = [{ on: ["*"], retry: { times: 2, base: "100 millis" }, then: "spill" }]
        const setting = { policy, spill: { rate: 40 } }
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places, setting), scope)
        places.faults = isAway
        for (let text = 0; text < 2000; text++) notes.offer(note("k", String(text)))
        yield* Effect.sleep("5 seconds")
        yield* Scope.close(scope, Exit.void)
        places.faults = { send: () => ({ kind: "fail", reason: "Unauthorized" }) }
        yield* reader(places, setting)
        yield* Effect.sleep("1 second")
        if (isOver) places.faults = {}
        const two = yield* openSpilling(places, setting)
        const told = yield* Effect.timeoutOption(two.notes.publish(note("k", "own"), durable), "10 seconds")
        expect(told._tag).toBe("Some")
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
        yield* leftBehind(places)
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
    // The one that has it says so; nobody takes the spill of a cluster that is away but to publish.
    expect(lines.filter((line) => line.includes("holds 3 events"))).toHaveLength(1)
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
})
