/** What a leat that closes still tries: what waits for its next retry, for a breaker, or stands because its cluster was away. */
import { Clock, Effect, Exit, Scope } from "effect"
import { Leat, type LegRow, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver } from "leat/testing"
import { TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { bucketKeys } from "./bucketKeys.js"
import { fallbackPlaces, openFalling, textsOf } from "./fallbackStory.js"
import { changed, isAway as isDown } from "./spillStory.js"
import { documentOf, legRow, note, openNotes, type Setting, stored, story } from "./stories.js"

type Outcome = ReturnType<NonNullable<FaultPlan["send"]>>

const refuses: Outcome = { kind: "fail", reason: "Unavailable" }
const minuteLater = [{ on: ["passing"], retry: { base: "1 minute", jitter: 0 }, then: "halt" }]
const partitions = bucketKeys.length
const rounds = 10
const events = rounds * partitions
const roundsOf = (key: string) => Array.from({ length: rounds }, (_, round) => `${key} ${round}`)

interface Closing {
  readonly setting: Setting
  /** While the cluster is away. */
  readonly away: Outcome
  readonly fence?: "Unavailable"
  /** Whether it stays away while the leat closes. */
  readonly isAway?: boolean
}

interface Closed {
  readonly row: LegRow | undefined
  /** Of each key the texts, in the order in which they are stored. */
  readonly stored: ReadonlyArray<ReadonlyArray<string>>
  readonly tookMs: number
  /** Sends while it closes. */
  readonly sends: number
}

/** Events wait, or stand, because their cluster was away for five seconds; then the leat is closed. */
const closed = Effect.fnUntraced(function* ({ setting, away, fence, isAway = false }: Closing) {
  let outcome: Outcome = away
  let sends = 0
  const broker = new MemoryBroker({ partitions })
  const faults: FaultPlan = {
    fence: () => (outcome === undefined ? undefined : fence),
    send: () => {
      sends++
      return outcome
    }
  }
  const scope = yield* Scope.make()
  const asked = { policy: minuteLater, drain: "5 seconds", ...setting, broker, faults } as const
  const opened = openNotes(asked, noteContract({ buckets: partitions }))
  const { leat, notes } = yield* opened.pipe(Scope.provide(scope))
  for (let round = 0; round < rounds; round++) for (const key of bucketKeys) notes.offer(note(key, `${key} ${round}`))
  yield* Effect.sleep("5 seconds")
  if (!isAway) outcome = undefined
  sends = 0
  const since = yield* Clock.currentTimeMillis
  yield* Scope.close(scope, Exit.void)
  const found: ReadonlyArray<string> = yield* allOf(broker)
  return {
    row: legRow(leat),
    stored: bucketKeys.map((key) => found.filter((text) => text.startsWith(`${key} `))),
    tookMs: (yield* Clock.currentTimeMillis) - since,
    sends
  } satisfies Closed
})

const allOf = (broker: MemoryBroker) =>
  Effect.sync(() =>
    broker.topic("notes").partitions.flatMap((log) => {
      const found: Array<string> = []
      for (let batch = log.read(log.start, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
        for (const { value } of batch.records) if (value !== null) found.push(noteContract().decode(value).text)
      return found
    })
  )

const halts = [{ on: ["*"], then: "halt" }]
const breaker = { minSends: 2, window: "10 seconds", wait: "1 minute", maxWait: "2 minutes" }

const waits: Readonly<Record<string, Closing>> = {
  "for its next retry": { setting: {}, away: refuses },
  "for its next retry, of a few": {
    setting: { policy: [{ on: ["passing"], retry: { base: "1 minute", times: 3 }, then: "drop" }] },
    away: refuses
  },
  "behind an open breaker": {
    setting: { policy: [{ on: ["passing"], retry: { base: "10 millis" }, then: "halt" }], leg: { breaker } },
    away: refuses
  },
  "behind an open breaker, and for its next retry": { setting: { leg: { breaker } }, away: refuses },
  "because its cluster was away, and a person is to resume it": { setting: { policy: halts }, away: refuses },
  "for a fence": {
    setting: { leg: { timeout: "1 second" } },
    away: { kind: "silence" },
    fence: "Unavailable"
  },
  "for a fence, and a person is to resume it": {
    setting: { policy: halts, leg: { timeout: "1 second" } },
    away: { kind: "silence" },
    fence: "Unavailable"
  }
}

describe("a leat that closes when its cluster is well again", () => {
  it.each(Object.keys(waits))("stores at once, once and in order what waits %s", (what) =>
    story(
      Effect.gen(function* () {
        const asked = waits[what]
        if (asked === undefined) throw new Error("there is no such wait")
        const { row, stored: found, tookMs } = yield* closed(asked)
        expect(row).toMatchObject({ stored: events, dropped: {}, balanced: true })
        expect(found).toEqual(bucketKeys.map(roundsOf))
        expect(tookMs).toBeLessThan(100)
      })
    )
  )
})

describe("a leat that closes while its cluster is away", () => {
  it("tries each lane once, and drops what is not stored when its time is over", () =>
    story(
      Effect.gen(function* () {
        const { row, sends, tookMs } = yield* closed({ setting: {}, away: refuses, isAway: true })
        expect(row).toMatchObject({ stored: 0, dropped: { closed: events }, balanced: true })
        expect(sends).toBe(partitions)
        expect(tookMs).toBe(5000)
      })
    ))

  it("sends one probe through an open breaker", () =>
    story(
      Effect.gen(function* () {
        const { row, sends } = yield* closed({ setting: { leg: { breaker } }, away: refuses, isAway: true })
        expect(row).toMatchObject({ stored: 0, dropped: { closed: events }, balanced: true })
        expect(sends).toBe(1)
      })
    ))

  it("tries once what stands, and waits for nobody to resume it", () =>
    story(
      Effect.gen(function* () {
        const { row, sends, tookMs } = yield* closed({ setting: { policy: halts }, away: refuses, isAway: true })
        expect(row).toMatchObject({ stored: 0, dropped: { closed: events }, balanced: true })
        expect(sends).toBe(partitions)
        expect(tookMs).toBeLessThan(100)
      })
    ))

  it("tries once what stands, whose attempts are used up", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["passing"], retry: { times: 2, base: "100 millis" }, then: "halt" }]
        const { row, sends, tookMs } = yield* closed({ setting: { policy }, away: refuses, isAway: true })
        expect(row).toMatchObject({ stored: 0, dropped: { closed: events }, balanced: true })
        expect(sends).toBe(partitions)
        expect(tookMs).toBeLessThan(100)
      })
    ))

  it("does not try again what stands until a person acts", () =>
    story(
      Effect.gen(function* () {
        const refused: Outcome = { kind: "fail", reason: "Unauthorized" }
        const { row, sends } = yield* closed({ setting: { policy: halts }, away: refused })
        expect(row).toMatchObject({ stored: 0, dropped: { closed: events }, balanced: true })
        expect(sends).toBe(0)
      })
    ))
})

