import { type Duration, Effect, Exit, Fiber, Scope } from "effect"
import { Leat, type Journal, MemoryBroker, memoryDriver, NotStored } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver, waitUntil } from "leat/testing"
import type { Driver, Writer } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { legRow, note, stored, story } from "./stories.js"

const spilling = [
  { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "spill" },
  { on: ["Rejected"], then: "drop" }
]

interface Place {
  readonly broker: MemoryBroker
  readonly disk: PowerLossBroker
  /** What the far cluster does, and the disk; swapped while a story runs. */
  faults: FaultPlan
  diskFaults: FaultPlan
}

const placeOf = (partitions = 1): Place => ({
  broker: new MemoryBroker({ partitions }),
  disk: new PowerLossBroker({ partitions: 1 }),
  faults: {},
  diskFaults: {}
})

const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
/** Requests are written, and no answer comes: everything is in doubt, and no fence returns. */
const frozen: FaultPlan = { send: () => ({ kind: "cut" }), fence: () => "Timeout" }

type Send = Writer["send"]

const bent = (driver: Driver, send: (honest: Send) => Send): Driver => ({
  ...driver,
  open: (...asked) =>
    Effect.map(driver.open(...asked), (transport) => ({
      ...transport,
      openWriter: (topic) =>
        Effect.map(transport.openWriter(topic), (writer) =>
          topic === "notes" ? { ...writer, send: send((...call) => writer.send(...call)) } : writer
        )
    }))
})

interface Setting {
  readonly policy?: ReadonlyArray<object>
  readonly spill?: object
  readonly leg?: object
  readonly level?: string
  readonly journal?: Journal
  /** What a send to the destination does. */
  readonly send?: (honest: Send) => Send
  readonly drain?: Duration.Input
}

const open = Effect.fnUntraced(function* (place: Place, setting: Setting = {}) {
  const { policy = spilling, spill = {}, leg = {}, level = "stored", journal } = setting
  const live = (plan: () => FaultPlan): FaultPlan => ({
    send: (call) => plan().send?.(call),
    fence: (call) => plan().fence?.(call),
    pull: (call) => plan().pull?.(call)
  })
  const routes = (version: number, bytes?: number) => ({
    version,
    clusters: { local: { transport: "memory" }, disk: { transport: "powerLoss" } },
    policies: { leg: policy },
    routes: [
      {
        match: { stream: "*" },
        level,
        to: [
          {
            cluster: "local",
            topic: "notes",
            policy: "leg",
            linger: "1 milli",
            timeout: "500 millis",
            spill: { cluster: "disk", ...spill, ...(bytes === undefined ? {} : { bytes }) },
            ...leg
          }
        ]
      }
    ]
  })
  const leat = yield* Leat.make({
    source: "test",
    routes: routes(1),
    drain: setting.drain ?? "10 seconds",
    ...(journal === undefined ? {} : { journal }),
    drivers: [
      bent(
        faultDriver(
          memoryDriver(place.broker),
          live(() => place.faults)
        ),
        setting.send ?? ((honest) => honest)
      ),
      faultDriver(
        powerLossDriver(place.disk),
        live(() => place.diskFaults)
      )
    ]
  })
  return { leat, routes, notes: yield* leat.stream(noteContract()) }
})

/** The same story as the scheduler draws it from several seeds. */
const stories = <E>(program: Effect.Effect<void, E, Scope.Scope>, seeds: number) => {
  for (let seed = 1; seed <= seeds; seed++) story(program, seed)
}
const until = (what: string, is: () => boolean) => waitUntil(what, Effect.sync(is))
const texts = (place: Place) => Effect.map(stored(place.broker), (all) => all.map(({ text }) => text))
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))

