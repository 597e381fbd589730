import { Effect, Fiber } from "effect"
import { Leat, MemoryBroker, memoryDriver, type OpenLeat, TransportError } from "leat"
import { faultDriver } from "leat/testing"
import type { Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { again, big, story } from "./stories.js"

const bytes = 262_144

/** Topics whose sends have no answer for so many milliseconds; the others are stored at once. */
type Slow = Readonly<Record<string, number>>

const routeOf = (stream: string, topics: ReadonlyArray<string>, leg: object) => ({
  match: { stream: `test.${stream}` },
  to: topics.map((topic, at) => ({
    cluster: "local",
    topic,
    policy: "leg",
    wire: "cloudevents",
    linger: "0 millis",
    batch: { bytes: 4096 },
    read: at === 0,
    buffer: { bytes },
    ...leg
  }))
})

const tableOf = (leg: object, version = 1) => ({
  version,
  clusters: { local: { transport: "memory" } },
  policies: { leg: again },
  routes: [
    routeOf("dead", ["dead"], leg),
    routeOf("live", ["live"], leg),
    routeOf("both", ["dead", "live"], leg),
    routeOf("third", ["third"], leg),
    routeOf("half", ["half", "closed"], leg)
  ]
})

/** A driver that may not write to the topic `closed`. */
const withoutClosed = (inner: Driver): Driver => ({
  ...inner,
  open: (...asked) =>
    Effect.map(inner.open(...asked), (transport) => ({
      ...transport,
      openWriter: (topic) =>
        topic === "closed"
          ? Effect.delay(
              Effect.fail(
                new TransportError({
                  reason: "Unauthorized",
                  transport: "memory",
                  operation: "openWriter",
                  detail: "no"
                })
              ),
              100
            )
          : transport.openWriter(topic)
    }))
})

/** Two topics under one bound, and a stream for each; the bound is that of one of them alone. */
const openTwo = Effect.fnUntraced(function* (slow: Slow, leg: object = {}, boundBytes = bytes) {
  const broker = new MemoryBroker({ partitions: 1 })
  const send = ({ topic }: { readonly topic: string }) => {
    const ms = slow[topic]
    return ms === undefined ? undefined : ({ kind: "delay", ms } as const)
  }
  const leat = yield* Leat.make({
    source: "test",
    routes: tableOf(leg),
    drain: "100 millis",
    buffers: { bytes: boundBytes },
    drivers: [withoutClosed(faultDriver(memoryDriver(broker), { send }))]
  })
  const stream = (name: string) => leat.stream(noteContract({ name, stream: `test.${name}` }))
  return { leat, stream, dead: yield* stream("dead"), live: yield* stream("live") }
})

const never = 10_000_000
const held = (leat: OpenLeat) => leat.sinks().map(({ bufferedBytes }) => bufferedBytes)
const sumHeld = (leat: OpenLeat) => held(leat).reduce((sum, one) => sum + one, 0)

describe("a bound over all buffers", () => {
  it.each([
    ["larger than the bound", 32 * 65_536, "buffersFull", "buffers of all destinations together are full"],
    ["as large as the bound", 65_536, "overflow", "the buffer of memory/test.notes (65536 bytes) is full"]
  ] as const)("is told from the buffer of the one destination that there is, %s", (_, ownBytes, reason, words) =>
    story(
      Effect.gen(function* () {
        const buffer = { bytes: ownBytes, overflow: "reject" }
        const to = [{ cluster: "memory", topic: "{stream}", linger: "1 second", batch: { bytes: 4096 }, buffer }]
        const routes = {
          version: 1,
          clusters: { memory: { transport: "memory" } },
          routes: [{ match: { stream: "*" }, to }]
        }
        const leat = yield* Leat.make({
          source: "test",
          routes,
          buffers: { bytes: 65_536 },
          drivers: [withoutClosed(memoryDriver(new MemoryBroker({ partitions: 1 })))]
        })
        const notes = yield* leat.stream(noteContract())
        while (notes.offer(big("fill")).admitted);
        expect(notes.offer(big("late"))).toEqual({ admitted: false, reason })
        const error = yield* Effect.flip(notes.publish(big("late")))
        expect(error.message).toContain(words)
      })
    )
  )

  it("leaves a neighbour of a dead destination its share, and names itself to who is rejected", () =>
    story(
      Effect.gen(function* () {
        const { leat, dead, live } = yield* openTwo(
          { dead: never, live: never },
          { buffer: { bytes, overflow: "reject" } }
        )
        while (dead.offer(big("fill")).admitted);
        const told = dead.offer(big("late"))
        expect(told).toEqual({ admitted: false, reason: "buffersFull" })
        const error = yield* Effect.flip(dead.publish(big("late")))
        expect(error).toMatchObject({ reason: "buffersFull" })
        const [deadBytes = 0, liveBytes = 0] = held(leat)
        expect([deadBytes > bytes * 0.7, liveBytes]).toEqual([true, 0])
        expect(error.message).toContain(
          `the buffers of all destinations together are full (buffers.bytes: ${bytes} bytes), of which local/dead has ${deadBytes}; its own share is ${bytes / 4}`
        )
        let count = 0
        while (live.offer(big("mine")).admitted) count++
        // Four kilobytes for each of three.
        expect(count).toBeGreaterThan(15)
        expect(leat.sinks().map(({ shareBytes }) => shareBytes)).toEqual([bytes / 4, bytes / 4])
        expect(sumHeld(leat)).toBeLessThanOrEqual(bytes)
        const { streams } = leat.ledger.snapshot()
        expect(streams).toMatchObject([{ rejected: { buffersFull: 3 } }, { rejected: { buffersFull: 1 } }])
      })
    ))

  it("is the bound of a record too", () =>
    story(
      Effect.gen(function* () {
        const { dead } = yield* openTwo({}, { buffer: { bytes: 4 * bytes } })
        const error = yield* Effect.flip(dead.publish(big("large", bytes + 1)))
        expect(error).toMatchObject({ reason: "tooLarge" })
        expect(error.message).toContain(`local/dead takes ${bytes}`)
        yield* dead.publish(big("large", bytes - 1000))
      })
    ))

  it("wakes who waits when room comes free at another destination", () =>
    story(
      Effect.gen(function* () {
        const { leat, dead, live } = yield* openTwo({ dead: 500, live: never }, { timeout: "20 seconds" })
        while (dead.offer(big("fill")).admitted);
        while (live.offer(big("mine")).admitted);
        const waiting = yield* Effect.forkChild(live.publish(big("late"), { level: "queued" }))
        yield* Effect.sleep(400)
        expect(leat.ledger.snapshot().streams).toMatchObject([{ waiting: 0 }, { waiting: 1 }])
        yield* Effect.sleep(200)
        expect(yield* Fiber.join(waiting)).toMatchObject({ id: { stream: "test.live" } })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("is named to a publish whose time is over", () =>
    story(
      Effect.gen(function* () {
        const { dead } = yield* openTwo({ dead: never }, { timeout: "2 seconds" })
        while (dead.offer(big("fill")).admitted);
        const error = yield* Effect.flip(dead.publish(big("late")))
        expect(error).toMatchObject({ reason: "timeout" })
        expect(error.message).toContain("local/dead had no room for it within 2000 ms: the buffers of all destinations")
      })
    ))

  it("drops for a record only what is of its own destination", () =>
    story(
      Effect.gen(function* () {
        const { leat, dead, live } = yield* openTwo(
          { dead: never, live: never },
          { buffer: { bytes, overflow: "dropOldest" } }
        )
        for (let index = 0; index < 200; index++) live.offer(big(`${index}`))
        const before = held(leat)[1] ?? 0
        for (let index = 0; index < 200; index++) dead.offer(big(`${index}`))
        const [deadBytes = 0, liveBytes = 0] = held(leat)
        expect([liveBytes, deadBytes >= bytes / 4 - 4096]).toEqual([before, true])
        expect(sumHeld(leat)).toBeLessThanOrEqual(bytes)
        // What was dropped for a record is told as ever: it was for room.
        const { legs, balanced } = leat.ledger.snapshot()
        expect(legs.every(({ dropped }) => Object.keys(dropped).join() === "overflow")).toBe(true)
        expect(balanced).toBe(true)
      })
    ))

  it("drops nothing for a record that has no room all the same: a destination that has opened meanwhile has its share first", () =>
    story(
      Effect.gen(function* () {
        const leg = { batch: { bytes: 32_768 }, buffer: { bytes: 4 * bytes, overflow: "dropOldest" } }
        const { leat, stream, dead } = yield* openTwo({ dead: never }, leg)
        // Five batches are on their way, and one may be dropped.
        for (let index = 0; index < 6; index++) {
          expect(dead.offer(big(`${index}`, 30_000)).admitted).toBe(true)
          yield* Effect.sleep(5)
        }
        yield* stream("third")
        const told = dead.offer(big("late", 30_000))
        const [ofDead] = leat.ledger.snapshot().legs
        expect([told, ofDead?.queued, ofDead?.inFlight, ofDead?.dropped]).toEqual([
          { admitted: false, reason: "buffersFull" },
          1,
          5,
          {}
        ])
        // One that fits beside that share is admitted for it.
        const { admitted } = dead.offer(big("small", 3000))
        expect([admitted, leat.ledger.snapshot().legs[0]?.dropped]).toEqual([true, { overflow: 1 }])
        expect(sumHeld(leat)).toBeLessThanOrEqual(bytes)
      })
    ))

  it.each(Array.from({ length: 12 }, (_, index) => 400 + 250 * index))(
    "admits an event of %i bytes to all of its legs or to none, also where one takes what was free for the other",
    (size) =>
      story(
        Effect.gen(function* () {
          const { leat, stream, dead } = yield* openTwo(
            { dead: never, live: never },
            { buffer: { bytes, overflow: "reject" } }
          )
          const both = yield* stream("both")
          // So that what is left in the end is enough for one of the two legs.
          dead.offer(big("first", 3500))
          let admitted = 0
          while (both.offer(big("x", size)).admitted) admitted++
          const { legs, balanced } = leat.ledger.snapshot()
          const ofBoth = legs.filter((row) => row.stream === "test.both")
          expect(ofBoth.map(({ queued, inFlight, dropped }) => [queued + inFlight, dropped])).toEqual([
            [admitted, {}],
            [admitted, {}]
          ])
          expect(balanced).toBe(true)
          // What an event takes on its other legs is all that may be above the bound.
          expect(sumHeld(leat)).toBeLessThanOrEqual(bytes + 4096)
          expect(sumHeld(leat)).toBeGreaterThan(bytes * 0.9)
        })
      )
  )

  it("has all its room again when a destination stores again, and shares out anew when tables change and sinks open", () =>
    story(
      Effect.gen(function* () {
        const { leat, stream, dead, live } = yield* openTwo({ dead: 50 }, {}, 2 * bytes)
        for (let round = 0; round < 3; round++) {
          while (dead.offer(big("fill")).admitted);
          while (live.offer(big("fill")).admitted);
          yield* leat.flush
          expect(sumHeld(leat)).toBe(0)
        }
        expect(leat.sinks().map(({ shareBytes }) => shareBytes)).toEqual([131_072, 131_072])
        yield* leat.swapRoutes(tableOf({ buffer: { bytes: 65_536 } }, 2))
        expect(leat.sinks().map(({ shareBytes }) => shareBytes)).toEqual([65_536, 65_536])
        yield* stream("third")
        expect(leat.sinks().map(({ shareBytes }) => shareBytes)).toEqual([65_536, 65_536, 65_536])
        yield* leat.swapRoutes(tableOf({}, 3))
        expect(leat.sinks().map(({ shareBytes }) => shareBytes)).toEqual([87_381, 87_381, 87_381])
      })
    ))

  it("gives the share of a destination that closes to the others", () =>
    story(
      Effect.gen(function* () {
        const { leat, stream } = yield* openTwo({})
        const opening = yield* Effect.forkChild(Effect.flip(stream("half")))
        yield* Effect.sleep(50)
        expect(leat.sinks().map(({ sink, shareBytes }) => [sink, shareBytes])).toEqual([
          ["local/dead", 43_690],
          ["local/live", 43_690],
          ["local/half", 43_690]
        ])
        expect(yield* Fiber.join(opening)).toMatchObject({ reason: "Unauthorized" })
        yield* Effect.sleep(50)
        expect(leat.sinks().map(({ shareBytes }) => shareBytes)).toEqual([65_536, 65_536])
      })
    ))
})
