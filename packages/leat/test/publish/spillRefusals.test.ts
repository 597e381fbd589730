import { Clock, Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import type { FaultPlan } from "leat/testing"
import { type Transport, TransportError } from "leat/transport"
import { WallClock } from "../../src/testing/story/WallClock.js"
import { big, legRow, note, stored } from "./stories.js"
import { answering, isAway, openSpilling, type SpillPlaces, spillPlaces, spillStory, until } from "./spillStory.js"

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))
const texts = (places: SpillPlaces, topic = "notes") =>
  Effect.map(stored(places.far, topic), (all) => all.map(({ text }) => text))
const refusing = (reason: "Rejected" | "Unauthorized" | "TooLarge", count?: number): FaultPlan => ({
  send: (call) =>
    call.topic === "notes" && (count === undefined || call.count >= count) ? { kind: "fail", reason } : undefined
})

/** A destination that takes requests of so many bytes; it says of each whether it was taken. */
const taking =
  (bytesMax: number, asked: (bytes: number, isTaken: boolean) => void) =>
  ({ openWriter }: Transport): Partial<Transport> => ({
    openWriter: (topic) =>
      Effect.map(openWriter(topic), (writer) => ({
        ...writer,
        send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) => {
          const bytes = batch.rangeBytes(from, to)
          asked(bytes, bytes <= bytesMax)
          if (bytes <= bytesMax) return writer.send(partition, batch, from, to, timeoutMs, answer)
          const error = new TransportError({
            reason: "TooLarge",
            transport: "memory",
            operation: "send",
            detail: `more than ${bytesMax} bytes`
          })
          answer([{ from, to, fate: "notStored", error }])
        }
      }))
  })

/** A stream whose first events are in its spill. */
const spilledNotes = Effect.fnUntraced(function* (policy: ReadonlyArray<object>, count: number) {
  const places = spillPlaces()
  const opened = yield* openSpilling(places, { policy: [{ on: ["passing"], then: "spill" }, ...policy] })
  places.faults = isAway
  for (const text of numbers(count)) opened.notes.offer(note("k", text))
  yield* until("they are in the spill", () => legRow(opened.leat)?.spilled === count)
  return { places, ...opened }
})