/** Everything is refused for good, and its letters could not be stored for a minute; then the leat is closed. */
const refusedThenClosed = Effect.fnUntraced(function* (way: "write" | "open", isAway = false) {
  let isShut = true
  let opened = 0
  const broker = new MemoryBroker({ partitions: 1 })
  const down = () =>
    Effect.fail(new TransportError({ reason: "Unavailable", transport: "memory", operation: "open", detail: "" }))
  const policy = [
    { on: ["passing"], retry: { base: "1 minute" }, then: "halt" },
    { on: ["Rejected"], then: "deadLetter" }
  ]
  const scope = yield* Scope.make()
  const faults: FaultPlan = {
    send: ({ topic }) =>
      topic === "notes" ? { kind: "fail", reason: "Rejected" } : way === "write" && isShut ? refuses : undefined
  }
  const leat = yield* Leat.make({
    source: "test",
    routes: documentOf({ policy }),
    drain: "5 seconds",
    drivers: [
      changed(faultDriver(memoryDriver(broker), faults), ({ openWriter }) => ({
        openWriter: (topic) => {
          if (topic === "notes" || way === "write") return openWriter(topic)
          opened++
          return isShut ? down() : openWriter(topic)
        }
      }))
    ]
  }).pipe(Scope.provide(scope))
  const notes = yield* leat.stream(noteContract())
  for (const text of ["0", "1", "2"]) notes.offer(note("k", text))
  yield* Effect.sleep("60700 millis")
  isShut = isAway
  opened = 0
  const since = yield* Clock.currentTimeMillis
  yield* Scope.close(scope, Exit.void)
  return { row: legRow(leat), tookMs: (yield* Clock.currentTimeMillis) - since, opened }
})

describe("a leat that closes when its dead letters can be stored again", () => {
  it.each(["write", "open"] as const)("stores them at once, and waits for no pause: %s", (way) =>
    story(
      Effect.gen(function* () {
        const { row, tookMs } = yield* refusedThenClosed(way)
        expect(row).toMatchObject({ deadLettered: { Rejected: 3 }, dropped: {}, balanced: true })
        expect(tookMs).toBeLessThan(100)
      })
    )
  )

  it("tries once while they cannot be stored, and drops what is refused", () =>
    story(
      Effect.gen(function* () {
        const { row, tookMs, opened } = yield* refusedThenClosed("open", true)
        expect(row).toMatchObject({ deadLettered: {}, dropped: { closed: 3 }, balanced: true })
        expect(tookMs).toBe(5000)
        // Its pause of ten seconds may be over meanwhile.
        expect(opened).toBeGreaterThanOrEqual(1)
        expect(opened).toBeLessThanOrEqual(2)
      })
    ))
})

