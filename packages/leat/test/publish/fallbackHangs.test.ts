import { Deferred, Effect, Exit, Scope, Stream } from "effect"
import { type OpenLeat } from "leat"
import { type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { auditedRecord } from "../../src/audit/auditedRecord.js"
import { fallbackTopic } from "../../src/record/fallbackTopic.js"
import { type FallbackPlaces, fallbackPlaces, isBack, once, makeAnew, openFalling, stored } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const never = Effect.uninterruptible(Effect.never)

const dropping = [
  { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
  { on: ["Unauthorized"], then: "drop" }
]

/** What the destination says of events that begin with `bad`, and of markers: undefined: it takes them. */
interface Answers {
  bad?: "Unauthorized" | undefined
  markers?: "Unauthorized" | "Unavailable" | undefined
}

const judging =
  (answers: Answers) =>
  ({ openWriter }: Transport): Partial<Transport> => ({
    openWriter: (topic) =>
      Effect.map(openWriter(topic), (writer) => ({
        ...writer,
        send: (partition, batch, from, to, timeoutMs, answer) => {
          const value = batch.value(from)
          const isBad = value !== null && Buffer.from(value).includes("bad")
          const reason = value === null ? answers.markers : isBad ? answers.bad : undefined
          if (topic !== "notes" || reason === undefined)
            return writer.send(partition, batch, from, to, timeoutMs, answer)
          const error = new TransportError({ reason, transport: "far", operation: "send", detail: "said so" })
          answer([{ from, to, fate: "notStored", error }])
        }
      }))
  })

/** How many drops consumers were told of. */
function toldOf({ far }: FallbackPlaces): number {
  const told = new Set<string>()
  for (const { headers } of far.topic("notes").partitions[0]?.read(0n, 1000n)?.records ?? []) {
    const { incarnation, dropped = [] } = auditedRecord(headers) ?? {}
    for (const { from, to } of dropped) for (let seq = from; seq < to; seq++) told.add(`${incarnation} ${seq}`)
  }
  return told.size
}

type Bend = (transport: Transport) => Partial<Transport>

/** A process drops four events of another one, and their markers are refused. */
const leftBad = Effect.fnUntraced(function* (
  places: FallbackPlaces,
  answers: Answers,
  setting: { readonly near: Bend; readonly far?: Bend }
) {
  const before = yield* Scope.make()
  places.farFaults = isAway
  const { notes } = yield* Scope.provide(openFalling(places, { policy: dropping }), before)
  for (let text = 0; text < 4; text++) yield* notes.publish(note("k", `bad${text}`))
  yield* Scope.close(before, Exit.void)
  Object.assign(answers, { bad: "Unauthorized", markers: "Unauthorized" })
  places.farFaults = {}
  const opened = yield* openFalling(places, { policy: dropping, far: judging(answers), ...setting })
  yield* until("it is back", isBack(opened.leat), 30_000)
  expect(legRow(opened.leat)?.dropped).toEqual({ Unauthorized: 4 })
  return opened
})

const troubleOf = (leat: OpenLeat) => leat.sinks()[0]?.trouble

describe("a fallback beside a driver that does not let itself be interrupted", () => {
  it("has a partition go back although one look at it never comes back", () => {
    const places = fallbackPlaces()
    let isHung = false
    let asked = 0
    const lines = story(
      Effect.gen(function* () {
        // Another process sends on.
        yield* openFalling(places)
        const { leat, notes } = yield* openFalling(places, {
          near: ({ bounds }) => ({
            subscribe: () => Stream.never,
            bounds: (...given) =>
              Effect.suspend(() => {
                if (!isHung) return bounds(...given)
                isHung = false
                asked++
                return never
              })
          })
        })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        isHung = true
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 60_000)
        expect([asked, stored(places)]).toEqual([1, ["0"]])
        expect(troubleOf(leat)).toBeUndefined()
      })
    )
    expect(lines.filter((line) => /does not say how far it was sent on, and is asked again/.test(line))).toHaveLength(1)
  })

  it("has its group joined anew although one call for lanes never comes back", () => {
    const places = fallbackPlaces()
    let subscribed = 0
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (given) => (subscribed++ === 0 ? Stream.fromEffect(never) : subscribe(given))
          })
        })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 180_000)
        expect([subscribed, stored(places)]).toEqual([2, ["0"]])
      })
    )
  })
})