describe("a record of a spill that its destination refuses", () => {
  it("waits, and is not set aside, while most of what is sent fails for a reason that is not its own", () => {
    const warnings = spillStory(
      Effect.gen(function* () {
        const { places, leat } = yield* spilledNotes([{ on: ["*"], then: "deadLetter" }], 300)
        places.faults = refusing("Unauthorized")
        yield* Effect.sleep("5 minutes")
        expect(legRow(leat)).toMatchObject({ spilled: 300, deadLettered: {}, stored: 0, balanced: true })
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 300, 60_000)
        expect(yield* texts(places)).toEqual(numbers(300))
        yield* Effect.sleep("1 minute")
      })
    )
    expect(warnings.filter((text) => text.startsWith("most of what is sent"))).toEqual([
      "most of what is sent to far/notes fails: what fails for a passing reason is not dead-lettered now, it waits and is tried again",
      "most of what is sent to far/notes is stored again; what still fails is dead-lettered"
    ])
  })

  it("is sent on with no more others than the destination takes at once, which is found once", () =>
    void spillStory(
      Effect.gen(function* () {
        const places = spillPlaces()
        const [sizes, refused]: [Array<number>, Array<number>] = [[], []]
        const far = taking(50_000, (bytes, isTaken) => void (isTaken ? sizes : refused).push(bytes))
        const { leat, notes } = yield* openSpilling(places, { far, leg: { batch: { bytes: 200_000 } } })
        const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        places.faults = away
        for (const text of numbers(400)) notes.offer(big(text, 2000))
        yield* until("they are in the spill", () => legRow(leat)?.spilled === 400)
        sizes.length = 0
        refused.length = 0
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 400, 60_000)
        expect(Math.max(...refused)).toBeLessThanOrEqual(200_000)
        // 200,000 bytes, 100,000, and perhaps half of that with a few more.
        expect(refused.length).toBeLessThanOrEqual(3)
        expect(sizes.length).toBeLessThan(50)
      })
    ))

  it("is set aside alone where it is the only one, whatever the reason", () =>
    void spillStory(
      Effect.gen(function* () {
        const { places, leat } = yield* spilledNotes([{ on: ["*"], then: "deadLetter" }], 10)
        let alone = 0
        places.faults = {
          send: ({ topic, count }) =>
            topic === "notes" && alone < 4 && (count > 1 || alone++ === 3)
              ? { kind: "fail", reason: "Unauthorized" }
              : undefined
        }
        yield* until("all has ended", () => legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ stored: 9, deadLettered: { Unauthorized: 1 }, balanced: true })
        expect(yield* texts(places, "notes.undelivered")).toHaveLength(1)
      })
    ))

  it("lets one be set aside in ten minutes of such an outage, which shows when there is none", () =>
    void spillStory(
      Effect.gen(function* () {
        const { places, leat } = yield* spilledNotes([{ on: ["*"], then: "deadLetter" }], 300)
        places.faults = refusing("Unauthorized")
        yield* Effect.sleep("25 minutes")
        expect(legRow(leat)).toMatchObject({ spilled: 298, deadLettered: { Unauthorized: 2 }, stored: 0 })
      })
    ))

  for (const [then, ended] of [
    ["drop", { dropped: { Rejected: 3 } }],
    ["deadLetter", { deadLettered: { Rejected: 3 } }]
  ] as const)
    it(`is tried again until the deadline of its rule, from its first refusal there on: ${then}`, () =>
      void spillStory(
        Effect.gen(function* () {
          const retry = { deadline: "2 seconds", base: "100 millis" }
          const { places, leat } = yield* spilledNotes([{ on: ["*"], retry, then }], 3)
          // Nothing of the time before counts.
          yield* Effect.sleep("1 minute")
          places.faults = refusing("Rejected")
          yield* Effect.sleep("1900 millis")
          expect(legRow(leat)).toMatchObject({ spilled: 3 })
          // A pause that has begun is up to six seconds long.
          yield* until("all has ended", () => legRow(leat)?.spilled === 0, 6500)
          expect(legRow(leat)).toMatchObject({ ...ended, balanced: true })
        })
      ))

  it("stands when the deadline of its rule is over, and `resume` begins anew", () =>
    void spillStory(
      Effect.gen(function* () {
        const retry = { deadline: "2 seconds", base: "100 millis" }
        const { places, leat } = yield* spilledNotes([{ on: ["*"], retry, then: "halt" }], 3)
        places.faults = refusing("Rejected")
        yield* Effect.sleep("1900 millis")
        expect(leat.halted()).toEqual([])
        yield* until("it stands", () => leat.halted().length === 1, 5200)
        yield* leat.resume
        yield* Effect.sleep("1500 millis")
        expect(leat.halted()).toEqual([])
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 3)
        expect(yield* texts(places)).toEqual(numbers(3))
      })
    ))

  it("has the attempts of its rule, once for all that were sent with it", () =>
    void spillStory(
      Effect.gen(function* () {
        const retry = { times: 3, base: "1 second", jitter: 0 }
        const { places, leat } = yield* spilledNotes([{ on: ["*"], retry, then: "drop" }], 64)
        places.faults = refusing("Rejected")
        yield* Effect.sleep("2900 millis")
        expect(legRow(leat)).toMatchObject({ spilled: 64 })
        yield* until("all has ended", () => legRow(leat)?.spilled === 0, 6000)
        expect(legRow(leat)).toMatchObject({ dropped: { Rejected: 64 }, balanced: true })
      })
    ))

  it("is found by halves where what is sent together is too large", () =>
    void spillStory(
      Effect.gen(function* () {
        const { places, leat } = yield* spilledNotes([{ on: ["TooLarge"], then: "drop" }], 64)
        places.faults = refusing("TooLarge", 10)
        yield* until("all has ended", () => legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ stored: 64, dropped: {}, balanced: true })
        expect(yield* texts(places)).toEqual(numbers(64))
      })
    ))
})

const hourMs = 3_600_000
const ahead = new TransportError({ reason: "Rejected", transport: "far", operation: "send", detail: "of tomorrow" })