describe("a leg that spills", () => {
  for (const [name, faults] of [
    ["away", away],
    ["frozen", frozen]
  ] as const)
    it(`keeps what is published while its cluster is ${name}, and sends it on in order`, () =>
      story(
        Effect.gen(function* () {
          const place = placeOf()
          const { leat, notes } = yield* open(place)
          yield* notes.publish(note("k", "0"))
          place.faults = faults
          for (const text of numbers(50, 1)) {
            notes.offer(note("k", text))
            yield* Effect.sleep(20)
          }
          yield* until("all of it is in the spill", () => legRow(leat)?.spilled === 50)
          expect(legRow(leat)).toMatchObject({ stored: 1, queued: 0, inFlight: 0, inDoubt: 0, balanced: true })
          expect(leat.sinks()[0]).toMatchObject({ bufferedBytes: 0, spilled: { records: 50 } })
          expect(leat.sinks()[0]?.spilled?.bytes).toBeGreaterThan(50 * 20)
          place.faults = {}
          yield* until("all is stored", () => legRow(leat)?.stored === 51)
          expect(legRow(leat)).toMatchObject({ spilled: 0, balanced: true })
          expect(yield* texts(place)).toEqual(numbers(51))
          // It goes to the cluster again, not through the disk.
          yield* notes.publish(note("k", "51"))
          expect(yield* texts(place)).toEqual(numbers(52))
          expect(place.disk.disk.topic("local.notes.1.spill").partitions[0]?.end).toBe(50n)
        })
      ))

  it("tells `publish` at the level durable when it is on disk, and at the level stored when it is stored", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        const patient = yield* Effect.forkChild(notes.publish(note("k", "0")))
        yield* Effect.sleep(1)
        yield* Effect.sleep(1)
        const receipt = yield* notes.publish(note("k", "1"), { level: "durable" })
        expect(legRow(leat)).toMatchObject({ spilled: 2, stored: 0 })
        expect(patient.pollUnsafe()).toBeUndefined()
        place.faults = {}
        yield* Fiber.join(patient)
        expect(yield* receipt.outcome).toMatchObject({ stored: 1, dropped: {}, spilled: 0 })
        expect(yield* texts(place)).toEqual(["0", "1"])
      })
    ))

  it("goes on while events come faster than the disk is emptied, and ends all the same", () =>
    stories(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        yield* Effect.forkChild(
          Effect.forEach(numbers(2000), (text) =>
            Effect.andThen(
              Effect.sync(() => notes.offer(note("k", text))),
              Effect.sleep(1)
            )
          )
        )
        yield* Effect.sleep(800)
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 2000)
        expect(yield* texts(place)).toEqual(numbers(2000))
        expect(Number(place.disk.disk.topic("local.notes.1.spill").partitions[0]?.end)).toBeLessThan(1900)
      }),
      6
    ))

  it("leaves what it holds to the next process, which sends it before its own", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        place.faults = away
        const first = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(open(place), first)
        const waiting = yield* Effect.forkChild(Effect.flip(notes.publish(note("k", "0"))))
        yield* Effect.sleep(1)
        notes.offer(note("k", "1"))
        yield* until("both are in the spill", () => legRow(leat)?.spilled === 2)
        notes.offer(note("k", "2"))
        yield* Scope.close(first, Exit.void)
        const told = yield* Fiber.join(waiting)
        expect(told).toBeInstanceOf(NotStored)
        expect(told.message).toContain("left in the spill when leat was closed (1)")
        expect(legRow(leat)).toMatchObject({ spilled: 3, balanced: true })
        expect(legRow(leat)?.dropped).toEqual({})
        const next = yield* open(place)
        next.notes.offer(note("k", "3"))
        yield* Effect.sleep(5000)
        expect(legRow(next.leat)).toMatchObject({ stored: 0, spilled: 1, balanced: true })
        place.faults = {}
        yield* until("all is stored", () => legRow(next.leat)?.stored === 4)
        expect(legRow(next.leat)).toMatchObject({ admitted: 1, recovered: 3, stored: 4, spilled: 0, balanced: true })
        expect(yield* texts(place)).toEqual(numbers(4))
      })
    ))

  it("gives what is buffered to the spill when it is closed", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        place.faults = { send: () => ({ kind: "silence" }) }
        const first = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(open(place, { leg: { timeout: "5 minutes" } }), first)
        for (const text of numbers(3)) notes.offer(note("k", text))
        yield* Scope.close(first, Exit.void)
        expect(legRow(leat)).toMatchObject({ spilled: 3, balanced: true })
        expect(legRow(leat)?.dropped).toEqual({})
        place.faults = {}
        const next = yield* open(place)
        next.notes.offer(note("k", "3"))
        yield* until("all is stored", () => legRow(next.leat)?.stored === 4)
        expect(yield* texts(place)).toEqual(numbers(4))
      })
    ))

  /** The last of the spill is on its way to a cluster that fences, and then answers nothing. */
  const unanswered = (setting: Setting) =>
    Effect.gen(function* () {
      const place = placeOf()
      place.faults = away
      const first = yield* Scope.make()
      const { leat, notes } = yield* Scope.provide(open(place, setting), first)
      for (const text of numbers(2)) notes.offer(note("k", text))
      yield* until("they are in the spill", () => legRow(leat)?.spilled === 2)
      let sends = 0
      place.faults = {
        send: () => {
          sends++
          return { kind: "silence" }
        }
      }
      yield* until("they are on their way", () => sends === 1)
      return { place, first, leat, notes }
    })

  it("gives what is buffered to the spill when it is closed, also while the last of that is on its way", () =>
    story(
      Effect.gen(function* () {
        const { place, first, leat, notes } = yield* unanswered({ leg: { timeout: "5 minutes" }, drain: "200 millis" })
        for (const text of numbers(3, 2)) notes.offer(note("k", text))
        yield* Scope.close(first, Exit.void)
        expect(legRow(leat)).toMatchObject({ spilled: 5, dropped: {}, balanced: true })
        place.faults = {}
        const next = yield* open(place)
        yield* until("all is stored", () => legRow(next.leat)?.stored === 5)
        expect(yield* texts(place)).toEqual(numbers(5))
      })
    ))

  it("keeps nothing in memory for long while the last of its spill has no answer", () =>
    story(
      Effect.gen(function* () {
        const { place, first, leat, notes } = yield* unanswered({ leg: { timeout: "3 seconds" } })
        const receipt = yield* Effect.timeout(notes.publish(note("k", "2"), { level: "durable" }), "3 seconds")
        expect(legRow(leat)).toMatchObject({ spilled: 3, queued: 0, balanced: true })
        expect(receipt.id.seq).toBe(2)
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 3)
        expect(yield* texts(place)).toEqual(numbers(3))
        yield* Scope.close(first, Exit.void)
      })
    ))

  it("spares a cluster that fences and stores nothing: what its policy spills goes to the disk", () =>
    stories(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = { send: () => ({ kind: "fail", reason: "Throttled" }) }
        for (const text of numbers(200)) {
          notes.offer(note("k", text))
          yield* Effect.sleep(10)
        }
        yield* until("nothing is left in the buffer", () => legRow(leat)?.queued === 0)
        expect(legRow(leat)).toMatchObject({ spilled: 200, stored: 0, balanced: true })
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 200)
        expect(yield* texts(place)).toEqual(numbers(200))
      }),
      6
    ))

  it("fences off what was on its way before it sends on what is in the spill", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        let sends = 0
        place.faults = {
          send: () => (sends++ === 0 ? { kind: "lateWrite", ms: 1500 } : undefined),
          fence: () => "Timeout"
        }
        for (const text of numbers(3)) notes.offer(note("k", text))
        yield* until("they are in the spill", () => legRow(leat)?.spilled === 3)
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 3)
        yield* Effect.sleep(5000)
        expect(yield* texts(place)).toEqual(numbers(3))
      })
    ))

  it("waits for what is on its way to the disk before anything goes to the cluster again", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place, { leg: { batch: { records: 1 }, timeout: "5 seconds" } })
        place.faults = away
        for (const text of numbers(2)) notes.offer(note("k", text))
        let sends = 0
        place.diskFaults = { send: () => (sends++ === 1 ? { kind: "delay", ms: 3000 } : undefined) }
        yield* until("one is in the spill, and one is on its way there", () => legRow(leat)?.inFlight === 1)
        place.faults = {}
        yield* until("the first is stored", () => legRow(leat)?.stored === 1)
        notes.offer(note("k", "2"))
        yield* until("all is stored", () => legRow(leat)?.stored === 3)
        expect(yield* texts(place)).toEqual(numbers(3))
      })
    ))

  it("keeps what is on disk whatever the cluster there keeps of a topic", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const disk = new PowerLossBroker({ partitions: 1, retentionBytes: 4096 })
        const { leat, notes } = yield* open({ ...place, disk, faults: away, diskFaults: {} })
        // In several batches: of one alone a cluster would keep all.
        for (const text of numbers(50)) {
          notes.offer(note("k", text.padEnd(1000, ".")))
          yield* Effect.sleep("10 millis")
        }
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 50)
        const log = disk.disk.topic("local.notes.1.spill").partitions[0]
        expect([log?.start, log?.end]).toEqual([0n, 50n])
      })
    ))

  it("does not take a topic that may delete what was not sent on", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        place.disk.disk.ensure({ topic: "local.notes.1.spill", partitions: 1, retention: { timeMs: 1000 } })
        const refused = yield* Effect.flip(open(place))
        expect(String(refused)).toContain(
          "topic local.notes.1.spill of disk may delete what was not sent on yet (retention.timeMs: 1000, retention.bytes: default), and a spill keeps everything: take the retention out of the section of that cluster, or name another cluster"
        )
      })
    ))

  it("joins again when its disk cannot be read", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        for (const text of numbers(3)) notes.offer(note("k", text))
        yield* until("they are in the spill", () => legRow(leat)?.spilled === 3)
        let pulls = 0
        place.diskFaults = { pull: () => (pulls++ === 0 ? "Unavailable" : undefined) }
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 3)
        expect(pulls).toBeGreaterThan(1)
        expect(yield* texts(place)).toEqual(numbers(3))
      })
    ))

  it("keeps what its cluster has not stored when it is closed, also where that fences", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        place.faults = { send: () => ({ kind: "fail", reason: "Throttled" }) }
        const first = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(open(place), first)
        for (const text of numbers(3)) notes.offer(note("k", text))
        yield* until("they are in the spill", () => legRow(leat)?.spilled === 3)
        yield* Effect.sleep(3000)
        yield* Scope.close(first, Exit.void)
        place.faults = {}
        const next = yield* open(place)
        yield* until("all is stored", () => legRow(next.leat)?.stored === 3)
        expect(yield* texts(place)).toEqual(numbers(3))
      })
    ))

  it("takes more at once when a table gives it more room while it is full", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes, routes } = yield* open(place, { spill: { bytes: 65_536 } })
        place.faults = away
        for (const text of numbers(100)) notes.offer(note("k", text.padEnd(1000, ".")))
        yield* Effect.sleep(5000)
        expect(legRow(leat)?.queued).toBeGreaterThan(20)
        yield* leat.swapRoutes(routes(2, 10_000_000))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 100)
        expect(legRow(leat)).toMatchObject({ queued: 0, balanced: true })
      })
    ))

  it("stands with a record that is refused when it is sent on, where the policy would spill it again", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place, { policy: [{ on: ["*"], then: "spill" }] })
        place.faults = away
        for (const text of numbers(3)) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 3)
        place.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        yield* until("it stands", () => leat.halted().length === 1)
        expect(leat.halted()).toMatchObject([
          { sink: "local/notes", partition: 0, stream: "test.notes", tag: "Rejected" }
        ])
        place.faults = {}
        yield* leat.resume
        yield* until("all is stored", () => legRow(leat)?.stored === 3)
        expect(yield* texts(place)).toEqual(numbers(3))
      })
    ))

  it("belongs to one process at a time: another one sends nothing until it has it", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const first = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(open(place), first)
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        const next = yield* open(place)
        next.notes.offer(note("k", "1"))
        place.faults = {}
        yield* until("the first has sent it on", () => legRow(leat)?.stored === 1)
        yield* Effect.sleep(20_000)
        expect(legRow(next.leat)).toMatchObject({ queued: 1, stored: 0, balanced: true })
        yield* Scope.close(first, Exit.void)
        yield* until("the next has it", () => legRow(next.leat)?.stored === 1)
        expect(yield* texts(place)).toEqual(numbers(2))
      })
    ))

  it("asks the policy about what the destination refuses when it is sent on", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        for (const text of numbers(10)) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 10)
        let refusals = 0
        place.faults = {
          send: ({ count }) => (count > 1 || refusals++ === 3 ? { kind: "fail", reason: "Rejected" } : undefined)
        }
        yield* until("all has ended", () => legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ stored: 9, dropped: { Rejected: 1 }, balanced: true })
        place.faults = {}
        yield* notes.publish(note("k", "10"))
        const all = yield* stored(place.broker)
        expect(all.map(({ text }) => text)).toEqual(["0", "1", "2", "4", "5", "6", "7", "8", "9", "10"])
        expect(all.at(-1)?.dropped).toMatchObject([{ from: 3, to: 4, reason: "Rejected" }])
      })
    ))

  it("takes for unknown what a driver refuses without an error", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        let isOdd = false
        const { leat, notes } = yield* open(place, {
          send: (honest) => (partition, batch, from, to, timeoutMs, answer) => {
            if (!isOdd) return honest(partition, batch, from, to, timeoutMs, answer)
            isOdd = false
            answer([{ from, to, fate: "notStored", error: null as never }])
          }
        })
        place.faults = away
        for (const text of numbers(3)) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 3)
        isOdd = true
        place.faults = {}
        yield* until("all has ended", () => legRow(leat)?.spilled === 0)
        expect(legRow(leat)).toMatchObject({ stored: 3, dropped: {}, balanced: true })
        expect(yield* texts(place)).toEqual(numbers(3))
      })
    ))

  it("skips nothing when sending on breaks down", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        let broken = 0
        const journal: Journal = {
          moved: (_account, _bucket, _seq, from, to) => {
            // Also in the last portion, behind which nothing comes any more.
            if (from === "spilled" && to === "stored" && [100, 1150].includes(++broken)) throw new Error("not today")
          }
        }
        const { leat, notes } = yield* open(place, { journal })
        place.faults = away
        for (const text of numbers(1200)) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 1200)
        place.faults = {}
        yield* waitUntil(
          "all has ended",
          Effect.sync(() => legRow(leat)?.spilled === 0),
          { withinMs: 20_000 }
        )
        expect(legRow(leat)).toMatchObject({ stored: 1200, dropped: {}, balanced: true })
        expect([...new Set(yield* texts(place))]).toEqual(numbers(1200))
      })
    ))

  it("keeps events in the buffer while the spill is full", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place, { spill: { bytes: 65_536 } })
        place.faults = away
        for (const text of numbers(100)) notes.offer(note("k", text.padEnd(1000, ".")))
        yield* Effect.sleep(10_000)
        const row = legRow(leat)
        expect(row?.spilled).toBeGreaterThan(40)
        expect(row?.spilled).toBeLessThan(66)
        expect(row).toMatchObject({ balanced: true })
        expect(row?.dropped).toEqual({})
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 100)
        expect((yield* texts(place)).map((text) => text?.replaceAll(".", ""))).toEqual(numbers(100))
      })
    ))
})
