import { Effect, Exit, Fiber, Metric, Scope, Stream } from "effect"
import { type TopicSpec, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { fallbackPartitions, fallbackTopic } from "../../src/record/fallbackTopic.js"
import { noteContract } from "../contracts/Note.js"
import { fallbackPlaces, isBack, openFalling, stored } from "./fallbackStory.js"
import { KnownIds } from "./knownIds.js"
import { answering, isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** Batches of its lanes hold more records than are sent on at once. */
const merging = ({ subscribe }: Transport): Partial<Transport> => ({
  subscribe: (asked) =>
    Stream.map(subscribe(asked), (lane) => ({
      ...lane,
      batches: Stream.map(Stream.grouped(lane.batches, 2), ([first, second]) => ({
        ...first,
        records: [...first.records, ...(second?.records ?? [])],
        next: second?.next ?? first.next
      }))
    }))
})

const unavailable = (operation: string) =>
  new TransportError({ reason: "Unavailable", transport: "near", operation, detail: "it is not there" })

describe("sending on what a fallback holds", () => {
  it("fences the destination when a partition comes again, and counts once what is sent once more", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        // What the first two members that read something read is stored, and not settled; then the partition cannot be read any further.
        let read = 0
        const { leat, notes } = yield* openFalling(places, {
          near: ({ subscribe }) => ({
            subscribe: (asked) =>
              Stream.map(subscribe(asked), (lane) =>
                read > 1
                  ? lane
                  : {
                      ...lane,
                      // What it has read is sent by then.
                      batches: Stream.concat(
                        Stream.tap(Stream.take(lane.batches, 1), () => Effect.sync(() => read++)),
                        Stream.fromEffect(Effect.andThen(Effect.sleep("1 second"), Effect.fail(unavailable("pull"))))
                      ),
                      settle: () => Effect.fail(unavailable("settle"))
                    }
              )
          })
        })
        places.farFaults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text))
        const done: Array<string> = []
        places.farFaults = { fence: () => void done.push("fence"), send: () => void done.push("send") }
        yield* until("a third member has sent it on", () => stored(places).length > 6, 60_000)
        // The first member had read no more than the first of them.
        expect(stored(places).toSorted()).toEqual(["0", "0", "0", "1", "1", "2", "2"])
        expect(legRow(leat)).toMatchObject({ recovered: 3, stored: 3, balanced: true })
        // The sink fences too, when its partition goes back.
        const once = ["fence", "send"]
        expect(done.filter((what, at) => what !== done[at - 1])).toEqual([...once, ...once, ...once])
      })
    )
  })

  it("fences the sink too, before what stands behind something that had no answer", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          policy: [
            { on: ["Timeout", "Unavailable"], then: "fallback" },
            { on: ["Rejected"], then: "drop" }
          ]
        })
        let [sends, fences] = [0, 0]
        // Nothing else fences before it is sent on: the member that does has had a fence of its own.
        places.farFaults = { send: () => (sends++ === 0 ? { kind: "fail", reason: "Unavailable" } : undefined) }
        yield* notes.publish(note("k", "first"))
        yield* until("it is sent on, and its partition is back", () => stored(places).length > 0 && isBack(leat)())
        yield* notes.publish(note("k", "direct"))
        sends = 0
        places.farFaults = {
          send: () => (sends++ === 0 ? { kind: "lateWrite", ms: 2000 } : undefined),
          // The member cannot wait for the first of them.
          fence: () => (fences++ < 2 ? "Unavailable" : undefined)
        }
        let asked = 0
        places.nearFaults = { send: () => (asked++ === 0 ? { kind: "fail", reason: "Rejected" } : undefined) }
        const refused = yield* Effect.exit(notes.publish(note("k", "refused")))
        yield* notes.publish(note("k", "behind"))
        yield* until("what is behind it was sent on", () => stored(places).includes("behind"))
        yield* Effect.sleep(3000)
        expect(Exit.isFailure(refused)).toBe(true)
        expect(stored(places)).toEqual(["first", "direct", "behind"])
        expect(fences).toBeGreaterThan(2)
        expect(legRow(leat)).toMatchObject({ dropped: { Rejected: 1 }, droppedMayBeStored: 1, balanced: true })
      })
    )
  })

  it("is waited for also where the fallback does not say where a record stands", () => {
    const places = fallbackPlaces()
    const known = new KnownIds(places.near)
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, { knownIds: known })
        places.farFaults = isAway
        let sends = 0
        // Nobody can read it yet. What is sent again is told stored, without a position.
        places.nearFaults = {
          send: () => (sends++ === 0 ? { kind: "loseResponse" } : undefined),
          pull: () => "Unavailable"
        }
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* Effect.sleep(5000)
        yield* notes.publish(note("k", "1"))
        expect(legRow(leat)).toMatchObject({ stored: 0, fellBack: 2 })
        places.nearFaults = {}
        yield* until("it is back", isBack(leat), 30_000)
        expect(stored(places)).toEqual(["0", "1"])
      })
    )
  })

  it.for([false, true])(
    "holds nobody back for long when its cluster takes its time near the end; nobody can say how far it is: %s",
    (isRefused) => {
      const places = fallbackPlaces()
      let isOpen = false
      story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places, {
            leg: { timeout: "10 seconds" },
            near: ({ bounds }) => ({
              bounds: (...asked) => (isOpen && isRefused ? Effect.fail(unavailable("bounds")) : bounds(...asked))
            })
          })
          isOpen = true
          places.farFaults = isAway
          yield* notes.publish(note("k", "0"))
          let sends = 0
          const delay = { kind: "delay", ms: 200 } as const
          const slow = { kind: "delay", ms: 5000 } as const
          places.farFaults = { send: () => (sends++ === 0 ? delay : slow) }
          yield* until("it is sent on", () => sends === 1)
          yield* notes.publish(note("k", "1"))
          yield* until("it is stored", () => legRow(leat)?.recovered === 1)
          // One is left, and takes long: what is published goes behind it after a while.
          notes.offer(note("k", "2"))
          yield* Effect.sleep(500)
          expect(legRow(leat)).toMatchObject({ fellBack: 2 })
          yield* until("it does not wait any more", () => legRow(leat)?.fellBack === 3, 2000)
          places.farFaults = {}
          yield* until("all is there", () => stored(places).length === 3)
          expect(stored(places)).toEqual(["0", "1", "2"])
        })
      )
    }
  )

  it("is seen in the metrics: what falls back, what waits, and what is sent on; none of it is pending", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        const names = ["pending", "fell.back", "recovered", "fallback.partitions", "fallback.waiting"]
        const scraped = Effect.map(Metric.snapshot, (all) =>
          names.map((name) => {
            const state = all.find(({ id }) => id === `leat.${name}`)?.state ?? {}
            return Number("count" in state ? state.count : "value" in state ? state.value : Number.NaN)
          })
        )
        expect(yield* scraped).toEqual([0, 0, 0, 0, 0])
        places.farFaults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text))
        yield* Effect.sleep("3 seconds")
        expect(yield* scraped).toEqual([0, 3, 0, 1, 3])
        places.farFaults = {}
        yield* until("all is sent on", () => legRow(leat)?.recovered === 3)
        yield* Effect.sleep("1 minute")
        expect(yield* scraped).toEqual([0, 3, 3, 0, 0])
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    )
  })

  it("keeps what waits whatever its age, where that can be taken away later", () => {
    for (const canTrim of [true, false]) {
      const places = fallbackPlaces()
      const asked: Array<TopicSpec> = []
      story(
        Effect.gen(function* () {
          yield* openFalling(places, {
            near: ({ ensure, trim, ...rest }) => ({
              ...rest,
              ...(canTrim && trim !== undefined ? { trim } : { trim: undefined as never }),
              ensure: (spec) => {
                asked.push(spec)
                return ensure(spec)
              }
            })
          })
        })
      )
      const everything = { timeMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
      expect(asked).toEqual([
        { topic: "far.notes.1.fallback", partitions: 1, ...(canTrim ? { retention: everything } : {}) }
      ])
    }
  })

  it("trims what was sent on", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places)
        places.farFaults = isAway
        for (const text of ["0", "1", "2"]) yield* notes.publish(note("k", text))
        places.farFaults = {}
        const [log] = places.near.topic("far.notes.1.fallback").partitions
        expect(log?.start).toBe(0n)
        yield* until("nothing is left", () => log?.start === 3n)
      })
    )
  })

  it("finds a name for each destination, which brokers take", () => {
    const names = [
      ["eu", "b.notes", 8],
      ["eu.b", "notes", 8],
      ["eu", "b.notes.8", 8],
      ["eu_2eb", "notes", 8],
      ["eu_b", "notes", 8],
      ["eu:1", "notes", 8],
      ["é", "notes", 8]
    ] as const
    const topics = names.map(([cluster, topic, partitions]) => fallbackTopic({ cluster, topic }, partitions))
    expect(new Set(topics).size).toBe(names.length)
    for (const topic of topics) expect(topic).toMatch(/^[A-Za-z0-9._-]+$/)
    expect(topics[1]).toBe("eu_2eb.notes.8.fallback")
    for (const [at, [cluster, topic]] of names.entries())
      expect(topics.map((name) => fallbackPartitions(name, { cluster, topic }))).toEqual(
        names.map((_, other) => (other === at ? 8 : undefined))
      )
    expect(fallbackPartitions("eu.notes.08.fallback", { cluster: "eu", topic: "notes" })).toBeUndefined()
  })

  it.for([
    ["as Kafka does: a batch for one of its records, which is named", "behind"],
    ["while those behind it are stored", "stored"]
  ] as const)("goes on where a record is refused %s", ([, others]) => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        let isOn = false
        const far = answering((sent) =>
          isOn && sent.includes("2") ? sent.map((text) => (text === "2" ? "refused" : others)) : undefined
        )
        const { leat, notes } = yield* openFalling(places, { far })
        places.farFaults = isAway
        for (let text = 0; text < 5; text++) yield* notes.publish(note("k", String(text)))
        isOn = true
        places.farFaults = {}
        yield* until("all is sent on", () => legRow(leat)?.recovered === 5, 30_000)
        expect(legRow(leat)).toMatchObject({
          stored: 4,
          dropped: { Rejected: 1 },
          droppedMayBeStored: 1,
          balanced: true
        })
        expect(stored(places)).toEqual(["0", "1", "3", "4"])
      })
    )
  })

  it("waits for what is on its way when its process is closed: the next one sends nothing twice", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { notes } = yield* Scope.provide(openFalling(places, { near: merging }), scope)
        places.farFaults = isAway
        // More than are sent on at once.
        for (let text = 0; text < 700; text++) yield* notes.publish(note("k", String(text)))
        places.farFaults = { send: () => ({ kind: "delay", ms: 300 }) }
        yield* until(
          "it is on its way",
          () => stored(places).length > 0 || places.far.topic("notes").partitions[0]?.end !== 0n
        )
        yield* Scope.close(scope, Exit.void)
        places.farFaults = {}
        const next = yield* openFalling(places)
        yield* next.notes.publish(note("k", "700"))
        yield* Effect.sleep("10 seconds")
        expect(stored(places)).toEqual(Array.from({ length: 701 }, (_, text) => String(text)))
      })
    )
  })

  it("settles what stands before a record that halts: no process sends it once more", () => {
    const places = fallbackPlaces()
    const policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], then: "halt" }
    ]
    let isOn = false
    const far = answering((sent) =>
      isOn && sent.includes("3") ? sent.map((text) => (text === "3" ? "refused" : "behind")) : undefined
    )
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const one = yield* Scope.provide(openFalling(places, { policy, far }), scope)
        places.farFaults = isAway
        for (let text = 0; text < 5; text++) yield* one.notes.publish(note("k", String(text)))
        isOn = true
        places.farFaults = {}
        yield* until("it stands", () => one.leat.halted().length === 1, 30_000)
        yield* Effect.sleep("5 seconds")
        yield* Scope.close(scope, Exit.void)
        const next = yield* openFalling(places, { policy, far })
        yield* until("it stands again", () => next.leat.halted().length === 1, 30_000)
        isOn = false
        yield* next.leat.resume
        yield* until("all is sent on", () => stored(places).length >= 5, 30_000)
        yield* Effect.sleep("5 seconds")
        expect(stored(places)).toEqual(["0", "1", "2", "3", "4"])
      })
    )
  })

  it.for(["refused", "broken once"] as const)(
    "holds nobody back for long where nobody can say how far it is: %s",
    (how) => {
      const places = fallbackPlaces()
      let isSilent = false
      let isBroken = true
      story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places, {
            near: ({ bounds }) => ({
              bounds: (...asked) => {
                if (!isSilent) return bounds(...asked)
                if (how === "broken once") {
                  if (!isBroken) return bounds(...asked)
                  isBroken = false
                  throw new Error("no bounds")
                }
                return Effect.fail(
                  new TransportError({ reason: "Unauthorized", transport: "near", operation: "bounds", detail: "no" })
                )
              }
            })
          })
          places.farFaults = isAway
          for (let text = 0; text < 20; text++) yield* notes.publish(note("k", String(text)))
          // Near the end the cluster is away again.
          let sends = 0
          places.farFaults = { send: () => (sends++ < 1 ? undefined : { kind: "fail", reason: "Unavailable" }) }
          isSilent = true
          yield* Effect.sleep("5 seconds")
          for (let text = 20; text < 30; text++)
            yield* Effect.timeout(notes.publish(note("k", String(text))), "30 seconds")
          const { stored: there = 0, fellBack = 0, recovered = 0 } = legRow(leat) ?? {}
          expect(there + fellBack - recovered).toBe(30)
        })
      )
    }
  )

  it("tells once of an outage in which its cluster takes nothing either", () => {
    const places = fallbackPlaces()
    const lines = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        places.farFaults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        places.nearFaults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        notes.offer(note("k", "0"))
        yield* Effect.sleep("5 minutes")
        places.farFaults = {}
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 30_000)
        yield* Effect.sleep("10 seconds")
      })
    )
    expect(lines.filter((line) => line.includes("goes to the fallback"))).toHaveLength(1)
    expect(lines.filter((line) => line.includes("were sent on"))).toEqual([])
  })

  it.for(["settle", "bounds", "pull"] as const)(
    "has an end when its process is closed, whatever its driver does: %s",
    (what) => {
      const places = fallbackPlaces()
      let isHung = false
      const never = Effect.uninterruptible(Effect.never)
      const lines = story(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { notes } = yield* Scope.provide(
            openFalling(places, {
              drain: "1 second",
              near: ({ bounds, subscribe }) => ({
                bounds: (...asked) => (isHung && what === "bounds" ? never : bounds(...asked)),
                subscribe: (asked) =>
                  Stream.map(subscribe(asked), (lane) => ({
                    ...lane,
                    batches: Stream.tap(lane.batches, () => (isHung && what === "pull" ? never : Effect.void)),
                    settle: (position) => (isHung && what === "settle" ? never : lane.settle(position))
                  }))
              })
            }),
            scope
          )
          places.farFaults = isAway
          isHung = what === "pull"
          yield* notes.publish(note("k", "0"))
          isHung = true
          places.farFaults = {}
          yield* Effect.sleep("5 seconds")
          const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
          yield* Effect.timeout(Fiber.join(closing), "30 seconds")
        })
      )
      // Nobody waits for a call that was left; a pull is none of these.
      expect(lines.filter((line) => line.includes("is not closed within"))).toHaveLength(what === "pull" ? 1 : 0)
    }
  )

  it("leaves a lane halted that its own cluster has refused, however often its partition falls back", () => {
    const places = fallbackPlaces()
    let poison = 0
    const far = answering((sent) => {
      if (places.farFaults === isAway || !sent.includes("poison")) return undefined
      poison++
      return sent.map(() => "refused")
    })
    const lines = story(
      Effect.gen(function* () {
        const policy = [
          { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
          { on: ["Rejected"], then: "halt" }
        ]
        const { leat, notes } = yield* openFalling(places, { policy, far, leg: { wire: "cloudevents" } })
        const other = yield* leat.stream(noteContract({ stream: "test.others" }))
        notes.offer(note("k", "poison"))
        yield* until("it halts", () => leat.halted().length === 1)
        for (const text of ["0", "1", "2"]) {
          places.farFaults = isAway
          yield* other.publish(note("k", text))
          places.farFaults = {}
          yield* until("it is back", isBack(leat), 30_000)
          yield* Effect.sleep("5 seconds")
        }
        expect(leat.halted()).toHaveLength(1)
        expect(poison).toBe(1)
        expect(stored(places)).toEqual(["0", "1", "2"])
        yield* leat.resume
        yield* until("it is tried again", () => poison === 2)
      })
    )
    expect(lines.filter((line) => line.startsWith("publishing test.notes to far/notes stands"))).toHaveLength(2)
  })
})
