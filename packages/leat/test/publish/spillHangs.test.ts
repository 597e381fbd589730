/** Calls of the disk of a spill that never come back, while it is given its lanes: it joins its group anew, and says so meanwhile. */
import { Effect, Exit, Scope, Stream } from "effect"
import { type Lane, type Subscription, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { textsOf } from "./fallbackStory.js"
import { isAway, openSpilling, spillPlaces, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** The subscriptions of a topic whose name ends so, changed. */
const subscribing =
  (ending: string, change: (lanes: ReturnType<Transport["subscribe"]>) => ReturnType<Transport["subscribe"]>) =>
  ({ subscribe }: Transport): Partial<Transport> => ({
    subscribe: (asked: Subscription) => (asked.topic.endsWith(ending) ? change(subscribe(asked)) : subscribe(asked))
  })

/** One event of each of some keys in the spill, and the cluster there again. */
const spilled = Effect.fnUntraced(function* (
  places: ReturnType<typeof spillPlaces>,
  disk: (transport: Transport) => Partial<Transport>,
  count = 1
) {
  const opened = yield* openSpilling(places, { disk })
  places.faults = isAway
  for (let key = 0; key < count; key++) yield* opened.notes.publish(note(`k${key}`, String(key)), { level: "durable" })
  places.faults = {}
  return opened
})

const troubleOf = (leat: { readonly sinks: () => ReadonlyArray<{ readonly trouble?: string }> }) =>
  leat.sinks()[0]?.trouble

describe("a spill", () => {
  it("joins anew where a call for its lanes never comes back, and says so until then", () => {
    const places = spillPlaces(2)
    let calls = 0
    const lines = story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", (lanes) => (calls++ === 0 ? Stream.never : lanes))
        const { leat, notes } = yield* spilled(places, disk, 20)
        yield* Effect.sleep("20 seconds")
        expect(troubleOf(leat)).toContain("the spill far.notes.2.spill does not give what it holds")
        yield* until("all is stored", () => legRow(leat)?.stored === 20, 20_000)
        yield* notes.publish(note("k", "later"))
        expect(troubleOf(leat)).toBeUndefined()
        // Two partitions have waited, and one member was left.
        expect(calls).toBe(2)
      })
    )
    expect(lines.filter((line) => line.includes("has stored nothing"))).toHaveLength(1)
  })

  it("joins less and less often where no lane ever comes, however many partitions wait", () => {
    const places = spillPlaces(4)
    let calls = 0
    story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", () => Stream.suspend(() => (calls++, Stream.never)))
        const { leat, notes } = yield* openSpilling(places, { disk })
        places.faults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        // Partitions begin to wait one after the other.
        for (let key = 0; key < 20; key++) {
          notes.offer(note(`k${key}`, String(key)))
          yield* Effect.sleep("1 second")
        }
        yield* Effect.sleep("70 seconds")
        expect(troubleOf(leat)).toMatch(/no lane of partition \d has come, and its group is joined anew$/)
        yield* Effect.sleep("2 hours")
        // After 30 seconds, twice as long each time, 16 minutes at most.
        expect(calls).toBe(12)
      })
    )
  })

  it("joins anew where one partition alone waits, and the others go on", () => {
    const places = spillPlaces(2)
    let isKept = true
    story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", (lanes) =>
          Stream.filter(lanes, ({ partition }) => {
            if (partition !== 0 || !isKept) return true
            isKept = false
            return false
          })
        )
        const { leat, notes } = yield* spilled(places, disk, 20)
        yield* until("the other partition is stored", () => (legRow(leat)?.stored ?? 0) >= 5, 5000)
        yield* until("all is stored", () => legRow(leat)?.stored === 20, 40_000)
        yield* notes.publish(note("k", "later"))
        const all = textsOf(places.far, "notes")
        expect(new Set(all).size).toBe(21)
        expect(all).toHaveLength(21)
      })
    )
  })

  it("is joined anew once where one lane does not come and another says nothing", () => {
    const places = spillPlaces(2)
    let calls = 0
    story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", (lanes) => {
          if (calls++ > 0) return lanes
          const others = Stream.filter(lanes, ({ partition }) => partition === 1)
          const late = Stream.tap(others, () => Effect.sleep("5 seconds"))
          return Stream.map(late, (lane): Lane => ({ ...lane, batches: Stream.never }))
        })
        const { leat } = yield* spilled(places, disk, 20)
        yield* until("all is stored", () => legRow(leat)?.stored === 20, 40_000)
        yield* Effect.sleep("1 minute")
        expect(calls).toBe(2)
      })
    )
  })

  it("is joined anew once where two lanes fail at the same time", () => {
    const places = spillPlaces(2)
    const refused = new TransportError({ reason: "Unavailable", transport: "disk", operation: "pull", detail: "both" })
    let calls = 0
    story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", (lanes) => {
          if (calls++ > 0) return lanes
          const failing = Stream.fromEffect(Effect.delay(Effect.fail(refused), "1 second"))
          return Stream.map(lanes, (lane): Lane => ({ ...lane, batches: failing }))
        })
        const { leat } = yield* spilled(places, disk, 20)
        yield* until("all is stored", () => legRow(leat)?.stored === 20, 40_000)
        yield* Effect.sleep("1 minute")
        expect(calls).toBe(2)
      })
    )
  })

  it("joins anew where its driver gives a lane of no partition", () => {
    const places = spillPlaces()
    let calls = 0
    story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", (lanes) =>
          calls++ === 0 ? Stream.map(lanes, (lane) => ({ ...lane, partition: undefined as unknown as number })) : lanes
        )
        const { leat } = yield* spilled(places, disk)
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 5000)
        expect(calls).toBe(2)
      })
    )
  })

  it("joins anew where the driver never takes back a lane that has ended", () => {
    const places = spillPlaces()
    let given = 0
    const lines = story(
      Effect.gen(function* () {
        const disk = subscribing(".spill", (lanes) =>
          Stream.map(lanes, (lane): Lane =>
            given++ === 0 ? { ...lane, batches: Stream.empty, release: Effect.uninterruptible(Effect.never) } : lane
          )
        )
        const { leat } = yield* spilled(places, disk)
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 70_000)
      })
    )
    expect(lines.filter((line) => line.includes("has not taken back"))).toEqual([
      "the driver has not taken back partition 0 of the spill far.notes.1.spill within 30000 ms, and is not waited for any longer"
    ])
  })

  it("joins anew although its driver never lets go of the member that failed", () => {
    const places = spillPlaces()
    let calls = 0
    story(
      Effect.gen(function* () {
        const held = Effect.acquireRelease(Effect.void, () => Effect.never)
        const disk = subscribing(".spill", (lanes) =>
          calls++ === 0 ? Stream.flatMap(Stream.fromEffect(held), () => Stream.empty) : lanes
        )
        const { leat } = yield* spilled(places, disk)
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 70_000)
        expect(calls).toBe(2)
      })
    )
  })

  it("is asked for anew where the call for its owner's lane never comes back, and says so until then", () => {
    const places = spillPlaces()
    let calls = 0
    const lines = story(
      Effect.gen(function* () {
        const disk = subscribing(".owner", (lanes) => (calls++ === 0 ? Stream.never : lanes))
        const { leat, notes } = yield* openSpilling(places, { disk })
        notes.offer(note("k", "0"))
        yield* Effect.sleep("5 seconds")
        expect(troubleOf(leat)).toBeUndefined()
        yield* Effect.sleep("15 seconds")
        expect(troubleOf(leat)).toBe(
          "has sent nothing for 20 seconds: the spill far.notes.1.spill has not been given to this process: another process has it, or one that ended a moment ago, or its driver does not answer"
        )
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 15_000)
        expect(troubleOf(leat)).toBeUndefined()
      })
    )
    expect(lines).toEqual([
      "the spill far.notes.1.spill has not been given to this process for 10 seconds: another process has it, or one that ended a moment ago, or its driver does not answer; nothing is sent to far/notes until then; give each process a spill of its own"
    ])
  })

  it("is asked for less and less often while another process has it, and shows that it waits", () => {
    const places = spillPlaces()
    let calls = 0
    story(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const owner = yield* Scope.provide(openSpilling(places), first)
        yield* owner.notes.publish(note("k", "of the owner"))
        const disk = subscribing(".owner", (lanes) => Stream.suspend(() => (calls++, lanes)))
        const { leat, notes } = yield* openSpilling(places, { disk })
        notes.offer(note("k", "0"))
        yield* Effect.sleep("1 hour")
        expect(troubleOf(leat)).toContain("has not been given to this process")
        expect(calls).toBeLessThan(10)
        yield* Scope.close(first, Exit.void)
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 20_000)
        expect(troubleOf(leat)).toBeUndefined()
      })
    )
  })

  it("is opened anew where its owner's lane is taken away, and its driver never ends that", () => {
    const places = spillPlaces()
    let given = 0
    const lines = story(
      Effect.gen(function* () {
        const never = Effect.uninterruptible(Effect.never)
        const disk = subscribing(".owner", (lanes) =>
          Stream.map(lanes, (lane): Lane => (given++ === 0 ? { ...lane, release: never } : lane))
        )
        const { notes } = yield* spilled(places, disk)
        yield* places.disk.losePower(0)
        yield* until("it is asked for again", () => given === 2, 5000)
        yield* Effect.sleep("1 minute")
        yield* Effect.timeout(notes.publish(note("k", "later")), "5 seconds")
        expect(textsOf(places.far, "notes")).toContain("later")
      })
    )
    expect(lines.filter((line) => line.includes("has not taken back"))).toEqual([
      "the driver has not taken back partition 0 of the owner of the spill far.notes.1.spill within 30000 ms, and is not waited for any longer"
    ])
  })

  it("shows why it cannot be had while its disk does not say what it holds", () => {
    const places = spillPlaces()
    let isSilent = true
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ bounds }) => ({ bounds: (...asked) => (isSilent ? Effect.never : bounds(...asked)) })
        })
        notes.offer(note("k", "0"))
        yield* Effect.sleep("50 seconds")
        expect(troubleOf(leat)).toMatch(
          /^has sent nothing for 50 seconds: the spill far.notes.1.spill does not answer: .*no answer within 30000 ms$/
        )
        isSilent = false
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 31_000)
        expect(troubleOf(leat)).toBeUndefined()
      })
    )
  })

  it("is asked again where it says that something else than a position is settled", () => {
    const places = spillPlaces()
    let isOdd = true
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ bounds }) => ({
            bounds: (...asked) =>
              Effect.map(bounds(...asked), (rows) =>
                isOdd ? rows.map((row) => ({ ...row, settled: 0 as unknown as bigint })) : rows
              )
          })
        })
        notes.offer(note("k", "0"))
        yield* Effect.sleep("5 seconds")
        isOdd = false
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 5000)
      })
    )
    expect(lines).toEqual([expect.stringContaining("the driver says positions that are none")])
  })
})
