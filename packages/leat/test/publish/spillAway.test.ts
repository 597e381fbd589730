/** A process that starts while the cluster of a leg with a spill cannot be reached. */
import { Effect, Exit, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { faultDriver, powerLossDriver } from "leat/testing"
import { type Driver, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { isAway, live, spillPlaces, type SpillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

interface Setting {
  /** What opening the cluster, and each question about its topic, fails with. */
  readonly away?: () => "open" | "topic" | undefined
  /** What the next opening of the cluster, or of a writer of it, does first. */
  readonly first?: (what: "open" | "writer") => Effect.Effect<void>
  readonly policy?: ReadonlyArray<object>
  /** Instead of that of the places. */
  readonly far?: MemoryBroker
}

/** As `openSpilling`, where the cluster can be away already when it is opened. */
const open = Effect.fnUntraced(function* (places: SpillPlaces, setting: Setting = {}) {
  const { away = () => undefined, first = () => Effect.void, policy, far } = setting
  const error = new TransportError({
    reason: "Unavailable",
    transport: "memory",
    operation: "open",
    detail: "not there"
  })
  const inner = faultDriver(
    memoryDriver(far ?? places.far),
    live(() => places.faults)
  )
  const driver: Driver = {
    ...inner,
    open: (...asked) =>
      Effect.suspend(() =>
        away() === "open" ? Effect.fail(error) : Effect.andThen(first("open"), inner.open(...asked))
      ).pipe(
        Effect.map((transport) => ({
          ...transport,
          partitionsOf: (topic) =>
            Effect.suspend(() => (away() === "topic" ? Effect.fail(error) : transport.partitionsOf(topic))),
          openWriter: (topic) =>
            Effect.suspend(() =>
              away() === undefined ? Effect.andThen(first("writer"), transport.openWriter(topic)) : Effect.fail(error)
            )
        }))
      )
  }
  const leat = yield* Leat.make({
    source: "test",
    routes: {
      version: 1,
      clusters: { far: { transport: "memory" }, disk: { transport: "powerLoss" } },
      policies: { leg: policy ?? [{ on: ["passing"], then: "spill" }] },
      routes: [
        {
          match: { stream: "*" },
          level: "stored",
          to: [
            {
              cluster: "far",
              topic: "notes",
              policy: "leg",
              linger: "1 milli",
              timeout: "500 millis",
              spill: { cluster: "disk" }
            }
          ]
        }
      ]
    },
    drain: "5 seconds",
    drivers: [driver, powerLossDriver(places.disk)]
  })
  return { leat, notes: yield* leat.stream(noteContract()) }
})

const texts = (places: SpillPlaces) => Effect.map(stored(places.far), (all) => all.map(({ text }) => text))

/** A process has left one event in the spill. */
const left = Effect.fnUntraced(function* (places: SpillPlaces) {
  const scope = yield* Scope.make()
  const { notes } = yield* Scope.provide(open(places), scope)
  places.faults = isAway
  yield* notes.publish(note("k", "0"), { level: "durable" })
  yield* Scope.close(scope, Exit.void)
  places.faults = {}
})

describe("a process that starts while the cluster of its spill is away", () => {
  it.for(["open", "topic"] as const)(
    "takes what is published, and sends all on in order once it is there: %s",
    (what) => {
      const places = spillPlaces()
      spillStory(
        Effect.gen(function* () {
          yield* left(places)
          let away: "open" | "topic" | undefined = what
          const { leat, notes } = yield* Effect.timeout(open(places, { away: () => away }), "10 seconds")
          for (const text of ["1", "2"])
            yield* Effect.timeout(notes.publish(note("k", text), { level: "durable" }), "3 seconds")
          yield* Effect.sleep("5 minutes")
          expect(yield* texts(places)).toEqual([])
          expect(legRow(leat)).toMatchObject({ admitted: 2, spilled: 2, stored: 0, balanced: true })
          expect(leat.sinks()[0]).toMatchObject({ spilled: { records: 3 } })
          away = undefined
          yield* until("all is stored", () => legRow(leat)?.stored === 3, 20_000)
          yield* notes.publish(note("k", "3"))
          expect(yield* texts(places)).toEqual(["0", "1", "2", "3"])
          expect(legRow(leat)).toMatchObject({ admitted: 3, recovered: 1, stored: 4, spilled: 0, balanced: true })
        })
      )
    }
  )

  it("shows why it is not there, as long as it lasts", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* left(places)
        let away: "open" | "topic" | undefined = "open"
        const { leat } = yield* open(places, { away: () => away })
        yield* Effect.sleep("5 minutes")
        expect(leat.sinks()[0]?.trouble).toBe("is not open yet after 300 seconds: memory open: Unavailable: not there")
        away = undefined
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 40_000)
        expect(leat.sinks()[0]?.trouble).toBeUndefined()
      })
    )
  })

  it.for(["open", "writer"] as const)("is not waited for where its first opening then never comes back: %s", (what) => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        yield* left(places)
        let away: "open" | undefined = "open"
        let isArmed = false
        const first = (asked: string) =>
          Effect.suspend(() => {
            if (!isArmed || asked !== what) return Effect.void
            isArmed = false
            return Effect.never
          })
        const { leat } = yield* open(places, { away: () => away, first })
        yield* Effect.sleep("1 minute")
        away = undefined
        isArmed = true
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 100_000)
      })
    )
    // Nobody else tells of the writer.
    expect(lines.filter((line) => line.includes("far/notes is not open yet"))).toEqual(
      what === "open"
        ? []
        : ["far/notes is not open yet, and is tried again: memory openWriter: Timeout: no answer within 30000 ms"]
    )
  })

  it.for(["open", "writer"] as const)("is waited for longer where it takes its time: %s", (what) => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        yield* left(places)
        let away: "open" | undefined = "open"
        const first = (asked: string) =>
          asked === what && away === undefined ? Effect.sleep("100 seconds") : Effect.void
        const { leat } = yield* open(places, { away: () => away, first })
        yield* Effect.sleep("1 minute")
        away = undefined
        yield* Effect.sleep("110 seconds")
        expect(leat.sinks()[0]?.trouble).toMatch(
          /^is not open yet after 170 seconds: memory open.*: Timeout: no answer within \d+ ms$/
        )
        yield* until("it is stored", () => legRow(leat)?.stored === 1, 120_000)
      })
    )
    expect(lines.filter((line) => line.includes("far/notes is not open yet")).length).toBe(what === "open" ? 0 : 2)
  })

  it("and that closes before it is there leaves everything to the next one", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* left(places)
        const scope = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(open(places, { away: () => "open" }), scope)
        for (const text of ["1", "2"]) notes.offer(note("k", text))
        yield* Scope.close(scope, Exit.void)
        expect(legRow(leat)).toMatchObject({ admitted: 2, spilled: 2, dropped: {}, balanced: true })
        const next = yield* open(places)
        yield* next.notes.publish(note("k", "3"))
        expect(yield* texts(places)).toEqual(["0", "1", "2", "3"])
      })
    )
  })

  it("sets aside what the cluster refuses, once it is there", () => {
    const places = spillPlaces()
    spillStory(
      Effect.gen(function* () {
        yield* left(places)
        let away: "open" | undefined = "open"
        const policy = [
          { on: ["passing"], then: "spill" },
          { on: ["Rejected"], then: "deadLetter" }
        ]
        const { leat, notes } = yield* open(places, { away: () => away, policy })
        yield* notes.publish(note("k", "1"), { level: "durable" })
        places.faults = {
          send: ({ topic }) => (topic === "notes" ? { kind: "fail", reason: "Rejected" } : undefined)
        }
        away = undefined
        yield* until("it is set aside", () => legRow(leat)?.deadLettered["Rejected"] === 2, 20_000)
        expect(places.far.topic("notes.undelivered").partitions[0]?.end).toBe(2n)
      })
    )
  })

  it("waits for it where no spill says how many partitions its topic has, and fails as without one", () => {
    spillStory(
      Effect.gen(function* () {
        const failed = yield* Effect.flip(Effect.scoped(open(spillPlaces(), { away: () => "open" })))
        expect(failed).toMatchObject({ _tag: "TransportError", reason: "Unavailable" })
      })
    )
  })

  it("is told to be started again where the topic has another number of partitions by then", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        yield* left(places)
        let away: "open" | undefined = "open"
        const { leat, notes } = yield* open(places, { away: () => away, far: new MemoryBroker({ partitions: 3 }) })
        yield* notes.publish(note("k", "1"), { level: "durable" })
        away = undefined
        yield* Effect.sleep("2 minutes")
        expect(legRow(leat)).toMatchObject({ spilled: 1, stored: 0 })
      })
    )
    expect(lines.filter((line) => line.includes("start it again"))).toEqual([
      "far/notes has 3 partitions, and this process, which could not ask when it started, publishes as if it had 1: start it again"
    ])
  })
})