/** Both places were away for a minute; then the leat is closed while only the fallback stays away. */
const fallingThenClosed = Effect.fnUntraced(function* (farFaults: FaultPlan, nearFaults = isDown, afterMs = 60_700) {
  const places = fallbackPlaces()
  places.farFaults = isDown
  places.nearFaults = nearFaults
  const scope = yield* Scope.make()
  const policy = [
    { on: ["passing"], retry: { base: "1 second", factor: 2, maxDelay: "1 minute", times: 2 }, then: "fallback" }
  ]
  const asked = { back: "stay", drain: "5 seconds", policy } as const
  const { leat, notes } = yield* openFalling(places, asked).pipe(Scope.provide(scope))
  for (const text of ["0", "1", "2"]) notes.offer(note("k", text))
  yield* Effect.sleep(afterMs)
  places.farFaults = farFaults
  const since = yield* Clock.currentTimeMillis
  yield* Scope.close(scope, Exit.void)
  return { row: legRow(leat), texts: textsOf(places.far, "notes"), tookMs: (yield* Clock.currentTimeMillis) - since }
})

describe("a leat that closes while its fallback is away, where what is there stays", () => {
  it("goes back at once to the first cluster, which is well again", () =>
    story(
      Effect.gen(function* () {
        const { row, texts, tookMs } = yield* fallingThenClosed({})
        expect(row).toMatchObject({ stored: 3, fellBack: 0, dropped: {}, balanced: true })
        expect(texts).toEqual(["0", "1", "2"])
        expect(tookMs).toBeLessThan(100)
      })
    ))

  it("goes back at once to the first cluster where the fallback has refused for good what waits", () =>
    story(
      Effect.gen(function* () {
        let sends = 0
        const refusing: FaultPlan = { send: () => (sends++, { kind: "fail", reason: "Rejected" }) }
        const { row, texts, tookMs } = yield* fallingThenClosed({}, refusing)
        expect(row).toMatchObject({ stored: 3, fellBack: 0, dropped: {}, balanced: true })
        expect(texts).toEqual(["0", "1", "2"])
        expect(tookMs).toBeLessThan(100)
        // It is not asked again what it has refused.
        expect(sends).toBeLessThanOrEqual(3)
      })
    ))

  // Whatever the sink waits for at that moment: its next attempt, an answer, or nothing.
  it.each([4000, 8000, 20_000, 45_000, 59_000, 61_500, 65_000, 75_000, 120_000])(
    "gives nothing up that the fallback has refused for good, where it closes after %i ms",
    (afterMs) =>
      story(
        Effect.gen(function* () {
          const refusing: FaultPlan = { send: () => ({ kind: "fail", reason: "Rejected" }) }
          const { row, texts } = yield* fallingThenClosed({}, refusing, afterMs)
          expect(row).toMatchObject({ stored: 3, fellBack: 0, dropped: {}, balanced: true })
          expect(texts).toEqual(["0", "1", "2"])
        })
      )
  )

  it("drops what its fallback has refused when its time is over, where the first cluster stays away", () =>
    story(
      Effect.gen(function* () {
        const refusing: FaultPlan = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        const { row, tookMs } = yield* fallingThenClosed(isDown, refusing)
        expect(row).toMatchObject({ stored: 0, fellBack: 0, dropped: { closed: 3 }, balanced: true })
        expect(tookMs).toBeLessThanOrEqual(5000)
      })
    ))

  it("asks the first cluster once where that is away too, and drops what is left when its time is over", () =>
    story(
      Effect.gen(function* () {
        let fences = 0
        const { row, tookMs } = yield* fallingThenClosed({ ...isDown, fence: () => (fences++, "Unavailable") })
        expect(row).toMatchObject({ stored: 0, fellBack: 0, dropped: { closed: 3 }, balanced: true })
        expect(tookMs).toBeLessThanOrEqual(5000)
        // Once at once, and once or twice as it is asked anyway.
        expect(fences).toBeGreaterThanOrEqual(1)
        expect(fences).toBeLessThanOrEqual(3)
      })
    ))
})

describe("a flush", () => {
  it("leaves what waits for its next retry its time", () =>
    story(
      Effect.gen(function* () {
        const faults: FaultPlan = { send: ({ call }) => (call === 0 ? refuses : undefined) }
        const { broker, leat, notes } = yield* openNotes({ policy: minuteLater, faults })
        notes.offer(note("k", "0"))
        yield* Effect.sleep("1 second")
        const since = yield* Clock.currentTimeMillis
        expect(yield* leat.flush).toMatchObject({ stored: 1 })
        expect((yield* Clock.currentTimeMillis) - since).toBeGreaterThan(58_000)
        expect(yield* stored(broker)).toHaveLength(1)
      })
    ))
})
