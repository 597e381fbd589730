/** What ended in a spill has ended for every process: it is settled before it is told dropped, and when its process closes. */
import { Effect, Exit, Fiber, Scope } from "effect"
import { NotStored } from "leat"
import type { SendFault } from "leat/testing"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, spillPlaces, type SpillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

const texts = (places: SpillPlaces) => Effect.map(stored(places.far), (all) => all.map(({ text }) => text))

const policyOf = (then: string) => [
  { on: ["passing"], then: "spill" },
  { on: ["Unauthorized"], then }
]

const refused: SendFault = { kind: "fail", reason: "Unauthorized" }

/** The first so many sends to the topic are refused, and the next ones have no answer. */
const refusing = (count: number, then?: SendFault) => {
  let sends = 0
  return {
    send: ({ topic }: { readonly topic: string }) => (topic !== "notes" ? undefined : sends++ < count ? refused : then)
  }
}

/** So many events in the spill, each of a publish that waits. */
const waiting = Effect.fnUntraced(function* (
  places: SpillPlaces,
  count: number,
  setting: Parameters<typeof openSpilling>[1]
) {
  const opened = yield* openSpilling(places, setting)
  places.faults = isAway
  const publishes: Array<Fiber.Fiber<unknown, unknown>> = []
  for (let text = 0; text < count; text++) {
    publishes.push(
      yield* Effect.forkChild(Effect.flip(opened.notes.publish(note("k", String(text)))), { startImmediately: true })
    )
    yield* until("it is on disk", () => legRow(opened.leat)?.spilled === text + 1)
  }
  return { ...opened, publishes }
})

describe("what has ended in a spill", () => {
  it.for(["drop", "deadLetter"] as const)("is not stored by the next process, nor is what was refused: %s", (then) => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const one = yield* Scope.provide(waiting(places, 3, { policy: policyOf(then), drain: "1 second" }), first)
        // Three at once are refused, then the first alone; the others have no answer.
        places.faults = refusing(2, { kind: "silence" })
        const told = yield* Fiber.join(one.publishes[0] as Fiber.Fiber<unknown, unknown>)
        expect(told).toBeInstanceOf(NotStored)
        expect(told).toMatchObject({ outcome: { stored: 0, mayBeStored: 0 } })
        yield* Scope.close(first, Exit.void)
        places.faults = {}
        const { leat, notes } = yield* openSpilling(places, { policy: policyOf(then) })
        yield* notes.publish(note("k", "3"))
        expect((yield* texts(places)).filter((text) => text !== null)).toEqual(["1", "2", "3"])
        expect(legRow(leat)).toMatchObject({ recovered: 2, stored: 3 })
      })
    )
  })

  it("is told as what may be stored while its disk settles nothing, and settled when its process closes", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const one = yield* Scope.provide(waiting(places, 3, { policy: policyOf("drop") }), first)
        let settles = 0
        places.diskFaults = { settle: () => (settles++ === 0 ? "silence" : undefined) }
        // Each alone at last.
        places.faults = refusing(5)
        for (const publish of one.publishes)
          expect(yield* Fiber.join(publish)).toMatchObject({
            outcome: { dropped: { Unauthorized: 1 }, mayBeStored: 1 }
          })
        expect(legRow(one.leat)).toMatchObject({ dropped: { Unauthorized: 3 }, droppedMayBeStored: 3, spilled: 0 })
        yield* Scope.close(first, Exit.void)
        places.faults = {}
        const { leat, notes } = yield* openSpilling(places, { policy: policyOf("drop") })
        yield* notes.publish(note("k", "3"))
        expect((yield* texts(places)).filter((text) => text !== null)).toEqual(["3"])
        expect(legRow(leat)).toMatchObject({ recovered: 0, stored: 1 })
      })
    )
  })

  it("is told once more by the next process where nothing could be settled, and the process that closes says so", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const one = yield* Scope.provide(openSpilling(places), first)
        places.faults = isAway
        for (const text of ["0", "1"]) yield* one.notes.publish(note("k", text), { level: "durable" })
        places.diskFaults = { settle: () => "silence" }
        places.faults = {}
        yield* until("all is stored", () => legRow(one.leat)?.stored === 2)
        yield* Scope.close(first, Exit.void)
        places.diskFaults = {}
        const { leat } = yield* openSpilling(places)
        yield* until("it is stored once more", () => legRow(leat)?.stored === 2)
        expect(yield* texts(places)).toEqual(["0", "1", "0", "1"])
      })
    )
    expect(lines.filter((line) => line.includes("could not settle"))).toEqual([
      "the spill far.notes.1.spill could not settle 2 records that were sent on, or given up: the next process sends them once more"
    ])
  })

  it("is not sent on again when the disk of its process loses its power", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* waiting(places, 3, { policy: policyOf("drop") })
        places.diskFaults = { settle: () => "silence" }
        places.faults = refusing(5)
        yield* until("all is dropped", () => legRow(leat)?.dropped["Unauthorized"] === 3)
        yield* notes.publish(note("k", "3"))
        yield* places.disk.losePower(0)
        yield* Effect.sleep("2 minutes")
        places.diskFaults = {}
        yield* notes.publish(note("k", "4"))
        yield* Effect.sleep("1 minute")
        expect((yield* texts(places)).filter((text) => text !== null)).toEqual(["3", "4"])
      })
    )
  })

  it("may be stored where a send of it had no answer before it was refused", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const one = yield* waiting(places, 1, { policy: policyOf("drop") })
        let sends = 0
        places.faults = { send: () => (sends++ === 0 ? { kind: "loseResponse" } : refused) }
        const told = yield* Fiber.join(one.publishes[0] as Fiber.Fiber<unknown, unknown>)
        expect(told).toMatchObject({ outcome: { dropped: { Unauthorized: 1 }, mayBeStored: 1 } })
        expect(legRow(one.leat)).toMatchObject({ dropped: { Unauthorized: 1 }, droppedMayBeStored: 1 })
        expect(yield* texts(places)).toContain("0")
      })
    )
  })

  it("may be stored where an earlier process has left it, which nobody can ask", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const one = yield* Scope.provide(openSpilling(places), first)
        places.faults = isAway
        yield* one.notes.publish(note("k", "0"), { level: "durable" })
        yield* Scope.close(first, Exit.void)
        places.faults = { send: () => refused }
        const { leat } = yield* openSpilling(places, { policy: policyOf("drop") })
        yield* until("it is dropped", () => legRow(leat)?.dropped["Unauthorized"] === 1)
        expect(legRow(leat)).toMatchObject({ recovered: 1, droppedMayBeStored: 1, balanced: true })
      })
    )
  })
})

