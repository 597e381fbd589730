import { Effect, Exit, Scope, Stream } from "effect"
import { MemoryBroker, type OpenLeat } from "leat"
import { TransportError, type TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"
import { auditedRecord } from "../../src/audit/auditedRecord.js"
import { fallbackTopic } from "../../src/record/fallbackTopic.js"
import { type FallbackPlaces, fallbackPlaces, openFalling, stored, textsOf } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const failure = (operation: string, reason: TransportReason = "Unauthorized") =>
  new TransportError({ reason, transport: "near", operation, detail: "it is not for you" })

const topicOf = ({ partitions }: FallbackPlaces) => fallbackTopic({ cluster: "far", topic: "notes" }, partitions)

const fallbackOf = (leat: OpenLeat) => leat.sinks()[0]?.fallback
const troubleOf = (leat: OpenLeat) => leat.sinks()[0]?.trouble

const isBack = (leat: OpenLeat) => () => fallbackOf(leat)?.partitions.length === 0

describe("a fallback in trouble", () => {
  it("has no partition that cannot be read keep the others from getting on, or have them stored twice", () => {
    const places = fallbackPlaces(2)
    let isSick = true
    let joined = 0
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.map(subscribe(asked), (lane) =>
                lane.partition === 1 && isSick && ++joined > 0
                  ? { ...lane, batches: Stream.drain(Stream.fromEffect(Effect.delay(failing, 500))) }
                  : lane
              )
          })
        })
        places.farFaults = isAway
        const texts = Array.from({ length: 12_000 }, (_, at) => String(at))
        yield* notes.publishAll(texts.map((text) => note(`k${Number(text) % 8}`, text)))
        // Slower than a member that joins anew each second.
        places.farFaults = { send: () => ({ kind: "delay", ms: 400 }) }
        yield* until("one partition is back", () => fallbackOf(leat)?.partitions.length === 1, 60_000)
        yield* Effect.sleep("2 minutes")
        expect(fallbackOf(leat)?.partitions).toEqual([1])
        expect(troubleOf(leat)).toMatch(/partition 1, cannot be read/)
        expect(joined).toBeLessThan(15)
        isSick = false
        yield* until("the other is back", isBack(leat), 90_000)
        expect(stored(places).toSorted()).toEqual(texts.toSorted())
        expect(legRow(leat)).toMatchObject({ recovered: 12_000, balanced: true })
      })
    )
    expect(lines.filter((line) => line.includes("cannot be read, and is tried again"))).toHaveLength(1)
  })

  it("says once why nothing is sent on, and shows it as long as it lasts", () => {
    const places = fallbackPlaces()
    let isRefused = true
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) => (isRefused ? Stream.fail(failure("subscribe")) : subscribe(asked))
          })
        })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* Effect.sleep("5 minutes")
        expect(stored(places)).toEqual([])
        expect(troubleOf(leat)).toMatch(/the fallback .* cannot be read: .*Unauthorized/)
        isRefused = false
        yield* until("it is back", isBack(leat), 10_000)
        expect(troubleOf(leat)).toBeUndefined()
        expect(stored(places)).toEqual(["0"])
      })
    )
    expect(lines.filter((line) => line.includes("cannot be read, and is tried again"))).toHaveLength(1)
  })

  it.for(["refused", "silent"] as const)("goes back although nothing can be settled there, and says so: %s", (how) => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        places.nearFaults = { settle: () => (how === "refused" ? "Unauthorized" : "silence") }
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 10_000)
        yield* notes.publish(note("k", "1"))
        expect(stored(places)).toEqual(["0", "1"])
        yield* Effect.sleep("2 minutes")
      })
    )
    expect(lines.filter((line) => line.includes("cannot settle partition 0"))).toHaveLength(1)
  })

  it("says once that nobody says how far another process has sent it on", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        let isRefused = false
        const one = yield* openFalling(places, {
          near: ({ bounds }) => ({
            subscribe: () => Stream.never,
            bounds: (...asked) => (isRefused ? Effect.fail(failure("bounds")) : bounds(...asked))
          })
        })
        places.farFaults = isAway
        yield* one.notes.publish(note("k", "0"))
        isRefused = true
        places.farFaults = {}
        yield* openFalling(places)
        yield* Effect.sleep("5 minutes")
        expect(stored(places)).toEqual(["0"])
        expect(fallbackOf(one.leat)?.partitions).toEqual([0])
        expect(troubleOf(one.leat)).toMatch(/does not say how far it was sent on: .*Unauthorized/)
        isRefused = false
        yield* until("it is back", isBack(one.leat), 10_000)
      })
    )
    expect(lines.filter((line) => line.includes("does not say how far it was sent on, and"))).toHaveLength(1)
  })

  it("has a later event announce a drop whose marker is refused", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Unauthorized"], then: "drop" }
    ]
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, { policy })
        places.farFaults = isAway
        for (const text of ["0", "1"]) yield* notes.publish(note("k", text))
        places.farFaults = { send: () => ({ kind: "fail", reason: "Unauthorized" }) }
        yield* until("both are dropped", () => legRow(leat)?.dropped["Unauthorized"] === 2)
        yield* until("it is back", isBack(leat), 10_000)
        places.farFaults = {}
        yield* notes.publish(note("k", "2"))
        const [record] = places.far.topic("notes").partitions[0]?.read(0n, 1n)?.records ?? []
        const dropped = auditedRecord(record?.headers ?? [])?.dropped ?? []
        expect(dropped.map(({ from, to, reason }) => `${from} to ${to}: ${reason}`).toSorted()).toEqual([
          "0 to 1: Unauthorized",
          "1 to 2: Unauthorized"
        ])
      })
    )
  })

  it("is known to be another one when its topic is made anew: nothing is overtaken, and what is sent on is counted", () => {
    const places = fallbackPlaces()
    let isGone = false
    let isHeld = false
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe, bounds }) => ({
            // What was stored says it too.
            bounds: (...asked) => (isGone ? Effect.fail(failure("bounds")) : bounds(...asked)),
            subscribe: (asked) =>
              Stream.unwrap(
                Effect.map(
                  once(() => !isHeld),
                  () =>
                    Stream.map(subscribe(asked), (lane) => ({
                      ...lane,
                      batches: isGone
                        ? lane.batches
                        : Stream.interruptWhen(
                            lane.batches,
                            deleted(() => isGone)
                          )
                    }))
                )
              )
          })
        })
        places.farFaults = isAway
        for (let text = 0; text < 20; text++) yield* notes.publish(note("k", `a${text}`))
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 10_000)
        const topic = places.near.topic(topicOf(places))
        const [fresh] = new MemoryBroker({ partitions: 1 }).topic("notes").partitions
        if (fresh !== undefined) (topic.partitions as Array<typeof fresh>)[0] = fresh
        ;(topic as unknown as { groups: Map<string, unknown> }).groups.clear()
        isGone = true
        isHeld = true
        yield* Effect.sleep("5 seconds")
        places.farFaults = isAway
        for (let text = 0; text < 5; text++) yield* notes.publish(note("k", `b${text}`))
        places.farFaults = {}
        // Nobody has sent anything on yet, and its destination takes everything again.
        for (let text = 0; text < 30; text++) {
          yield* notes.publish(note("k", `c${text}`))
          yield* Effect.sleep("100 millis")
        }
        isHeld = false
        yield* until("it is back again", isBack(leat), 30_000)
        const later = [
          ...Array.from({ length: 5 }, (_, at) => `b${at}`),
          ...Array.from({ length: 30 }, (_, at) => `c${at}`)
        ]
        expect(stored(places).slice(20)).toEqual(later)
        const { fellBack = 0, recovered = 0 } = legRow(leat) ?? {}
        expect(recovered).toBe(fellBack)
      })
    )
    expect(lines.filter((line) => line.includes("was made anew while it was in use"))).toHaveLength(1)
  })

  it("counts what was deleted there before it was sent on, and says where it stood", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        const gone = yield* Scope.make()
        const one = yield* Scope.provide(openFalling(places), gone)
        places.farFaults = isAway
        yield* one.notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* until("it is back", isBack(one.leat), 10_000)
        yield* Scope.close(gone, Exit.void)
        const left = yield* Scope.make()
        const two = yield* Scope.provide(openFalling(places, { near: () => ({ subscribe: () => Stream.never }) }), left)
        places.farFaults = isAway
        for (let text = 1; text < 10; text++) yield* two.notes.publish(note("k", String(text)))
        yield* Scope.close(left, Exit.void)
        places.near.topic(topicOf(places)).partitions[0]?.trim(4n)
        places.farFaults = {}
        const next = yield* openFalling(places)
        yield* until("it is back", isBack(next.leat), 10_000)
        expect(stored(places)).toEqual(["0", "4", "5", "6", "7", "8", "9"])
        expect(legRow(next.leat)).toMatchObject({ recovered: 9, stored: 6, dropped: { Corrupt: 3 }, balanced: true })
      })
    )
    const told = /^3 records of the fallback .*, positions 1 to 3, cannot be read/
    expect(lines.filter((line) => told.test(line))).toHaveLength(1)
  })

  it("shows what waits also to a process that has nothing there", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const near = () => ({ subscribe: () => Stream.never })
        const idle = yield* openFalling(places, { near })
        const busy = yield* openFalling(places, { near })
        places.farFaults = isAway
        for (let text = 0; text < 10; text++) yield* busy.notes.publish(note("k", String(text)))
        yield* Effect.sleep("1 minute")
        expect(textsOf(places.near, topicOf(places))).toHaveLength(10)
        expect(fallbackOf(idle.leat)).toEqual({ partitions: [], waiting: 10 })
      })
    )
  })
})

const failing = Effect.fail(failure("pull", "Unavailable"))

/** Waits until it is so. */
const once = (is: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (is() ? Effect.void : Effect.andThen(Effect.sleep(100), once(is))))

const deleted = (isGone: () => boolean) => Effect.andThen(once(isGone), Effect.fail(failure("pull", "UnknownTopic")))
