import { Clock, Deferred, Effect, Exit, Logger, Scope, Stream } from "effect"
import { type OpenLeat } from "leat"
import { type Transport, TransportError, type TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"
import { auditedRecord } from "../../src/audit/auditedRecord.js"
import { fallbackTopic } from "../../src/record/fallbackTopic.js"
import {
  type FallbackPlaces,
  fallbackPlaces,
  isBack,
  later,
  once,
  makeAnew,
  openFalling,
  stored,
  textsOf
} from "./fallbackStory.js"
import { answering, isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const failure = (operation: string, reason: TransportReason = "Unauthorized") =>
  new TransportError({ reason, transport: "near", operation, detail: "it is not for you" })

const topicOf = ({ partitions }: FallbackPlaces) => fallbackTopic({ cluster: "far", topic: "notes" }, partitions)

const fallbackOf = (leat: OpenLeat) => leat.sinks()[0]?.fallback
const troubleOf = (leat: OpenLeat) => leat.sinks()[0]?.trouble

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

  it("says again what cannot be read a day after it could be read once more, also where nothing was there to read", () => {
    const places = fallbackPlaces()
    let isSick = true
    const look = Effect.delay(
      Effect.sync(() => isSick),
      "1 second"
    )
    const sick = Effect.andThen(Effect.repeat(look, { until: (is) => is }), failing)
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.map(subscribe(asked), (lane) => ({
                ...lane,
                batches: Stream.unwrap(
                  Effect.sync(() => {
                    const failed = Stream.drain(Stream.fromEffect(sick))
                    return isSick ? failed : Stream.merge(lane.batches, failed)
                  })
                )
              }))
          })
        })
        yield* Effect.sleep("1 minute")
        isSick = false
        yield* Effect.sleep("1 day")
        isSick = true
        yield* Effect.sleep("5 seconds")
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        const at = yield* Clock.currentTimeMillis
        yield* until("it is tried again", () => troubleOf(leat) !== undefined)
        yield* Effect.sleep("3 hours")
        isSick = false
        yield* until("it is back", isBack(leat), 90_000)
        expect((yield* Clock.currentTimeMillis) - at).toBeLessThan(3.1 * 3_600_000)
      })
    )
    expect(lines.filter((line) => line.includes("cannot be read, and is tried again"))).toHaveLength(2)
  })

  it.for(["fails", "ends"] as const)(
    "stores nothing twice, and gets on, where the group of a member %s while something is on its way",
    (how) => {
      const places = fallbackPlaces()
      const lines = story(
        Effect.gen(function* () {
          let members = 0
          const { leat, notes } = yield* openFalling(places, {
            near: ({ subscribe }) => ({
              subscribe: (asked) => {
                members++
                const lanes = Stream.map(subscribe(asked), (lane) => ({ ...lane }))
                return Stream.interruptWhen(lanes, Effect.delay(how === "fails" ? failing : Effect.void, 1000))
              }
            })
          })
          places.farFaults = isAway
          const texts = Array.from({ length: 2000 }, (_, at) => String(at))
          yield* notes.publishAll(texts.map((text) => note("k", text)))
          places.farFaults = { send: () => ({ kind: "delay", ms: 450 }) }
          yield* until("it is back", isBack(leat), 60_000)
          expect(stored(places)).toEqual(texts)
          yield* Effect.sleep("10 minutes")
          // A second at first, a minute at last.
          expect(members).toBeLessThan(30)
        })
      )
      expect(lines.filter((line) => line.includes("cannot be read, and is tried again")).length).toBeLessThan(4)
    }
  )

  it("is resumed also by whoever does it when the halt is told", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], then: "halt" }
    ]
    let isRefusing = false
    const far = answering((sent) => (isRefusing && sent.includes("0") ? sent.map(() => "refused") : undefined))
    story(
      Effect.gen(function* () {
        let resumed = 0
        let resume = () => {}
        const logger = Logger.make(({ message }) => {
          if (String(message).includes("stands until it is resumed")) resume()
        })
        const { leat, notes } = yield* Effect.provide(openFalling(places, { policy, far }), Logger.layer([logger]))
        resume = () => {
          resumed++
          isRefusing = false
          Effect.runSync(leat.resume)
        }
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        isRefusing = true
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 30_000)
        expect(resumed).toBe(1)
        expect(stored(places)).toEqual(["0"])
      })
    )
  })

  it("holds nobody back whose destination goes away again near the end, however often that was", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        // What is on its way when it goes away is not stored.
        const far = later(yield* Effect.context<never>(), () => 50)
        const { leat, notes } = yield* openFalling(places, { far })
        places.farFaults = isAway
        const publishing = Effect.forkScoped(Effect.exit(notes.publish(note("k", "a"))))
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(publishing, Effect.sleep(20))))
        const queued = () => legRow(leat)?.queued ?? 0
        for (let flap = 0; flap < 8; flap++) {
          yield* Effect.sleep("3 seconds")
          places.farFaults = {}
          yield* until("it is held back", () => queued() > 2 || isBack(leat)(), 60_000)
          places.farFaults = isAway
          yield* Effect.sleep("1 second")
          expect(queued()).toBeLessThan(10)
        }
      })
    )
  })

  it("takes what waits when its sink is closed, also near the end of what it has", () => {
    // How far it is then differs.
    for (const ms of [12, 16, 20, 24, 28, 32]) {
      const places = fallbackPlaces()
      story(
        Effect.gen(function* () {
          const context = yield* Effect.context<never>()
          const scope = yield* Scope.make()
          const leg = { batch: { records: 1 }, timeout: "5 seconds" }
          const near = later(context, () => 10)
          const opening = openFalling(places, {
            drain: "1 second",
            leg,
            far: later(context, (count) => ms * count),
            near
          })
          const { leat, notes } = yield* Scope.provide(opening, scope)
          places.farFaults = isAway
          for (let text = 0; text < 50; text++) notes.offer(note("k", String(text)))
          yield* until("all is in the fallback", () => legRow(leat)?.fellBack === 50)
          places.farFaults = {}
          for (let text = 50; (legRow(leat)?.queued ?? 0) < 30 && text < 3000; text++) {
            notes.offer(note("k", String(text)))
            yield* Effect.sleep(20)
          }
          yield* Scope.close(scope, Exit.void)
          expect(legRow(leat), `${ms} ms`).toMatchObject({ dropped: {}, queued: 0, balanced: true })
        })
      )
    }
  })

  it("is not left while something is on its way there", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.map(subscribe(asked), (lane) => ({
                ...lane,
                batches: Stream.tap(lane.batches, () => Effect.sleep("300 millis"))
              }))
          })
        })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.nearFaults = { send: () => ({ kind: "delay", ms: 400 }) }
        notes.offer(note("k", "1"))
        yield* Effect.sleep(50)
        places.farFaults = {}
        yield* until("what stood there is sent on", () => legRow(leat)?.recovered === 1)
        yield* notes.publish(note("k", "2"))
        yield* until("it is back", isBack(leat))
        expect(stored(places)).toEqual(["0", "1", "2"])
      })
    )
  })

  it("has the time of a record corrected by resume, whoever has written it", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], then: "halt" }
    ]
    /** Refuses what is ahead of its clock, as Kafka may be told to. */
    const refusing = ({ openWriter }: Transport): Partial<Transport> => ({
      openWriter: (topic) =>
        Effect.map(openWriter(topic), (writer) => ({
          ...writer,
          send: (partition, batch, from, to, timeoutMs, answer) => {
            if (topic !== "notes" || batch.timeMs(from) <= nowMs() + 60_000)
              return writer.send(partition, batch, from, to, timeoutMs, answer)
            answer([{ from, to, fate: "notStored", error: ahead }])
          }
        }))
    })
    let nowMs = () => 0
    const ahead = new TransportError({ reason: "Rejected", transport: "memory", operation: "send", detail: "ahead" })
    story(
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        const gone = yield* Scope.make()
        nowMs = () => clock.currentTimeMillisUnsafe()
        const { leat } = yield* openFalling(places, { policy, far: refusing })
        const near = () => ({ subscribe: () => Stream.never })
        const aheadMs = 7_200_000
        const wrong: Clock.Clock = Object.assign(Object.create(clock), {
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + aheadMs
        })
        const other = yield* openFalling(places, { near }).pipe(
          Scope.provide(gone),
          Effect.provideService(Clock.Clock, wrong)
        )
        places.farFaults = isAway
        for (const text of ["0", "1"]) yield* other.notes.publish(note("k", text))
        yield* Scope.close(gone, Exit.void)
        places.farFaults = {}
        yield* until("it stands", () => leat.halted().length === 1)
        yield* leat.resume
        yield* until("the first is sent on", () => stored(places).length === 1)
        // What stands behind it is seen when it is looked next.
        yield* Effect.sleep("1 minute")
        yield* leat.resume
        yield* until("both are sent on", () => stored(places).length === 2)
        expect(stored(places)).toEqual(["0", "1"])
      })
    )
  })

  it.for(["openWriter", "subscribe", "pull"] as const)("is joined anew where one call never comes back: %s", (call) => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        let isHung = call !== "openWriter"
        let writers = 0
        const hangs = () => {
          if (!isHung) return false
          isHung = false
          return true
        }
        const { leat, notes } = yield* openFalling(places, {
          far: ({ openWriter }) => ({
            openWriter: (topic) =>
              // The first one is that of the sink.
              call === "openWriter" && writers++ === 1 ? Effect.never : openWriter(topic)
          }),
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.unwrap(
                Effect.sync(() => {
                  if (call === "subscribe" && hangs()) return Stream.never
                  return Stream.map(subscribe(asked), (lane) =>
                    call === "pull" && hangs() ? { ...lane, batches: Stream.never } : lane
                  )
                })
              )
          })
        })
        yield* Effect.sleep("5 seconds")
        expect(isHung).toBe(false)
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* Effect.sleep("15 seconds")
        yield* until("it is back", isBack(leat), 120_000)
        expect(stored(places)).toEqual(["0"])
      })
    )
    const told =
      call === "openWriter"
        ? /cannot be read, and is tried again: .*Timeout/
        : /nobody here knows why: its group is joined anew/
    expect(lines.filter((line) => told.test(line))).toHaveLength(1)
  })

  it("is joined anew for one partition that hangs also while another one fails, and after a failure", () => {
    const places = fallbackPlaces(2)
    let members = 0
    story(
      Effect.gen(function* () {
        let isSick = false
        const { leat, notes } = yield* openFalling(places, {
          far: ({ openWriter }) => ({
            openWriter: (topic) =>
              Effect.map(openWriter(topic), (writer) => ({
                ...writer,
                send: (partition, batch, from, to, timeoutMs, answer) =>
                  isSick && partition === 1
                    ? answer([{ from, to, fate: "notStored", error: failure("send", "Unavailable") }])
                    : writer.send(partition, batch, from, to, timeoutMs, answer)
              }))
          }),
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.unwrap(
                Effect.sync(() => {
                  // The first member fails, and the second has no answer for a partition.
                  if (++members === 1) return Stream.fail(failure("subscribe", "Unavailable"))
                  const isHung = members === 2
                  return Stream.map(subscribe(asked), (lane) =>
                    isHung && lane.partition === 0 ? { ...lane, batches: Stream.never } : lane
                  )
                })
              )
          })
        })
        places.farFaults = isAway
        for (let key = 0; key < 8; key++) yield* notes.publish(note(`k${key}`, String(key)))
        isSick = true
        places.farFaults = {}
        yield* until("the one that hung is back", () => fallbackOf(leat)?.partitions.join() === "1", 180_000)
        isSick = false
        yield* until("both are back", isBack(leat), 30_000)
        expect(stored(places)).toHaveLength(8)
        expect(members).toBe(3)
      })
    )
  })

  it("tries one opening at a time, and none when it is closed", () => {
    const places = fallbackPlaces()
    let opening = 0
    let writers = 0
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const trying = Effect.acquireUseRelease(
          Effect.sync(() => opening++),
          () => Effect.never,
          () => Effect.sync(() => opening--)
        )
        const far = ({ openWriter }: Transport): Partial<Transport> => ({
          openWriter: (topic) => (writers++ === 0 ? openWriter(topic) : trying)
        })
        yield* Scope.provide(openFalling(places, { far }), scope)
        yield* Effect.sleep("10 minutes")
        expect(opening).toBeLessThan(2)
        expect(writers).toBeGreaterThan(3)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.sleep("1 second")
        expect(opening).toBe(0)
      })
    )
  })

  it("is not joined anew while its policy waits, however long that is", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], retry: { times: 3, base: "3 minutes" }, then: "drop" }
    ]
    const far = answering((sent) => (isThere && sent.includes("poison") ? sent.map(() => "refused") : undefined))
    let isThere = false
    let joined = 0
    story(
      Effect.gen(function* () {
        const near = ({ subscribe }: Transport) => ({
          subscribe: (asked: Parameters<typeof subscribe>[0]) => Stream.suspend(() => (joined++, subscribe(asked)))
        })
        const { leat, notes } = yield* openFalling(places, { policy, far, near })
        places.farFaults = isAway
        for (const text of ["0", "poison", "1"]) notes.offer(note("k", text))
        yield* until("all fell back", () => legRow(leat)?.fellBack === 3)
        places.farFaults = {}
        isThere = true
        yield* Effect.sleep("1 hour")
        expect(legRow(leat)).toMatchObject({ stored: 2, dropped: { Rejected: 1 }, recovered: 3 })
        expect(stored(places)).toEqual(["0", "1"])
        expect(joined).toBe(1)
      })
    )
  })

  it("is joined anew less and less often while another process holds it, and its cluster is away", () => {
    const places = fallbackPlaces()
    let joined = 0
    story(
      Effect.gen(function* () {
        const one = yield* openFalling(places)
        places.farFaults = isAway
        yield* one.notes.publish(note("k", "0"))
        const near = ({ subscribe }: Transport) => ({
          subscribe: (asked: Parameters<typeof subscribe>[0]) => Stream.suspend(() => (joined++, subscribe(asked)))
        })
        yield* openFalling(places, { near })
        yield* Effect.sleep("2 hours")
        expect(joined).toBeLessThan(12)
        places.farFaults = {}
        yield* until("it is back", isBack(one.leat), 30_000)
        expect(stored(places)).toEqual(["0"])
      })
    )
  })

  it("asks each partition for itself whether its cluster is back (stay): one fence that never ends holds up no other", () => {
    const places = fallbackPlaces(2)
    story(
      Effect.gen(function* () {
        let isHung = false
        const { leat, notes } = yield* openFalling(places, {
          back: "stay",
          far: ({ openWriter }) => ({
            openWriter: (topic) =>
              Effect.map(openWriter(topic), (writer) => ({
                ...writer,
                fence: (partition) =>
                  isHung && partition === 0 ? Effect.uninterruptible(Effect.never) : writer.fence(partition)
              }))
          })
        })
        places.farFaults = isAway
        for (let key = 0; key < 8; key++) yield* notes.publish(note(`k${key}`, String(key)))
        expect(fallbackOf(leat)?.partitions).toEqual([0, 1])
        isHung = true
        yield* Effect.sleep("20 seconds")
        places.farFaults = {}
        yield* until("the other is back", () => fallbackOf(leat)?.partitions.length === 1, 20_000)
        expect(fallbackOf(leat)?.partitions).toEqual([0])
      })
    )
  })

  it("has all drops announced whose markers were refused, also where the partition is given back in between", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Unauthorized"], then: "drop" }
    ]
    let isRefusing = false
    let markers = 0
    let waiting = 0
    /** Records are refused, and the first markers; later ones do not get through. */
    const far = ({ openWriter }: Transport): Partial<Transport> => ({
      openWriter: (topic) =>
        Effect.map(openWriter(topic), (writer) => ({
          ...writer,
          send: (partition, batch, from, to, timeoutMs, answer) => {
            if (!isRefusing) return writer.send(partition, batch, from, to, timeoutMs, answer)
            const isPassing = batch.value(from) === null && ++markers > 3
            if (isPassing) waiting++
            const error = isPassing ? failure("send", "Unavailable") : failure("send")
            answer([{ from, to, fate: "notStored", error }])
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
            return Effect.fail(failure("subscribe", "Unavailable"))
          }
        )
        const { leat, notes } = yield* openFalling(places, {
          policy,
          far,
          near: ({ subscribe }) => ({ subscribe: (asked) => Stream.interruptWhen(subscribe(asked), broken) })
        })
        places.farFaults = isAway
        for (let text = 0; text < 8; text++) yield* notes.publish(note("k", String(text)))
        isRefusing = true
        places.farFaults = {}
        yield* until("a marker waits", () => waiting > 1)
        isBroken = true
        yield* Effect.sleep("3 seconds")
        isRefusing = false
        yield* until("it is back", isBack(leat), 60_000)
        yield* notes.publish(note("k", "later"))
        yield* Effect.sleep("2 minutes")
        const records = places.far.topic("notes").partitions[0]?.read(0n, 100n)?.records ?? []
        const told = records.flatMap(({ headers }) => auditedRecord(headers)?.dropped ?? [])
        const announced = new Set(
          told.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
        )
        expect(legRow(leat)?.dropped["Unauthorized"]).toBeGreaterThan(2)
        expect(announced.size + stored(places).length).toBe(9)
      })
    )
  })

  it("does not spin where the stream of a lane ends at once, and the lane comes again", () => {
    const places = fallbackPlaces()
    let lanes = 0
    story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.flatMap(Stream.take(subscribe(asked), 1), (lane) =>
                Stream.forever(
                  Stream.suspend(() => {
                    lanes++
                    const released = Deferred.makeUnsafe<void>()
                    const release = Effect.asVoid(Deferred.succeed(released, undefined))
                    const given = { ...lane, batches: Stream.empty, revoked: Effect.never, release }
                    return Stream.concat(
                      Stream.succeed(given),
                      Stream.drain(Stream.fromEffect(Deferred.await(released)))
                    )
                  })
                )
              )
          })
        })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        yield* Effect.sleep("1 minute")
      })
    )
    expect(lanes).toBeGreaterThan(1)
    expect(lanes).toBeLessThan(100)
  })

  it("has the first letter that closing needs in a writer that is closed too", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], then: "deadLetter" }
    ]
    let open = 0
    let isRefusing = false
    story(
      Effect.gen(function* () {
        const slow = later(yield* Effect.context<never>(), () => (isRefusing ? 500 : 0))
        const answers = answering(() => (isRefusing ? ["refused"] : undefined))
        const scope = yield* Scope.make()
        const opening = openFalling(places, {
          policy,
          far: (transport) => {
            const refusing = { ...transport, ...answers(transport) }
            const { openWriter } = { ...refusing, ...slow(refusing) }
            return {
              openWriter: (topic) =>
                Effect.acquireRelease(
                  Effect.tap(openWriter(topic), () => Effect.sync(() => void open++)),
                  () => Effect.sync(() => void open--)
                )
            }
          }
        })
        const { leat, notes } = yield* Scope.provide(opening, scope)
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        isRefusing = true
        places.farFaults = {}
        yield* Effect.sleep("200 millis")
        expect(legRow(leat)?.recovered).toBe(0)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.sleep("1 minute")
        expect(legRow(leat)).toMatchObject({ fellBack: 1, deadLettered: { Rejected: 1 } })
        expect(open).toBe(0)
      })
    )
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
        makeAnew(places)
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
        const behind = [
          ...Array.from({ length: 5 }, (_, at) => `b${at}`),
          ...Array.from({ length: 30 }, (_, at) => `c${at}`)
        ]
        expect(stored(places).slice(20)).toEqual(behind)
        const { fellBack = 0, recovered = 0 } = legRow(leat) ?? {}
        expect(recovered).toBe(fellBack)
      })
    )
    expect(lines.filter((line) => line.includes("was made anew while it was in use"))).toHaveLength(1)
  })

  it("counts what stands in a topic that was made anew, whatever was on its way of the one before", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, { leg: { timeout: "20 seconds" } })
        places.farFaults = isAway
        for (let text = 0; text < 20; text++) yield* notes.publish(note("k", `a${text}`))
        places.farFaults = { send: () => ({ kind: "delay", ms: 8000 }) }
        // A portion is on its way.
        yield* Effect.sleep("3 seconds")
        makeAnew(places)
        for (let text = 0; text < 5; text++) yield* notes.publish(note("k", `b${text}`))
        yield* Effect.sleep("1 minute")
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 60_000)
        const behind = Array.from({ length: 5 }, (_, at) => `b${at}`)
        expect(stored(places).filter((text) => text.startsWith("b"))).toEqual(behind)
        expect(legRow(leat)?.recovered).toBe(new Set(stored(places)).size)
      })
    )
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

const deleted = (isGone: () => boolean) => Effect.andThen(once(isGone), Effect.fail(failure("pull", "UnknownTopic")))
