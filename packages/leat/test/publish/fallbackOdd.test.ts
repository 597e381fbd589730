import { Effect, Exit, Scope, Stream } from "effect"
import type { OpenLeat } from "leat"
import { type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { auditedRecord } from "../../src/audit/auditedRecord.js"
import { type FallbackPlaces, fallbackPlaces, isBack, later, once, openFalling, stored } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const failure = (reason: "Unauthorized" | "Unavailable") =>
  new TransportError({ reason, transport: "near", operation: "send", detail: "it is not for you" })

const published = <E>(places: FallbackPlaces, { leat }: { leat: OpenLeat }, work: Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    places.farFaults = isAway
    yield* work
    places.farFaults = {}
    yield* until("it is back", isBack(leat), 120_000)
  })

describe("a fallback with odd timing", () => {
  it("holds nobody for more than eight seconds in a piece, also where another process sends on", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        let isSlow = false
        const context = yield* Effect.context<never>()
        const far = later(context, () => (isSlow ? 50 : 0))
        const one = yield* openFalling(places, { near: () => ({ subscribe: () => Stream.never }) })
        // It reads one at a time, and each takes 50 ms.
        const near = ({ subscribe }: Transport): Partial<Transport> => ({
          subscribe: (asked) =>
            Stream.map(subscribe(asked), (lane) => ({
              ...lane,
              batches: Stream.flatMap(lane.batches, (batch) =>
                Stream.fromIterable(batch.records.map((record) => ({ records: [record], next: record.position + 1n })))
              )
            }))
        })
        yield* openFalling(places, { far, near })
        places.farFaults = isAway
        for (let text = 0; text < 900; text++) one.notes.offer(note("k", String(text)))
        yield* until("all fell back", () => legRow(one.leat)?.fellBack === 900)
        isSlow = true
        places.farFaults = {}
        let heldMs = 0
        let longestMs = 0
        for (let text = 900; !isBack(one.leat)() && text < 2500; text++) {
          if (text % 4 === 0) one.notes.offer(note("k", String(text)))
          yield* Effect.sleep(100)
          heldMs = (legRow(one.leat)?.queued ?? 0) > 0 ? heldMs + 100 : 0
          longestMs = Math.max(longestMs, heldMs)
        }
        expect(isBack(one.leat)()).toBe(true)
        expect(longestMs).toBeGreaterThan(500)
        expect(longestMs).toBeLessThan(8600)
      })
    )
  })

  // Several steps: with one of them another pace of the members may pass the case by.
  it.each([100, 200, 300, 500, 700])(
    "is no other one because its answers come after what they are about was sent on, with an event each %i ms",
    (stepMs) => {
      const places = fallbackPlaces()
      const lines = story(
        Effect.gen(function* () {
          const near = later(yield* Effect.context<never>(), () => 0, 300)
          const opened = yield* openFalling(places, { near })
          const all = Effect.gen(function* () {
            for (let text = 0; text < 3; text++) yield* opened.notes.publish(note("k", String(text)))
            places.farFaults = {}
            for (let text = 3; text < 20; text++) {
              opened.notes.offer(note("k", String(text)))
              yield* Effect.sleep(stepMs)
            }
          })
          yield* published(places, opened, all)
          expect(legRow(opened.leat)).toMatchObject({ dropped: {}, balanced: true })
          expect(stored(places)).toEqual(Array.from({ length: 20 }, (_, text) => String(text)))
        })
      )
      expect(lines.filter((line) => line.includes("was made anew"))).toEqual([])
    }
  )

  it("says nothing of its group while a process starts whose cluster is away", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        const gone = yield* Scope.make()
        const one = yield* Scope.provide(openFalling(places, { near: () => ({ subscribe: () => Stream.never }) }), gone)
        places.farFaults = isAway
        yield* one.notes.publish(note("k", "0"))
        yield* Scope.close(gone, Exit.void)
        let isGone = true
        const farDriver = (
          driver: Parameters<NonNullable<Parameters<typeof openFalling>[1]>["farDriver"] & object>[0]
        ) => ({
          ...driver,
          open: (...given: Parameters<typeof driver.open>) =>
            Effect.suspend(() => (isGone ? Effect.fail(failure("Unavailable")) : driver.open(...given)))
        })
        places.farFaults = {}
        const { leat } = yield* openFalling(places, { farDriver })
        yield* Effect.sleep("10 minutes")
        isGone = false
        yield* until("it is back", isBack(leat), 60_000)
        expect(stored(places)).toEqual(["0"])
      })
    )
    expect(lines.filter((line) => line.includes("nobody here knows why"))).toEqual([])
  })

  it("tells of the next outage as of another one, also where the first thing it had was what others had left", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        const gone = yield* Scope.make()
        const one = yield* Scope.provide(openFalling(places, { near: () => ({ subscribe: () => Stream.never }) }), gone)
        places.farFaults = isAway
        yield* one.notes.publish(note("k", "0"))
        yield* Scope.close(gone, Exit.void)
        places.farFaults = {}
        const { leat, notes } = yield* openFalling(places)
        yield* Effect.sleep("1 hour")
        places.farFaults = isAway
        yield* notes.publish(note("k", "1"))
        yield* Effect.sleep("10 minutes")
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 60_000)
        yield* Effect.sleep("1 minute")
      })
    )
    expect(lines.filter((line) => line.includes("until it is stored there again"))).toHaveLength(2)
    expect(lines.filter((line) => /any more after 60\d seconds, in which 1 events/.test(line))).toHaveLength(1)
  })

  it("is not opened where its driver says positions that are none", () =>
    void story(
      Effect.gen(function* () {
        const near = ({ bounds }: Transport): Partial<Transport> => ({
          bounds: (...given) =>
            Effect.map(bounds(...given), (rows) => rows.map((row) => ({ ...row, settled: 0 as unknown as bigint })))
        })
        const failed = yield* Effect.flip(Effect.scoped(openFalling(fallbackPlaces(), { near })))
        expect(failed).toMatchObject({ _tag: "TransportError", reason: "Unknown", operation: "bounds" })
      })
    ))

  it("is joined anew where its driver gives a lane of no partition, and says so", () => {
    const places = fallbackPlaces(2)
    let given = 0
    const lines = story(
      Effect.gen(function* () {
        const near = ({ subscribe }: Transport): Partial<Transport> => ({
          subscribe: (asked) =>
            Stream.map(subscribe(asked), (lane) =>
              given++ === 0 ? { ...lane, partition: undefined as unknown as number } : lane
            )
        })
        const opened = yield* openFalling(places, { near })
        const all = Array.from({ length: 10 }, (_, key) => opened.notes.publish(note(`k${key}`, String(key))))
        yield* published(places, opened, Effect.all(all, { concurrency: "unbounded" }))
        expect(new Set(stored(places)).size).toBe(10)
      })
    )
    expect(lines.filter((line) => line.includes("cannot be read"))).toEqual([
      "the fallback far.notes.2.fallback cannot be read, and is tried again: nothing of it is sent on until then: memory subscribe: Unknown: the driver gives a lane of partition undefined, which is no number from 0"
    ])
    expect(lines.filter((line) => line.includes("on partition  for"))).toEqual([])
  })

  it("goes back although its driver has once said positions that are none", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        let asked = 0
        const opened = yield* openFalling(places, {
          near: ({ bounds }) => ({
            bounds: (...given) =>
              ++asked === 2 ? Effect.succeed([{ partition: 0, start: 0n } as never]) : bounds(...given)
          })
        })
        // The first look while nothing is there.
        yield* Effect.sleep("1 minute")
        expect(asked).toBeGreaterThan(2)
        yield* published(places, opened, opened.notes.publish(note("k", "0")))
        expect(stored(places)).toEqual(["0"])
      })
    )
  })

  it("is joined anew although a driver never takes a lane back", () => {
    const places = fallbackPlaces(2)
    story(
      Effect.gen(function* () {
        let lanes = 0
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.map(subscribe(asked), (lane) =>
                ++lanes === 1
                  ? {
                      ...lane,
                      batches: Stream.fail(failure("Unavailable")),
                      release: Effect.uninterruptible(Effect.never)
                    }
                  : lane
              )
          })
        })
        places.farFaults = isAway
        for (let key = 0; key < 8; key++) yield* notes.publish(note(`k${key}`, String(key)))
        places.farFaults = {}
        yield* until("both are back", isBack(leat), 180_000)
        expect(stored(places)).toHaveLength(8)
      })
    )
  })

  it("tells of a failure that comes again, once it is no news any more that it does", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        let isSick = true
        const near = ({ subscribe }: Transport): Partial<Transport> => ({
          subscribe: (asked) =>
            Stream.map(subscribe(asked), (lane) => ({
              ...lane,
              batches: Stream.mapEffect(lane.batches, (batch) =>
                isSick ? Effect.fail(failure("Unavailable")) : Effect.succeed(batch)
              )
            }))
        })
        const { leat, notes } = yield* openFalling(places, { near })
        for (const text of ["0", "1"]) {
          isSick = true
          places.farFaults = isAway
          yield* notes.publish(note("k", text))
          places.farFaults = {}
          yield* Effect.sleep(text === "0" ? "30 seconds" : "20 minutes")
          expect(leat.sinks()[0]?.trouble).toMatch(/cannot be read/)
          isSick = false
          yield* until("it is back", isBack(leat), 120_000)
          expect(leat.sinks()[0]?.trouble).toBeUndefined()
        }
      })
    )
    expect(lines.filter((line) => line.includes("cannot be read, and is tried again"))).toHaveLength(2)
  })

  it("announces what was refused before also where a marker of later drops gets through in between, and the partition is given back", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Unauthorized"], then: "drop" }
    ]
    let isOn = false
    let markers = 0
    let waiting = 0
    /** All records are refused. Of the markers the first three are, the fourth is stored, and later ones do not get through. */
    const far = ({ openWriter }: Transport): Partial<Transport> => ({
      openWriter: (topic) =>
        Effect.map(openWriter(topic), (writer) => ({
          ...writer,
          send: (partition, batch, from, to, timeoutMs, answer) => {
            const count = isOn && batch.value(from) === null ? ++markers : 0
            if (!isOn || count === 4) return writer.send(partition, batch, from, to, timeoutMs, answer)
            if (count > 4) waiting++
            answer([{ from, to, fate: "notStored", error: failure(count > 4 ? "Unavailable" : "Unauthorized") }])
          }
        }))
    })
    story(
      Effect.gen(function* () {
        let isBroken = false
        const broken = Effect.andThen(
          once(() => isBroken),
          () => {
            isBroken = false
            return Effect.fail(failure("Unavailable"))
          }
        )
        const gone = yield* Scope.make()
        const one = yield* Scope.provide(openFalling(places, { near: () => ({ subscribe: () => Stream.never }) }), gone)
        places.farFaults = isAway
        for (let text = 0; text < 10; text++) yield* one.notes.publish(note("k", String(text)))
        yield* Scope.close(gone, Exit.void)
        isOn = true
        places.farFaults = {}
        const { leat, notes } = yield* openFalling(places, {
          policy,
          far,
          near: ({ subscribe }) => ({ subscribe: (asked) => Stream.interruptWhen(subscribe(asked), broken) })
        })
        yield* until("a marker waits", () => waiting > 1)
        isBroken = true
        yield* Effect.sleep("3 seconds")
        isOn = false
        yield* until("it is back", isBack(leat), 60_000)
        yield* notes.publish(note("k", "later"))
        yield* Effect.sleep("2 minutes")
        const records = places.far.topic("notes").partitions[0]?.read(0n, 100n)?.records ?? []
        const told = records.flatMap(({ headers }) => auditedRecord(headers)?.dropped ?? [])
        const announced = new Set(
          told.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
        )
        // Each is announced or stored, and none is both.
        expect(announced.size + stored(places).length).toBe(11)
      })
    )
  })
})