describe("the room of a spill", () => {
  const full = 65_536
  const policy = [
    { on: ["passing"], then: "spill" },
    { on: ["SpillFull"], then: "drop" }
  ]
  const bytesOf = (places: SpillPlaces) => {
    const partition = places.disk.disk.topic("far.notes.1.spill").partitions[0]
    return Number((partition?.end ?? 0n) - (partition?.start ?? 0n)) * 1000
  }
  /** Outages, each with twenty events of 1,000 bytes and more. */
  const outages = Effect.fnUntraced(function* (
    places: SpillPlaces,
    count: number,
    opened: Effect.Success<ReturnType<typeof openSpilling>>
  ) {
    for (let outage = 0; outage < count; outage++) {
      places.faults = isAway
      for (let text = 0; text < 20; text++)
        opened.notes.offer({ key: "k", text: `${outage} ${text}`.padEnd(1000, ".") })
      yield* Effect.sleep("1 second")
      places.faults = {}
      yield* until(
        "nothing is left",
        () => opened.leat.sinks()[0]?.spilled?.records === 0 && legRow(opened.leat)?.queued === 0,
        60_000
      )
    }
  })

  it("is that of all on disk: also of what was sent on and is not given back yet", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const opened = yield* openSpilling(places, { policy, spill: { bytes: full } })
        places.diskFaults = { settle: () => "silence" }
        yield* outages(places, 10, opened)
        expect(bytesOf(places)).toBeLessThanOrEqual(full)
        const before = legRow(opened.leat)?.dropped["SpillFull"] ?? 0
        expect(before).toBeGreaterThan(0)
        // Settled at last, it has room again.
        places.diskFaults = {}
        yield* Effect.sleep("2 minutes")
        yield* outages(places, 3, opened)
        expect(legRow(opened.leat)?.dropped["SpillFull"]).toBe(before)
        yield* Effect.sleep("10 seconds")
        expect(bytesOf(places)).toBe(0)
      })
    )
  })

  it("comes back also when a trim has failed, and nothing is sent on any more", () => {
    const places = spillPlaces()
    let hasFailed = false
    spillStory(
      Effect.gen(function* () {
        const disk = (
          transport: Parameters<NonNullable<NonNullable<Parameters<typeof openSpilling>[1]>["disk"]>>[0]
        ) => ({
          trim: (...asked: Parameters<NonNullable<typeof transport.trim>>) => {
            if (hasFailed) return transport.trim?.(...asked) ?? Effect.void
            hasFailed = true
            return Effect.die(new Error("no trim"))
          }
        })
        const opened = yield* openSpilling(places, { policy, spill: { bytes: full }, disk })
        yield* outages(places, 1, opened)
        yield* Effect.sleep("10 seconds")
        expect(hasFailed).toBe(true)
        expect(bytesOf(places)).toBe(0)
      })
    )
  })
})
