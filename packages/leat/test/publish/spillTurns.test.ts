/** How a turn of a process that only reads ends: what it has on its way is answered before another process has the spill. */
import { Effect, Exit, Scope, Stream } from "effect"
import type { FaultPlan } from "leat/testing"
import type { Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, type SpillPlaces, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

const durable = { level: "durable" } as const

/** So many events are left in the spill by a process that has ended. */
const leftBehind = Effect.fnUntraced(function* (places: SpillPlaces, texts: ReadonlyArray<string>, setting = {}) {
  const scope = yield* Scope.make()
  const { notes } = yield* Scope.provide(openSpilling(places, setting), scope)
  places.faults = isAway
  for (const text of texts) yield* notes.publish(note("k", text), durable)
  yield* Scope.close(scope, Exit.void)
})

const texts = (places: SpillPlaces, topic = "notes") =>
  Effect.map(stored(places.far, topic), (all) => all.map(({ text }) => text))

/** The topic answers so late, longer than a turn lasts. */
const slow = (topic: string, ms = 6000): FaultPlan => ({
  send: (call) => (call.topic === topic ? { kind: "delay", ms } : undefined)
})
const patient = { leg: { timeout: "30 seconds" } }

describe("a turn of a process that only reads", () => {
  it("sends on once what its cluster is slow to answer", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* leftBehind(places, ["0", "1"], patient)
        places.faults = slow("notes")
        const { leat } = yield* openSpilling(places, patient)
        yield* Effect.sleep("5 minutes")
        expect(yield* texts(places)).toEqual(["0", "1"])
        expect(legRow(leat)).toMatchObject({ recovered: 2, stored: 2 })
      })
    )
  })

  it.each(["delay", "cut"] as const)(
    "leaves nothing behind that lands later than what a publisher sends: %s",
    (kind) => {
      const places = spillPlaces()
      spillStory(
        Effect.gen(function* () {
          yield* leftBehind(places, ["0", "1"], patient)
          places.faults = { send: () => (kind === "cut" ? { kind: "lateWrite", ms: 8000 } : { kind, ms: 8000 }) }
          yield* openSpilling(places, patient)
          yield* Effect.sleep("5 seconds")
          places.faults = {}
          const { notes } = yield* openSpilling(places, patient)
          yield* notes.publish(note("k", "own"))
          yield* Effect.sleep("1 minute")
          const all = yield* texts(places)
          expect(all.at(-1)).toBe("own")
          expect([...new Set(all)]).toEqual(["0", "1", "own"])
        })
      )
    }
  )

  it("begins nothing any more when it is over: a publisher waits for what is on its way, and not for a backlog", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        // One portion of many requests.
        const setting = { leg: { timeout: "30 seconds", batch: { bytes: 500 } } }
        yield* leftBehind(
          places,
          Array.from({ length: 400 }, (_, index) => String(index)),
          setting
        )
        places.faults = slow("notes", 1000)
        const { leat } = yield* openSpilling(places, setting)
        yield* until("its turn has begun", () => (legRow(leat)?.stored ?? 0) > 0)
        const later = yield* openSpilling(places, setting)
        const told = yield* Effect.timeoutOption(later.notes.publish(note("k", "own"), durable), "8 seconds")
        expect(told._tag).toBe("Some")
      })
    )
  })

  it("sets a record aside once where the topic of dead letters is slow", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const setting = {
          ...patient,
          policy: [
            { on: ["passing"], then: "spill" },
            { on: ["Rejected"], then: "deadLetter" }
          ]
        }
        yield* leftBehind(places, ["bad"], setting)
        const { send } = slow("notes.undelivered")
        places.faults = {
          send: (call) => (call.topic === "notes" ? { kind: "fail", reason: "Rejected" } : send?.(call))
        }
        const { leat } = yield* openSpilling(places, setting)
        yield* Effect.sleep("5 minutes")
        expect(yield* texts(places, "notes.undelivered")).toEqual(["bad"])
        expect(legRow(leat)).toMatchObject({ recovered: 1, deadLettered: { Rejected: 1 } })
      })
    )
  })

  it("takes back a letter that is not stored when it is over", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const policy = [
          { on: ["passing"], then: "spill" },
          { on: ["Rejected"], then: "deadLetter" }
        ]
        yield* leftBehind(places, ["good"], { policy })
        const refuse: FaultPlan = {
          send: ({ topic }) => ({ kind: "fail", reason: topic === "notes" ? "Rejected" : "Unavailable" })
        }
        places.faults = refuse
        const { leat } = yield* openSpilling(places, { policy })
        yield* Effect.sleep("1 minute")
        // It is a clock that was wrong, say: the cluster takes the record now, and letters too.
        places.faults = {}
        yield* Effect.sleep("1 minute")
        expect(yield* texts(places)).toEqual(["good"])
        expect(
          places.far.topics.includes("notes.undelivered") ? yield* texts(places, "notes.undelivered") : []
        ).toEqual([])
        expect(legRow(leat)).toMatchObject({ stored: 1, deadLettered: {} })
      })
    )
  })

  it("tells nobody later of a drop that it could not announce: another process has stored the event", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* leftBehind(places, ["0", "1"])
        let sends = 0
        places.faults = { send: () => ({ kind: "fail", reason: sends++ < 2 ? "Rejected" : "Unavailable" }) }
        yield* openSpilling(places)
        yield* until("it has refused", () => sends > 2)
        // Longer than a turn, and than what is on its way is waited for.
        yield* Effect.sleep("12 seconds")
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places), scope)
        places.faults = {}
        yield* notes.publish(note("k", "2"))
        yield* Scope.close(scope, Exit.void)
        yield* leftBehind(places, ["3"])
        places.faults = {}
        yield* Effect.sleep("2 minutes")
        const all = yield* stored(places.far)
        // What has no text announces drops.
        expect(all.map(({ text }) => text)).toEqual(["0", "1", "2", "3"])
      })
    )
  })

  it("does not begin while its cluster is away: a publisher has the spill at once, however many read", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* leftBehind(places, ["0", "1"])
        for (let at = 0; at < 8; at++) {
          yield* openSpilling(places)
          yield* Effect.sleep(700)
        }
        yield* Effect.sleep("2 minutes")
        const { leat, notes } = yield* openSpilling(places)
        yield* Effect.timeout(notes.publish(note("k", "2"), durable), "500 millis")
        places.faults = {}
        yield* until("all is sent on", () => legRow(leat)?.stored === 3)
        expect(yield* texts(places)).toEqual(["0", "1", "2"])
      })
    )
  })

  it("comes where nobody waits for the spill: of many that read and one that publishes that one has it soon", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const places = spillPlaces()
      spillStory(
        Effect.gen(function* () {
          const setting = { ...patient, spill: { rate: 1 } }
          yield* leftBehind(
            places,
            Array.from({ length: 200 }, (_, index) => String(index)),
            setting
          )
          places.faults = slow("notes", 1000)
          for (let at = 0; at < 8; at++) {
            yield* openSpilling(places, setting)
            yield* Effect.sleep(700)
          }
          yield* Effect.sleep("30 seconds")
          const { notes } = yield* openSpilling(places, setting)
          const told = yield* Effect.timeoutOption(notes.publish(note("k", "own"), durable), "15 seconds")
          expect(told._tag).toBe("Some")
        }),
        seed
      )
    }
  })

  it("is asked for by a fence that keeps no publisher from the spill, whatever its driver does with it", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* leftBehind(places, ["0"])
        let isHung = true
        const { leat, notes } = yield* openSpilling(places, {
          far: ({ openWriter }) => ({
            openWriter: (topic) =>
              Effect.map(openWriter(topic), (writer) => ({
                ...writer,
                fence: (partition) =>
                  Effect.uninterruptible(
                    isHung ? Effect.delay(writer.fence(partition), "1 minute") : writer.fence(partition)
                  )
              }))
          })
        })
        yield* Effect.sleep("3 seconds")
        yield* Effect.timeout(notes.publish(note("k", "1"), durable), "1 second")
        isHung = false
        places.faults = {}
        yield* until("all is sent on", () => legRow(leat)?.stored === 2, 120_000)
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
  })

  it("leaves to others to say what stays in the spill when its process ends", () => {
    const places = spillPlaces()
    const warned = spillStory(
      Effect.gen(function* () {
        const setting = { ...patient, spill: { rate: 1 } }
        yield* leftBehind(places, ["0", "1", "2"], setting)
        places.faults = slow("notes")
        const reading = yield* Scope.make()
        const { leat } = yield* Scope.provide(openSpilling(places, setting), reading)
        yield* until("its turn has sent one on", () => leat.sinks()[0]?.spilled?.records === 2, 60_000)
        places.faults = isAway
        yield* Effect.sleep("20 seconds")
        expect(leat.sinks()[0]?.spilled?.records).toBe(2)
        yield* Scope.close(reading, Exit.void)
      })
    )
    // The process that has left them said so.
    expect(warned.filter((line) => line.includes("stay in the spill"))).toHaveLength(1)
  })

  it("comes in the end where the spill takes long to give its lanes", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* leftBehind(places, ["0", "1"])
        places.faults = {}
        const { leat } = yield* openSpilling(places, {
          disk: ({ subscribe }) => ({
            subscribe: (asked) => Stream.unwrap(Effect.delay(Effect.succeed(subscribe(asked)), 5000))
          })
        })
        yield* until("all is sent on", () => legRow(leat)?.stored === 2, 120_000)
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
  })

  it("is long enough for a cluster that takes longer than a turn to fence", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const setting = {
          ...patient,
          far: ({ openWriter }: Transport): Partial<Transport> => ({
            openWriter: (topic) =>
              Effect.map(openWriter(topic), (writer) => ({
                ...writer,
                fence: (partition) => Effect.delay(writer.fence(partition), 6000)
              }))
          })
        }
        yield* leftBehind(places, ["0", "1"], setting)
        places.faults = {}
        const { leat } = yield* openSpilling(places, setting)
        yield* until("all is sent on", () => legRow(leat)?.stored === 2, 120_000)
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
  })

  it("tells once of a record that stands, which is shown between its turns too", () => {
    const places = spillPlaces()
    const warned = spillStory(
      Effect.gen(function* () {
        const setting = {
          policy: [
            { on: ["passing"], then: "spill" },
            { on: ["Rejected"], then: "halt" }
          ]
        }
        yield* leftBehind(places, ["bad", "good"], setting)
        places.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        const { leat } = yield* openSpilling(places, setting)
        yield* until("it stands", () => leat.halted().length === 1, 60_000)
        for (let minute = 0; minute < 60; minute++) {
          yield* Effect.sleep(59_000 + minute * 7)
          expect(leat.halted()).toMatchObject([{ tag: "Rejected", partition: 0 }])
        }
        places.faults = {}
        yield* until("all is sent on", () => legRow(leat)?.stored === 2, 60_000)
        expect(leat.halted()).toEqual([])
      })
    )
    expect(warned.filter((line) => line.includes("stands, and is tried again each time"))).toHaveLength(1)
    expect(warned.filter((line) => line.includes("holds 2 events"))).toHaveLength(1)
  })

  it("shows nothing as standing that another process has sent on", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const policy = [
          { on: ["passing"], then: "spill" },
          { on: ["Rejected"], then: "halt" }
        ]
        yield* leftBehind(places, ["bad"], { policy })
        places.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        const { leat } = yield* openSpilling(places, { policy })
        yield* until("it stands", () => leat.halted().length === 1, 60_000)
        const { notes } = yield* openSpilling(places, { policy })
        places.faults = {}
        yield* notes.publish(note("k", "own"))
        yield* Effect.sleep("1 minute")
        expect(leat.halted()).toEqual([])
      })
    )
  })
})