describe("a fallback whose topic is made anew", () => {
  it.for(["waits", "reads"] as const)(
    "with less than before, while its lane is held, has what is there sent on once, and goes back: the lane %s",
    (how) => {
      const places = fallbackPlaces()
      const gone = Deferred.makeUnsafe<void>()
      const name = fallbackTopic({ cluster: "far", topic: "notes" }, 1)
      const lines = story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places, {
            near: ({ subscribe, read }) => ({
              // A driver that keeps its position waits until the topic is as long again; one that is reset reads it from the start.
              subscribe: (given) =>
                Stream.map(subscribe(given), (lane) => {
                  if (how === "waits" || Deferred.isDoneUnsafe(gone)) return lane
                  const anew = Effect.andThen(
                    Deferred.await(gone),
                    Effect.delay(Effect.succeed(read(name, 0, { fromPosition: 0n })), "3 seconds")
                  )
                  const old = Stream.interruptWhen(lane.batches, Deferred.await(gone))
                  return { ...lane, batches: Stream.concat(Stream.concat(old, Stream.unwrap(anew)), Stream.never) }
                })
            })
          })
          places.farFaults = isAway
          for (let text = 0; text < 20; text++) yield* notes.publish(note("k", `a${text}`))
          places.farFaults = {}
          yield* until("it is back", isBack(leat), 10_000)
          makeAnew(places)
          places.farFaults = isAway
          for (let text = 0; text < 5; text++) yield* notes.publish(note("k", `b${text}`))
          Deferred.doneUnsafe(gone, Exit.void)
          yield* Effect.sleep("1 second")
          places.farFaults = {}
          yield* until("it is back again", isBack(leat), 60_000)
          const all = [
            ...Array.from({ length: 20 }, (_, at) => `a${at}`),
            ...Array.from({ length: 5 }, (_, at) => `b${at}`)
          ]
          expect(stored(places)).toEqual(all)
          // All of it is settled: nobody sends it once more.
          yield* Effect.sleep("1 minute")
          expect(leat.sinks()[0]?.fallback?.waiting).toBe(0)
        })
      )
      expect(lines.filter((line) => line.includes("was made anew while it was in use"))).toHaveLength(1)
    }
  )

  it("settles nothing of before: what is there anew is sent on, whoever does it", () => {
    const places = fallbackPlaces()
    const settled: Array<bigint> = []
    story(
      Effect.gen(function* () {
        let isAnew = false
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (given) =>
              Stream.map(subscribe(given), (lane) => ({
                ...lane,
                settle: (position) => {
                  // The last one before it is given back comes afterwards.
                  if (!isAnew) return Effect.die("it cannot be settled for now")
                  settled.push(position)
                  return lane.settle(position)
                }
              }))
          })
        })
        places.farFaults = isAway
        for (let text = 0; text < 20; text++) yield* notes.publish(note("k", `a${text}`))
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 30_000)
        makeAnew(places)
        isAnew = true
        places.farFaults = isAway
        for (let text = 0; text < 5; text++) yield* notes.publish(note("k", `b${text}`))
        places.farFaults = {}
        yield* until("it is back again", isBack(leat), 60_000)
        yield* Effect.sleep("1 minute")
        expect(settled.filter((position) => position > 5n)).toEqual([])
        expect(stored(places).slice(20)).toEqual(Array.from({ length: 5 }, (_, at) => `b${at}`))
      })
    )
  })
})

