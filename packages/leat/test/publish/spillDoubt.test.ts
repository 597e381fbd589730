/** What becomes of records that a spill may have: its answer was lost, and it does not say where they stand. */
import { type Duration, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver, type SendFault, waitUntil } from "leat/testing"
import type { Capabilities, Driver, Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { knowingIds, KnownIds } from "./knownIds.js"
import { legRow, note, stored, story } from "./stories.js"

const placeOf = (partitions = 1) => {
  const disk = new PowerLossBroker({ partitions: 1 })
  return {
    broker: new MemoryBroker({ partitions }),
    disk,
    known: new KnownIds(disk.disk),
    faults: {} as FaultPlan,
    diskFaults: {} as FaultPlan,
    wrapFar: (driver: Driver) => driver,
    wrapDisk: (driver: Driver) => driver
  }
}
type Place = ReturnType<typeof placeOf>

const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
const live = (plan: () => FaultPlan): FaultPlan => ({
  send: (call) => plan().send?.(call),
  fence: (call) => plan().fence?.(call)
})
/** The answers to the first sends are lost; `skipped` of them come before. */
const losing = (count: number, skipped = 0): FaultPlan => {
  let sends = -skipped
  return {
    send: () => {
      const send = sends++
      return send >= 0 && send < count ? { kind: "loseResponse" } : undefined
    }
  }
}

/** A driver that declares other capabilities. */
const declaring = (driver: Driver, over: Partial<Capabilities>): Driver => ({
  ...driver,
  inspect: (config) => {
    const told = driver.inspect(config)
    return "capabilities" in told ? { ...told, capabilities: { ...told.capabilities, ...over } } : told
  },
  open: (...asked) =>
    Effect.map(driver.open(...asked), (inner): Transport => ({
      ...inner,
      capabilities: { ...inner.capabilities, ...over }
    }))
})

interface Setting {
  readonly far?: Partial<Capabilities>
  readonly policy?: ReadonlyArray<object>
  readonly leg?: object
  readonly drain?: Duration.Input
}

const open = Effect.fnUntraced(function* (place: Place, { far = {}, policy, leg = {}, drain }: Setting = {}) {
  const leat = yield* Leat.make({
    source: "test",
    routes: {
      version: 1,
      clusters: { local: { transport: "memory" }, disk: { transport: "powerLoss" } },
      policies: { leg: policy ?? [{ on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "spill" }] },
      routes: [
        {
          match: { stream: "*" },
          to: [
            {
              cluster: "local",
              topic: "notes",
              policy: "leg",
              linger: "1 milli",
              timeout: "500 millis",
              spill: { cluster: "disk" },
              ...leg
            }
          ]
        }
      ]
    },
    drain: drain ?? "10 seconds",
    drivers: [
      place.wrapFar(
        declaring(
          faultDriver(
            memoryDriver(place.broker),
            live(() => place.faults)
          ),
          far
        )
      ),
      place.wrapDisk(
        faultDriver(
          knowingIds(powerLossDriver(place.disk), place.known),
          live(() => place.diskFaults)
        )
      )
    ]
  })
  return {
    leat,
    notes: yield* leat.stream(noteContract()),
    others: leat.stream(noteContract({ stream: "test.others" }))
  }
})

const until = (what: string, is: () => boolean) => waitUntil(what, Effect.sync(is))

const texts = (place: Place) => Effect.map(stored(place.broker), (all) => all.map(({ text }) => text))

describe("a spill whose answer is lost", () => {
  it.for(["hard", "none"] as const)(
    "is fenced, and sent on in order, beside a destination that fences: %s",
    (fencing) =>
      story(
        Effect.gen(function* () {
          const place = placeOf()
          const first = yield* Scope.make()
          const { leat, notes } = yield* Scope.provide(open(place, { far: { fencing } }), first)
          yield* notes.publish(note("k", "0"))
          place.faults = away
          place.diskFaults = losing(1)
          const receipt = yield* notes.publish(note("k", "1"), { level: "durable" })
          place.faults = {}
          yield* Effect.timeout(notes.publish(note("k", "2"), { level: "stored" }), "10 seconds")
          expect(yield* receipt.outcome).toMatchObject({ stored: 1 })
          expect(legRow(leat)).toMatchObject({ stored: 3, spilled: 0, balanced: true })
          // What is settled in the spill is behind that.
          yield* Effect.sleep(1000)
          yield* Scope.close(first, Exit.void)
          const next = yield* open(place, { far: { fencing } })
          yield* next.notes.publish(note("k", "3"), { level: "stored" })
          expect(yield* texts(place)).toEqual(["0", "1", "2", "3"])
        })
      )
  )

  it.for([1, 2])("is asked again before another stream goes there, and tells where it stands: %s lost", (lost) =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes, others } = yield* open(place, { leg: { wire: "cloudevents" } })
        const other = yield* others
        place.faults = away
        // That of the first range of one stream, or of each.
        place.diskFaults = losing(lost)
        for (const text of ["0", "1", "2", "3", "4"]) notes.offer(note("k", text))
        for (const text of ["a", "b"]) other.offer(note("k", text))
        const rows = () => leat.ledger.snapshot().legs
        const sum = (name: "spilled" | "stored") => rows().reduce((total, row) => total + row[name], 0)
        yield* until("all is in the spill", () => sum("spilled") === 7)
        const receipt = yield* notes.publish(note("k", "5"), { level: "durable" })
        place.faults = {}
        yield* until("all is stored", () => sum("stored") === 8)
        expect(rows()).toMatchObject([
          { stored: 6, spilled: 0, balanced: true },
          { stored: 2, spilled: 0, balanced: true }
        ])
        expect(yield* receipt.outcome).toMatchObject({ stored: 1 })
        const sent = yield* texts(place)
        expect(sent.filter((text) => text !== null && text < "a")).toEqual(["0", "1", "2", "3", "4", "5"])
        expect(sent.filter((text) => text !== null && text >= "a")).toEqual(["a", "b"])
      })
    )
  )

  it("is asked again before what stands there is sent on, so that this is not done twice", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        place.diskFaults = losing(1)
        const waiting = yield* Effect.forkChild(notes.publish(note("k", "1"), { level: "stored" }))
        yield* until("it is in doubt", () => (legRow(leat)?.inDoubt ?? 0) > 0)
        place.faults = {}
        yield* Fiber.join(waiting)
        yield* Effect.sleep(10_000)
        expect(legRow(leat)).toMatchObject({ stored: 2, spilled: 0, balanced: true })
        expect(yield* texts(place)).toEqual(["0", "1"])
      })
    ))

  it("is read where no answer says where it stands", () =>
    story(
      Effect.gen(function* () {
        const silent = (driver: Driver): Driver => ({
          ...driver,
          open: (...asked) =>
            Effect.map(driver.open(...asked), (inner): Transport => ({
              ...inner,
              openWriter: (topic) =>
                Effect.map(inner.openWriter(topic), (writer) => ({
                  ...writer,
                  send: (partition, batch, from, to, timeoutMs, answer) =>
                    writer.send(partition, batch, from, to, timeoutMs, (runs) =>
                      answer(runs.map(({ from: first, to: end, fate }) => ({ from: first, to: end, fate })))
                    )
                }))
            }))
        })
        const place = { ...placeOf(), wrapDisk: silent }
        const { leat, notes } = yield* open(place, { leg: { batch: { records: 2 } } })
        place.faults = away
        for (const text of ["0", "1", "2", "3", "4"]) notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 5)
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 5)
        expect(legRow(leat)).toMatchObject({ spilled: 0, dropped: {}, balanced: true })
        expect(yield* texts(place)).toEqual(["0", "1", "2", "3", "4"])
      })
    ))

  it("and that has it no more counts it as dropped, and as what may be stored", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        place.diskFaults = losing(1)
        const waiting = yield* Effect.forkChild(Effect.flip(notes.publish(note("k", "1"), { level: "durable" })))
        yield* until("it is in doubt", () => (legRow(leat)?.inDoubt ?? 0) > 0)
        place.known.of("local.notes.1.spill", 0)
        yield* memoryTransport(place.disk.disk).trim?.("local.notes.1.spill", 0, 2n) ?? Effect.void
        expect((yield* Fiber.join(waiting)).message).toContain("Corrupt")
        expect(legRow(leat)).toMatchObject({ dropped: { Corrupt: 1 }, droppedMayBeStored: 1, balanced: true })
      })
    ))

  /** The first answer for so many records says something of each alone, and nothing of those. */
  const holed =
    (count: number, holes: ReadonlyArray<number>, done: () => void) =>
    (driver: Driver): Driver => {
      let isDone = false
      return {
        ...driver,
        open: (...asked) =>
          Effect.map(driver.open(...asked), (inner): Transport => ({
            ...inner,
            openWriter: (topic) =>
              Effect.map(inner.openWriter(topic), (writer) => ({
                ...writer,
                send: (partition, batch, from, to, timeoutMs, answer) =>
                  writer.send(partition, batch, from, to, timeoutMs, (runs) => {
                    const [run] = runs
                    if (isDone || run === undefined || to - from !== count) return answer(runs)
                    isDone = true
                    const each = Array.from({ length: count }, (_, index) => {
                      const base = run.base === undefined ? {} : { base: run.base + BigInt(index) }
                      return { ...run, from: from + index, to: from + index + 1, ...base }
                    })
                    answer(each.filter((_, index) => !holes.includes(index)))
                    done()
                  })
              }))
          }))
      }
    }

  const holes = [[2], [2, 4], [0, 5]].flatMap((all) => ["later", "at once"].map((when) => [all.join(), when] as const))

  it.for(holes)("says nothing of some records of a range, and has them: %s, the cluster is there %s", ([all, when]) =>
    story(
      Effect.gen(function* () {
        const back = () => {
          if (when === "at once") place.faults = {}
        }
        const place: Place = { ...placeOf(), wrapDisk: holed(6, all.split(",").map(Number), back) }
        const { leat, notes } = yield* open(place)
        place.faults = away
        for (let text = 0; text < 6; text++) notes.offer(note("k", String(text)))
        yield* until("all is in the spill, or sent on", () => {
          const { spilled = 0, stored: sent = 0 } = legRow(leat) ?? {}
          return spilled + sent === 6
        })
        for (let text = 6; text < 8; text++) notes.offer(note("k", String(text)))
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 8)
        expect(legRow(leat)).toMatchObject({ spilled: 0, dropped: {}, balanced: true })
        expect(yield* texts(place)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"])
      })
    )
  )

  it.for(holes)(
    "says nothing of some records of a range, and has none of it: %s, the cluster is there %s",
    ([all, when]) =>
      story(
        Effect.gen(function* () {
          const back = () => {
            if (when === "at once") place.faults = {}
          }
          const place: Place = { ...placeOf(), wrapDisk: holed(6, all.split(",").map(Number), back) }
          const { leat, notes } = yield* open(place)
          place.faults = away
          yield* notes.publish(note("k", "first"), { level: "durable" })
          let sends = 0
          place.diskFaults = { send: () => (sends++ === 0 ? { kind: "fail", reason: "Unavailable" } : undefined) }
          for (let text = 0; text < 6; text++) notes.offer(note("k", String(text)))
          yield* until("the disk was asked", () => sends > 0)
          if (when === "later") yield* until("all is in the spill", () => legRow(leat)?.spilled === 7)
          place.faults = {}
          yield* until("all is stored", () => legRow(leat)?.stored === 7)
          expect(yield* texts(place)).toEqual(["first", "0", "1", "2", "3", "4", "5"])
        })
      )
  )

  it.for([0, 1])(
    "is looked for where its position cannot be that of what was sent: %s too low, or none at all",
    (less) =>
      story(
        Effect.gen(function* () {
          const wrong = (driver: Driver): Driver => ({
            ...driver,
            open: (...asked) =>
              Effect.map(driver.open(...asked), (inner): Transport => ({
                ...inner,
                openWriter: (topic) =>
                  Effect.map(inner.openWriter(topic), (writer) => ({
                    ...writer,
                    send: (partition, batch, from, to, timeoutMs, answer) =>
                      writer.send(partition, batch, from, to, timeoutMs, (runs) =>
                        answer(
                          runs.map((run) => ({
                            ...run,
                            base: less === 0 || run.base === 0n ? 0n : (run.base ?? 0n) - BigInt(less)
                          }))
                        )
                      )
                  }))
              }))
          })
          const place: Place = { ...placeOf(), wrapDisk: wrong }
          const { leat, notes } = yield* open(place)
          place.faults = away
          for (let text = 0; text < 5; text++) yield* notes.publish(note("k", String(text)), { level: "durable" })
          place.faults = {}
          yield* until("all is stored", () => legRow(leat)?.stored === 5)
          expect(legRow(leat)).toMatchObject({ spilled: 0, dropped: {}, balanced: true })
          expect(yield* texts(place)).toEqual(["0", "1", "2", "3", "4"])
        })
      )
  )

  const dropping = [
    { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "spill" },
    { on: ["SpillFull"], then: "drop" }
  ]
  /** One send has this, and then there is no room. */
  const filling = (first: SendFault): FaultPlan => {
    let sends = 0
    return { send: () => (sends++ === 0 ? first : { kind: "fail", reason: "Full" }) }
  }

  it("has what stands there, also where there is no room to send it again", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place, { policy: dropping })
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        place.diskFaults = filling({ kind: "loseResponse" })
        notes.offer(note("k", "1"))
        yield* until("that is too", () => legRow(leat)?.spilled === 2)
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 2)
        expect(yield* texts(place)).toEqual(["0", "1"])
      })
    ))

  it("keeps nothing from its destination that does not stand there, while there is no room", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf()
        const { leat, notes } = yield* open(place)
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        place.diskFaults = filling({ kind: "cut" })
        notes.offer(note("k", "1"))
        yield* Effect.sleep(1000)
        place.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 2)
        expect(yield* texts(place)).toEqual(["0", "1"])
      })
    ))

  it("sends what was given up there, and stands there all the same, before what is published later", () =>
    story(
      Effect.gen(function* () {
        // Nobody is told that it stands there, nor can it be read at that moment.
        const blind = (driver: Driver): Driver => ({
          ...driver,
          open: (...asked) =>
            Effect.map(driver.open(...asked), (inner): Transport => ({ ...inner, read: () => Stream.empty }))
        })
        const place = { ...placeOf(), wrapDisk: blind }
        const first = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(open(place, { policy: dropping }), first)
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        place.diskFaults = filling({ kind: "loseResponse" })
        notes.offer(note("k", "1"))
        yield* until("it is given up", () => legRow(leat)?.dropped["SpillFull"] === 1)
        place.faults = {}
        place.diskFaults = {}
        yield* until("the spill is left", () => legRow(leat)?.spilled === 0)
        yield* notes.publish(note("k", "2"), { level: "stored" })
        yield* Scope.close(first, Exit.void)
        const next = yield* open(place)
        yield* next.notes.publish(note("k", "3"), { level: "stored" })
        expect(yield* texts(place)).toEqual(["0", "1", "2", "3"])
        expect(legRow(leat)).toMatchObject({ droppedMayBeStored: 1, balanced: true })
      })
    ))
})

