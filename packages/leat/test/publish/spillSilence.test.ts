import { Effect, Exit, Option, Scope, Stream } from "effect"
import { memoryTransport } from "leat"
import { batchOf, sendEffect, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

const texts = Effect.fnUntraced(function* (places: ReturnType<typeof spillPlaces>) {
  return (yield* stored(places.far)).map(({ text }) => text)
})

/** One event in the spill, and the cluster there again. */
const spilledOne = Effect.fnUntraced(function* (
  places: ReturnType<typeof spillPlaces>,
  setting: Parameters<typeof openSpilling>[1] = {}
) {
  const opened = yield* openSpilling(places, setting)
  places.faults = isAway
  yield* opened.notes.publish(note("k", "0"), { level: "durable" })
  return opened
})

describe("a leg that spills", () => {
  it("sends on what somebody else has put into its spill, and tells only of events", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* spilledOne(places)
        const transport = memoryTransport(places.disk.disk)
        const foreign = batchOf([{ key: null, value: new Uint8Array([1, 2, 3]), headers: [], timeMs: 0 }])
        const writer = yield* transport.openWriter("far.notes.1.spill")
        yield* sendEffect(writer, 0, foreign, 0, 1, 1000)
        yield* notes.publish(note("k", "1"), { level: "durable" })
        places.faults = {}
        yield* until("both are stored", () => legRow(leat)?.stored === 2)
        yield* Effect.sleep("1 minute")
        expect(places.far.topic("notes").partitions[0]?.end).toBe(3n)
      })
    )
    expect(lines.filter((line) => line.includes("is empty after"))).toEqual([
      expect.stringMatching(/, 2 events of it stored$/)
    ])
  })

  it("goes on beside a settle of its disk that never answers, and tells", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* spilledOne(places)
        places.diskFaults = { settle: () => "silence" }
        places.faults = {}
        yield* until("it is stored", () => legRow(leat)?.stored === 1)
        yield* Effect.timeout(notes.publish(note("k", "1")), "3 seconds")
        // Not once more for each portion either.
        places.faults = isAway
        for (let text = 2; text < 12; text++) yield* notes.publish(note("k", String(text)), { level: "durable" })
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 12, 8000)
        expect(yield* texts(places)).toEqual(Array.from({ length: 12 }, (_, index) => String(index)))
        yield* Effect.sleep("2 minutes")
      })
    )
    const told = lines.filter((line) => line.includes("cannot settle"))
    expect(told).toEqual([
      "the spill far.notes.1.spill cannot settle partition 0, and is tried again; what was sent on from it is sent once more if this process ends, and keeps its room: no answer within 30000 ms"
    ])
  })

  it("has that settle begun anew: nothing comes twice from the next process", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        let settles = 0
        const first = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(spilledOne(places), first)
        places.diskFaults = { settle: () => (settles++ === 0 ? "silence" : undefined) }
        places.faults = {}
        yield* until("it is stored", () => legRow(leat)?.stored === 1)
        yield* notes.publish(note("k", "1"))
        yield* until("it is settled", () => settles === 2, 40_000)
        yield* Effect.sleep(100)
        yield* Scope.close(first, Exit.void)
        const next = yield* openSpilling(places)
        yield* next.notes.publish(note("k", "2"))
        expect(yield* texts(places)).toEqual(["0", "1", "2"])
        expect(places.disk.disk.topic("far.notes.1.spill").partitions[0]?.start).toBe(1n)
      })
    )
  })

  it("goes on beside a trim of its disk that never answers, and tells", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* spilledOne(places, { disk: () => ({ trim: () => Effect.never }) })
        for (let text = 1; text < 5; text++) {
          places.faults = {}
          yield* until("it is stored", () => legRow(leat)?.stored === text)
          yield* Effect.sleep("1 minute")
          places.faults = isAway
          yield* Effect.timeout(notes.publish(note("k", String(text)), { level: "durable" }), "3 seconds")
        }
        expect(yield* texts(places)).toEqual(["0", "1", "2", "3"])
      })
    )
    expect(lines.filter((line) => line.includes("room"))).toEqual([
      "the spill far.notes.1.spill does not give back the room of what was sent on from partition 0, and is asked again: no answer within 30000 ms"
    ])
  })

  it("joins again when a pull of its disk never answers, and keeps nothing in memory meanwhile", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* spilledOne(places)
        let pulls = 0
        places.diskFaults = { pull: () => (pulls++ === 0 ? "silence" : undefined) }
        places.faults = {}
        yield* until("it is read", () => pulls === 1)
        yield* Effect.timeout(notes.publish(note("k", "1"), { level: "durable" }), "3 seconds")
        yield* Effect.sleep("20 seconds")
        expect(leat.sinks()[0]?.trouble).toMatch(/the spill far.notes.1.spill does not give what it holds$/)
        yield* until("all is stored", () => legRow(leat)?.stored === 2, 20_000)
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
    expect(lines.filter((line) => line.includes("does not give what it holds"))).toHaveLength(1)
  })

  it("reads what its lane has passed over, before it gives anything up", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.map(subscribe(asked), (lane) => ({
                ...lane,
                batches: Stream.map(lane.batches, (batch) => ({
                  ...batch,
                  records: batch.records.filter(({ position }) => position % 2n === 0n)
                }))
              }))
          })
        })
        places.faults = isAway
        for (const text of ["0", "1", "2", "3"]) yield* notes.publish(note("k", text), { level: "durable" })
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 4)
        expect(yield* texts(places)).toEqual(["0", "1", "2", "3"])
        expect(legRow(leat)).toMatchObject({ spilled: 0, dropped: {}, balanced: true })
      })
    )
    expect(lines.filter((line) => line.includes("cannot be read"))).toEqual([])
  })

  it("sends nothing on twice because its disk has forgotten a settle", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        yield* Scope.provide(spilledOne(places), first)
        yield* Scope.close(first, Exit.void)
        places.diskFaults = { settle: () => "silence" }
        places.faults = {}
        const { leat } = yield* openSpilling(places)
        yield* until("it is stored", () => legRow(leat)?.stored === 1)
        yield* places.disk.losePower(0)
        yield* Effect.sleep("1 minute")
        expect(yield* texts(places)).toEqual(["0"])
        expect(legRow(leat)).toMatchObject({ admitted: 0, recovered: 1, stored: 1, balanced: true })
      })
    )
  })

  it("asks again what its disk holds when a read of it never answers", () => {
    const places = spillPlaces()
    let silent = 0
    const lines = spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        yield* Scope.provide(spilledOne(places), first)
        yield* Scope.close(first, Exit.void)
        places.faults = {}
        silent = 1
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ read }) => ({ read: (...asked) => (silent-- > 0 ? Stream.never : read(...asked)) })
        })
        notes.offer(note("k", "1"))
        yield* until("all is stored", () => legRow(leat)?.stored === 2, 60_000)
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
    expect(lines.filter((line) => line.includes("does not answer"))).toHaveLength(1)
  })

  it.for(["Unavailable", "LaneLost"] as const)(
    "closes each lane that comes anew, and is in no hurry for the next: %s",
    (reason) => {
      const places = spillPlaces()
      const lanes = { open: 0, ever: 0 }
      spillStory(
        Effect.gen(function* () {
          const opening = Effect.acquireRelease(
            Effect.sync(() => {
              lanes.open++
              lanes.ever++
            }),
            () => Effect.sync(() => lanes.open--)
          )
          const { leat } = yield* spilledOne(places, {
            disk: ({ subscribe }) => ({
              subscribe: (asked) =>
                Stream.map(subscribe(asked), (lane) => ({
                  ...lane,
                  batches: Stream.unwrap(Effect.as(opening, lane.batches))
                }))
            })
          })
          places.faults = {}
          places.diskFaults = { pull: () => reason }
          yield* Effect.sleep("10 minutes")
          expect(lanes.ever).toBeGreaterThan(100)
          expect(lanes.ever).toBeLessThan(10_000)
          expect(lanes.open).toBeLessThan(3)
          places.diskFaults = {}
          yield* until("it is stored", () => legRow(leat)?.stored === 1, 20_000)
        })
      )
    }
  )

  it("sends on at once in many partitions that nothing can be settled in", () => {
    const places = spillPlaces(8)
    spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places)
        places.faults = isAway
        for (let key = 0; key < 500; key++) notes.offer(note(`k${key}`, String(key)))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 500)
        places.diskFaults = { settle: () => "silence" }
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 500)
        yield* places.disk.losePower(0)
        yield* Effect.sleep("1500 millis")
        for (let key = 0; key < 100; key++) notes.offer(note(`k${key}`, String(key)))
        yield* until("what comes then is stored too", () => legRow(leat)?.stored === 600, 2000)
        expect(legRow(leat)).toMatchObject({ stored: 600, spilled: 0, balanced: true })
      })
    )
  })

  it.for(["Full", "Unavailable"] as const)(
    "tells once of an outage in which its disk takes nothing either: %s",
    (reason) => {
      const places = spillPlaces()
      const lines = spillStory(
        Effect.gen(function* () {
          const { leat, notes } = yield* openSpilling(places)
          places.faults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
          places.diskFaults = { send: () => ({ kind: "fail", reason }) }
          notes.offer(note("k", "0"))
          yield* Effect.sleep("10 minutes")
          places.faults = {}
          yield* until("it is stored", () => legRow(leat)?.stored === 1, 20_000)
        })
      )
      expect(lines.filter((line) => line.includes("goes to the spill"))).toHaveLength(1)
      expect(lines.filter((line) => line.includes("is empty after"))).toEqual([])
    }
  )

  it("is refused where its disk gives no room back", () => {
    spillStory(
      Effect.gen(function* () {
        const failed = yield* Effect.flip(openSpilling(spillPlaces(), { disk: () => ({ trim: undefined as never }) }))
        expect(failed.message).toContain(
          "disk cannot trim a topic, so what was sent on from a spill would stay there for ever; name another cluster"
        )
      })
    )
  })

  it("is opened anew when its driver breaks where nobody looks, and says so", () => {
    const places = spillPlaces()
    let isBroken = false
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ bounds }) => ({
            bounds: (...asked) =>
              Effect.map(bounds(...asked), (rows) => {
                if (!isBroken) return rows
                isBroken = false
                return null as never
              })
          })
        })
        places.faults = isAway
        yield* notes.publish(note("k", "0"), { level: "durable" })
        isBroken = true
        yield* places.disk.losePower(0)
        yield* Effect.sleep("3 seconds")
        places.faults = {}
        notes.offer(note("k", "1"))
        yield* until("all is stored", () => legRow(leat)?.stored === 2, 30_000)
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
    expect(lines.filter((line) => /does not answer|is opened anew/.test(line))).toHaveLength(1)
  })

  it.for([".spill.owner", ".spill"])("says why it cannot be had: the disk refuses %s", (ending) => {
    const places = spillPlaces()
    const error = new TransportError({
      reason: "Unauthorized",
      transport: "powerLoss",
      operation: "subscribe",
      detail: "no right to read the group"
    })
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat } = yield* spilledOne(places, {
          disk: ({ subscribe }) => ({
            subscribe: (asked) => (asked.topic.endsWith(ending) ? Stream.fail(error) : subscribe(asked))
          })
        }).pipe(Effect.timeoutOption("20 seconds"), Effect.map(Option.getOrElse(() => ({ leat: undefined }))))
        places.faults = {}
        yield* Effect.sleep("30 seconds")
        expect(leat === undefined || /no right to read the group/.test(leat.sinks()[0]?.trouble ?? "")).toBe(true)
      })
    )
    expect(lines.some((line) => line.includes("has not been given to this process"))).toBe(false)
    expect(lines.some((line) => line.includes("no right to read the group"))).toBe(true)
  })

  it("sends nothing on of which its disk has not said yet that it has it", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        let lateMs = 0
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ openWriter }) => ({
            openWriter: (topic) =>
              Effect.gen(function* () {
                const writer = yield* openWriter(topic)
                const context = yield* Effect.context<never>()
                return {
                  ...writer,
                  send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) =>
                    writer.send(partition, batch, from, to, timeoutMs, (runs) => {
                      if (lateMs === 0) answer(runs)
                      else
                        Effect.runForkWith(context)(
                          Effect.delay(
                            Effect.sync(() => answer(runs)),
                            lateMs
                          )
                        )
                    })
                }
              })
          })
        })
        places.faults = isAway
        yield* notes.publish(note("k", "0"), { level: "durable" })
        lateMs = 400
        notes.offer(note("k", "1"))
        const log = places.disk.disk.topic("far.notes.1.spill").partitions[0]
        yield* until("it is on the disk", () => log?.end === 2n)
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 2)
        expect(legRow(leat)).toMatchObject({ spilled: 0, balanced: true })
        expect(yield* texts(places)).toEqual(["0", "1"])
      })
    )
  })
})