describe("what consumers are told of drops that a fallback has settled", () => {
  const refused = (places: FallbackPlaces, answers: Answers, near: Bend = () => ({})) =>
    leftBad(places, answers, { near })

  it("is no hang while the destination is away", () => {
    const places = fallbackPlaces()
    const answers: Answers = {}
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* refused(places, answers)
        answers.markers = undefined
        places.farFaults = isAway
        yield* Effect.sleep("61 seconds")
        yield* notes.publish(note("k", "later"))
        yield* Effect.sleep("10 minutes")
        places.farFaults = {}
        yield* until("it is back again", isBack(leat), 60_000)
        expect(toldOf(places)).toBe(4)
      })
    )
    expect(lines.filter((line) => line.includes("nobody here knows why"))).toEqual([])
  })

  it("is told in the end, however often the partition is given back before", () => {
    const places = fallbackPlaces()
    const answers: Answers = {}
    let moved = Deferred.makeUnsafe<void, TransportError>()
    const move = Effect.suspend(() => {
      const error = new TransportError({
        reason: "Unavailable",
        transport: "near",
        operation: "subscribe",
        detail: "moved"
      })
      const [now, next] = [moved, Deferred.makeUnsafe<void, TransportError>()]
      moved = next
      return Effect.andThen(Deferred.fail(now, error), Effect.sleep("5 seconds"))
    })
    const near = ({ subscribe }: Transport): Partial<Transport> => ({
      subscribe: (given) => Stream.interruptWhen(subscribe(given), Deferred.await(moved))
    })
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* refused(places, answers, near)
        // Their markers are tried again, and do not get through; meanwhile the group moves.
        answers.markers = "Unavailable"
        yield* Effect.sleep("70 seconds")
        yield* move
        // One more is refused, its marker waits too, and the group moves once more.
        places.farFaults = isAway
        answers.bad = undefined
        yield* notes.publish(note("k", "bad4"))
        answers.bad = "Unauthorized"
        places.farFaults = {}
        yield* Effect.sleep("20 seconds")
        yield* move
        answers.markers = undefined
        yield* Effect.sleep("5 minutes")
        yield* until("it is back", isBack(leat), 60_000)
        expect(legRow(leat)?.dropped).toEqual({ Unauthorized: 5 })
        expect(toldOf(places)).toBe(5)
      })
    )
  })
})

describe("a try to tell of drops", () => {
  it("that falls into the end of a member is not the last one", () => {
    const places = fallbackPlaces()
    const answers: Answers = {}
    let isMoving = false
    story(
      Effect.gen(function* () {
        const failed = new TransportError({
          reason: "Unavailable",
          transport: "near",
          operation: "subscribe",
          detail: "moved"
        })
        yield* leftBad(places, answers, {
          near: ({ subscribe }) => ({
            subscribe: (given) => {
              const lanes = Stream.map(subscribe(given), (lane) => ({
                ...lane,
                release: Effect.suspend(() => (isMoving ? Effect.delay(lane.release, "20 seconds") : lane.release))
              }))
              const moved = Effect.andThen(
                once(() => isMoving),
                Effect.fail(failed)
              )
              return isMoving ? lanes : Stream.interruptWhen(lanes, moved)
            }
          })
        })
        // The try of the minute comes while its lane is given back.
        yield* Effect.sleep("45 seconds")
        isMoving = true
        yield* Effect.sleep("25 seconds")
        answers.markers = undefined
        yield* Effect.sleep("3 minutes")
        expect(toldOf(places)).toBe(4)
      })
    )
  })

  it("is made with another writer where that of the member is closed for good", () => {
    const places = fallbackPlaces()
    const answers: Answers = {}
    let isMoving = false
    let opened = 0
    /** Those that were opened before are closed for good. */
    let closedTo = 0
    const far = (transport: Transport): Partial<Transport> => ({
      openWriter: (topic) =>
        Effect.map((judging(answers)(transport).openWriter ?? transport.openWriter)(topic), (writer) => {
          const number = ++opened
          const error = new TransportError({
            reason: "Closed",
            transport: "far",
            operation: "send",
            detail: "for good"
          })
          return {
            ...writer,
            send: (partition, batch, from, to, timeoutMs, answer) =>
              number <= closedTo && batch.value(from) === null
                ? answer([{ from, to, fate: "notStored", error }])
                : writer.send(partition, batch, from, to, timeoutMs, answer)
          }
        })
    })
    story(
      Effect.gen(function* () {
        yield* leftBad(places, answers, {
          far,
          near: ({ subscribe }) => ({
            subscribe: (given) =>
              isMoving
                ? Stream.never
                : Stream.interruptWhen(
                    subscribe(given),
                    once(() => isMoving)
                  )
          })
        })
        isMoving = true
        yield* Effect.sleep("5 seconds")
        answers.markers = undefined
        closedTo = opened
        yield* Effect.sleep("4 minutes")
        expect(toldOf(places)).toBe(4)
      })
    )
  })
})