/** Refuses a time that is more than an hour ahead, as Kafka does. */
const refusesTomorrow =
  (nowMs: () => number) =>
  (transport: Transport): Partial<Transport> => ({
    openWriter: (topic) =>
      Effect.map(transport.openWriter(topic), (writer) => ({
        ...writer,
        send: (partition, batch, from, to, timeoutMs, answer) => {
          for (let index = from; index < to; index++)
            if (batch.timeMs(index) > nowMs() + hourMs) return answer([{ from, to, fate: "notStored", error: ahead }])
          writer.send(partition, batch, from, to, timeoutMs, answer)
        }
      }))
  })

describe("records of a spill whose time is ahead of the clock", () => {
  for (const isLeft of [false, true])
    it(`have the present one after \`resume\`, all that stood there: ${isLeft ? "left by an earlier process" : "own"}`, () =>
      void spillStory(
        Effect.gen(function* () {
          const inner = yield* Clock.Clock
          const wall = new WallClock(inner)
          const places = spillPlaces()
          const setting = {
            policy: [
              { on: ["passing"], then: "spill" },
              { on: ["Rejected"], then: "halt" }
            ],
            far: refusesTomorrow(() => (places.faults === isAway ? Infinity : inner.currentTimeMillisUnsafe()))
          }
          yield* Effect.gen(function* () {
            const scope = yield* Scope.make()
            let { leat, notes } = yield* Scope.provide(openSpilling(places, setting), scope)
            places.faults = isAway
            wall.jump(2 * hourMs)
            // More than one portion of them.
            for (const text of numbers(700)) notes.offer(big(text, 40))
            yield* until("they are in the spill", () => legRow(leat)?.spilled === 700)
            wall.jump(-2 * hourMs)
            if (isLeft) {
              yield* Scope.close(scope, Exit.void)
              ;({ leat, notes } = yield* openSpilling(places, setting))
            }
            places.faults = {}
            yield* until("it stands", () => leat.halted().length === 1)
            const resumedMs = inner.currentTimeMillisUnsafe()
            yield* leat.resume
            yield* until("all is stored", () => legRow(leat)?.stored === 700)
            yield* notes.publish(note("k", "700"))
            const log = places.far.topic("notes").partitions[0]
            const times: Array<number> = []
            for (let batch = log?.read(0n, log.end); batch !== undefined; batch = log?.read(batch.next, log.end))
              times.push(...batch.records.map(({ timeMs }) => timeMs))
            expect(times).toHaveLength(701)
            expect(new Set(times.slice(0, 700))).toEqual(new Set([resumedMs]))
            expect(times[700]).toBeGreaterThan(resumedMs)
            if (!isLeft) yield* Scope.close(scope, Exit.void)
          }).pipe(Effect.provideService(Clock.Clock, wall))
        })
      ))
})

describe("records of a spill, of each of which something else is said,", () => {
  it.for([0, 2, 4])("may be refused as Kafka does: a batch for one of its records, which is named: %s", (bad) => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        let isOn = false
        const far = answering((sent) =>
          isOn && sent.includes(String(bad))
            ? sent.map((text) => (text === String(bad) ? "refused" : "behind"))
            : undefined
        )
        const { leat, notes } = yield* openSpilling(places, { far })
        places.faults = isAway
        for (let text = 0; text < 5; text++) yield* notes.publish(note("k", String(text)), { level: "durable" })
        isOn = true
        places.faults = {}
        yield* until("all has ended", () => legRow(leat)?.stored === 4 && legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ spilled: 0, dropped: { Rejected: 1 }, droppedMayBeStored: 0 })
        expect(yield* texts(places)).toEqual(["0", "1", "2", "3", "4"].filter((text) => text !== String(bad)))
      })
    )
  })

  it("may be refused while those behind it are stored: they are not sent again", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        let isOn = false
        const far = answering((sent) => (isOn ? sent.map((text) => (text === "0" ? "refused" : "stored")) : undefined))
        const { leat, notes } = yield* openSpilling(places, { far })
        places.faults = isAway
        for (let text = 0; text < 5; text++) yield* notes.publish(note("k", String(text)), { level: "durable" })
        isOn = true
        places.faults = {}
        yield* until("all has ended", () => legRow(leat)?.stored === 4 && legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ spilled: 0, dropped: { Rejected: 1 } })
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["1", "2", "3", "4"])
      })
    )
  })
})