describe("a fence of a spill that is on its way when its leat is closed", () => {
  /** Fences take so long. */
  const slowly =
    (ms: () => number, done: () => void = () => undefined) =>
    (driver: Driver): Driver => ({
      ...driver,
      open: (...asked) =>
        Effect.map(driver.open(...asked), (inner): Transport => ({
          ...inner,
          openWriter: (topic) =>
            Effect.map(inner.openWriter(topic), (writer) => ({
              ...writer,
              fence: (partition) => Effect.tap(Effect.delay(writer.fence(partition), ms()), () => Effect.sync(done))
            }))
        }))
    })

  it.for([7900, 7300, 6000])("is waited for, and what is left goes to the disk: it began after %s ms", (beganMs) =>
    story(
      Effect.gen(function* () {
        let fenceMs = 0
        const place = { ...placeOf(), wrapDisk: slowly(() => fenceMs) }
        const first = yield* Scope.make()
        const setting = { leg: { timeout: "20 seconds" }, drain: "10 seconds" } as const
        const { leat, notes } = yield* Scope.provide(open(place, setting), first)
        place.faults = away
        notes.offer(note("k", "0"))
        yield* until("it is in the spill", () => legRow(leat)?.spilled === 1)
        fenceMs = 1000
        let sends = 0
        place.diskFaults = {
          send: () => {
            const send = sends++
            if (send === 0) return { kind: "delay", ms: beganMs - 100 }
            return send === 1 ? { kind: "cut" } : undefined
          }
        }
        notes.offer(note("k", "1"))
        yield* Effect.sleep(100)
        for (const text of ["2", "3"]) notes.offer(note("k", text))
        yield* Scope.close(first, Exit.void)
        expect(legRow(leat)).toMatchObject({ spilled: 4, dropped: {}, balanced: true })
        place.faults = {}
        fenceMs = 0
        const next = yield* open(place)
        yield* until("all is stored", () => legRow(next.leat)?.stored === 4)
        expect(yield* texts(place)).toEqual(["0", "1", "2", "3"])
      })
    )
  )

  it("is not taken for returned when one of the destination returns that was on its way before", () =>
    story(
      Effect.gen(function* () {
        const seen: Array<string> = []
        const place = {
          ...placeOf(),
          wrapFar: slowly(() => 8500),
          wrapDisk: slowly(
            () => 1000,
            () => seen.push("fenced")
          )
        }
        const policy = [{ on: ["passing"], retry: { times: 9, base: "10 millis" }, then: "spill" }]
        const first = yield* Scope.make()
        const setting = { policy, leg: { timeout: "20 seconds" }, drain: "10 seconds" } as const
        const { leat, notes } = yield* Scope.provide(open(place, setting), first)
        place.faults = { send: () => ({ kind: "cut" }) }
        place.diskFaults = {
          send: () => {
            seen.push("sent")
            return seen.length === 1 ? { kind: "cut" } : undefined
          }
        }
        notes.offer(note("k", "0"))
        yield* Effect.sleep(1)
        yield* Scope.close(first, Exit.void)
        expect(seen).toEqual(["sent", "fenced", "sent"])
        expect(legRow(leat)).toMatchObject({ spilled: 1, dropped: {}, balanced: true })
      })
    ))
})

describe("a budget of retries of the destination", () => {
  it("does not bound what goes to its spill", () =>
    story(
      Effect.gen(function* () {
        const place = placeOf(8)
        const retry = { times: 1, base: "10 millis", budget: 0.2 }
        const { leat, notes } = yield* open(place, { policy: [{ on: ["passing"], retry, then: "spill" }] })
        place.faults = away
        const offer = (from: number) => {
          for (let key = from; key < from + 100; key++) notes.offer(note(`k${key}`, String(key)))
        }
        offer(0)
        yield* until("all is in the spill", () => legRow(leat)?.spilled === 100)
        place.diskFaults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        offer(100)
        yield* Effect.sleep(1000)
        place.diskFaults = {}
        // Each of the partitions has failed there. One probe in a second for all of them would take seven.
        yield* Effect.sleep(1000)
        expect(legRow(leat)).toMatchObject({ spilled: 200, queued: 0, balanced: true })
      })
    ))
})