describe("a fallback that another process holds", () => {
  /** One process has something there that stands until it is resumed; the other one is well. */
  const beside = Effect.fnUntraced(function* (places: FallbackPlaces, answers: Answers) {
    const policy = [{ on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" }]
    const setting = { policy, far: judging(answers) }
    const one = yield* openFalling(places, setting)
    const other = yield* openFalling(places, setting)
    places.farFaults = isAway
    yield* one.notes.publish(note("k", "bad"))
    answers.bad = "Unauthorized"
    places.farFaults = {}
    yield* until("it stands", () => one.leat.halted().length + other.leat.halted().length === 1)
    return one.leat.halted().length === 1 ? other : one
  })

  it("is no trouble of a process that stores all that it publishes, and is told once", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        const other = yield* beside(places, {})
        for (let second = 0; second < 600; second++) {
          yield* other.notes.publish(note("other", String(second)))
          yield* Effect.sleep("1 second")
        }
        expect(troubleOf(other.leat)).toMatch(
          /^has what others have left in its fallback stand for 5\d\d seconds: nothing of/
        )
      })
    )
    expect(lines.filter((line) => line.includes("stores again"))).toEqual([])
    expect(lines.filter((line) => line.includes("has stored nothing"))).toEqual([])
    expect(lines.filter((line) => line.includes("nobody here knows why"))).toHaveLength(1)
  })
})

describe("what a process has dropped of others, and was not told yet", () => {
  it("is told by it although another process has the partition now", () => {
    const places = fallbackPlaces()
    const answers: Answers = {}
    let isMoving = false
    story(
      Effect.gen(function* () {
        const { leat } = yield* leftBad(places, answers, {
          near: ({ subscribe }: Transport) => ({
            subscribe: (given) =>
              isMoving
                ? Stream.never
                : Stream.interruptWhen(
                    subscribe(given),
                    once(() => isMoving)
                  )
          })
        })
        isMoving = true
        yield* openFalling(places, { policy: dropping, far: judging(answers) })
        yield* Effect.sleep("5 seconds")
        answers.markers = undefined
        yield* Effect.sleep("2 minutes")
        expect(toldOf(places)).toBe(4)
        expect(legRow(leat)?.dropped).toEqual({ Unauthorized: 4 })
      })
    )
  })
})

it.for(["Closed", "Fenced"] as const)("a writer that is %s for good is opened anew by whoever sends on", (reason) => {
  const places = fallbackPlaces()
  let opened = 0
  story(
    Effect.gen(function* () {
      const { leat, notes } = yield* openFalling(places, {
        far: ({ openWriter }) => ({
          openWriter: (topic) =>
            Effect.map(openWriter(topic), (writer) => {
              // The first one is that of the sink, the second that of the member.
              if (++opened !== 2) return writer
              const error = new TransportError({ reason, transport: "far", operation: "send", detail: "for good" })
              return {
                ...writer,
                fence: () => Effect.fail(error),
                send: (_partition, _batch, from, to, _timeoutMs, answer) =>
                  answer([{ from, to, fate: "notStored", error }])
              }
            })
        })
      })
      places.farFaults = isAway
      yield* notes.publish(note("k", "0"))
      places.farFaults = {}
      yield* until("it is back", isBack(leat), 30_000)
      expect([opened, stored(places)]).toEqual([3, ["0"]])
    })
  )
})
