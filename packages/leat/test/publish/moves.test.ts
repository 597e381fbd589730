/** A stream moves between two sinks while it is published, whatever is drawn: nothing is lost, nothing overtakes, and the books balance at each step. */
import { Effect } from "effect"
import fc from "fast-check"
import type { Place as LedgerPlace } from "leat"
import type { SendFault } from "leat/testing"
import { describe, expect, it } from "vitest"
import type { WriteAccount } from "../../src/ledger/Ledger.js"
import { Waiter } from "../../src/ledger/Waiter.js"
import type { Policy } from "../../src/Policy.js"
import { drained, settled } from "../../src/publish/leaving.js"
import { moveOver } from "../../src/publish/moveOver.js"
import type { Wire } from "../../src/record/Wire.js"
import { destinationsOf, openPlaces, type Pair, type Place, type Stored } from "./movePair.js"
import { note, story } from "./stories.js"

const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`)

const policies: Readonly<Record<"again" | "drop", Policy>> = {
  again: [{ on: ["*"], retry: { baseMs: 5, jitter: 0 }, then: "halt" }],
  drop: [{ on: ["*"], retry: { times: 2, baseMs: 5, jitter: 0 }, then: "drop" }]
}

const faultDrawn: fc.Arbitrary<SendFault | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom<SendFault>(
    { kind: "fail", reason: "Unavailable" },
    { kind: "fail", reason: "Unavailable" },
    { kind: "delay", ms: 30 },
    { kind: "loseResponse" },
    { kind: "cut" },
    { kind: "lateWrite", ms: 40 },
    { kind: "silence" }
  )
)
/** A key to offer, or how long to wait. */
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ key: fc.constantFrom(...keys), bytes: fc.constantFrom(1, 1, 1, 300) }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 7, 40) }
  ),
  { maxLength: 30, size: "max" }
)
const sideDrawn = fc.record({
  partitions: fc.constantFrom(1, 2, 3, 4, 6, 12),
  wire: fc.constantFrom<Wire>("compact", "cloudevents"),
  policy: fc.constantFrom<"again" | "drop">("again", "again", "drop"),
  overflow: fc.constantFrom("reject" as const, "dropOldest" as const),
  bufferBytesMax: fc.constantFrom(4096, 1 << 20),
  lingerMs: fc.constantFrom(0, 5),
  batchRecords: fc.constantFrom(1, 3, 100),
  faults: fc.array(faultDrawn, { maxLength: 12 }),
  fences: fc.array(fc.constantFrom(true, true, true, false), { maxLength: 12 })
})
const storyDrawn = fc.record({
  seed: fc.nat(1000),
  from: sideDrawn,
  to: sideDrawn,
  before: steps,
  draining: steps,
  leaving: steps,
  after: steps,
  /** The old place is given up, or what may be stored there is read back. */
  way: fc.constantFrom("plain" as const, "reads" as const, "abandons" as const),
  /** The old place takes nothing from the start. */
  isDead: fc.constantFrom(false, false, false, true)
})
type Drawn = typeof storyDrawn extends fc.Arbitrary<infer A> ? A : never

/** Where each leg is, kept by what a journal is told. */
class Sets {
  readonly place = new Map<string, LedgerPlace>()
  readonly doubts = new Map<string, number>()
  readonly seen = new Set<string>()
  wrong: string | undefined
  readonly #counts = new Map<string, number>()
  readonly moved = (
    { epoch }: Pick<WriteAccount, "epoch">,
    bucket: number,
    seq: number,
    from: LedgerPlace | undefined,
    to: LedgerPlace
  ): void => {
    const id = `${bucket}/${seq}`
    const leg = `${epoch} ${id}`
    // A leg that begins here was another one's before.
    const was = from === "movedOut" ? this.place.get(`1 ${id}`) : this.place.get(leg)
    if (was !== from || (from === "movedOut" && this.place.has(leg)))
      this.wrong ??= `${leg} goes from ${from} to ${to}, and was ${was}`
    if (to === "inDoubt" || (from === "inFlight" && to === "movedOut"))
      this.doubts.set(id, (this.doubts.get(id) ?? 0) + 1)
    if (this.place.has(leg)) this.#count(epoch, this.place.get(leg), -1)
    this.#count(epoch, to, 1)
    this.place.set(leg, to)
    this.seen.add(`${from} ${to}`)
  }

  count(epoch: number, place: LedgerPlace): number {
    return this.#counts.get(`${epoch} ${place}`) ?? 0
  }

  #count(epoch: number, place: LedgerPlace | undefined, by: number): void {
    const name = `${epoch} ${place}`
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
  }
}

const idOf = ({ id }: Stored) => `${id?.bucket}/${id?.seq}`

/** Both sets of books say the same, and balance. */
function balance({ ledger }: Pair, sets: Sets): void {
  const { legs, balanced } = ledger.snapshot()
  expect([balanced, sets.wrong]).toEqual([true, undefined])
  for (const row of legs) {
    for (const place of ["queued", "inFlight", "inDoubt", "stored", "movedOut"] as const)
      expect([place, row[place]]).toEqual([place, sets.count(row.epoch, place)])
    const dropped = Object.values(row.dropped).reduce((sum, count) => sum + count, 0)
    expect(dropped).toBe(sets.count(row.epoch, "dropped"))
  }
  expect(legs[0]?.movedOut).toBe(legs[1]?.movedIn)
}

const open = Effect.fnUntraced(function* ({ from, to, way, isDead }: Drawn, sets: Sets) {
  let isHealed = false
  const sides = [from, to].map((side, index) => {
    let sends = 0
    let fences = 0
    const { partitions, faults, policy, ...leg } = side
    return {
      partitions,
      epoch: index + 1,
      leg: { ...leg, policy: policies[policy], timeoutMs: 50, batchBytes: 1024, fences: undefined, faults: undefined },
      faults: {
        send: (): SendFault | undefined => {
          if (index === 0 && isDead) return { kind: "fail", reason: "Unavailable" }
          return isHealed ? undefined : faults[sends++]
        },
        fence: () => {
          const isShut = (index === 0 && way === "abandons") || side.fences[fences++] === true
          return !isHealed && isShut ? ("Unavailable" as const) : undefined
        }
      }
    }
  })
  const pair = yield* openPlaces(sides, { journal: sets })
  const [old, next] = pair.places
  if (old === undefined || next === undefined) throw new Error("there are two")
  const heal = () => {
    isHealed = true
  }
  return { pair, old, next, heal }
})

function tell(drawn: Drawn, seen: Set<string>): void {
  const sets = new Sets()
  const waiters = new Map<string, Waiter>()
  story(
    Effect.gen(function* () {
      const { pair, old, next, heal } = yield* open(drawn, sets)
      const { publisher } = pair
      const offer = (key: string, bytes: number) => {
        const waiter = new Waiter()
        const told = publisher.offerNow(note(key, "x".repeat(bytes)), undefined, undefined, waiter)
        if (told?.admitted === true) waiters.set(`${publisher.lastBucket}/${publisher.lastSeq}`, waiter)
      }
      const play = Effect.fnUntraced(function* (those: Drawn["before"]) {
        for (const step of those) {
          if (typeof step === "number") yield* Effect.sleep(step)
          else offer(step.key, step.bytes)
          balance(pair, sets)
        }
      })
      yield* play(drawn.before)
      next.outlet.lanes.gate(true)
      publisher.swap(destinationsOf(next))
      yield* play(drawn.draining)
      old.outlet.lanes.gate(true)
      yield* play(drawn.leaving)
      const isAbandoned = drawn.way === "abandons"
      if (!isAbandoned) yield* settled(old.outlet)
      const stored = new Set(old.log.map(idOf))
      const isStored = (bucket: number, seq: number) => stored.has(`${bucket}/${seq}`)
      const moved = moveOver({
        from: old.outlet,
        to: next.outlet,
        isInFront: true,
        isAbandoned,
        ...(drawn.way === "reads" ? { isStored } : {})
      })
      expect(moved.refused).toBeUndefined()
      balance(pair, sets)
      expect([old.outlet.lanes.all, next.log, old.sink.bufferedBytes]).toEqual([[], [], 0])
      const atMove = new Set(old.log.map(idOf))
      yield* play(drawn.after)
      next.outlet.lanes.gate(false)
      yield* Effect.sleep(20)
      balance(pair, sets)
      heal()
      yield* drained(next.outlet)
      // What drops are left to announce their next records say.
      for (const key of keys) {
        offer(key, 1)
        yield* Effect.sleep(5)
      }
      yield* drained(next.outlet)
      balance(pair, sets)
      judge(drawn, { old, next, sets, waiters, atMove })
    }),
    drawn.seed
  )
  for (const text of sets.seen) seen.add(text)
}

interface Evidence {
  readonly old: Place
  readonly next: Place
  readonly sets: Sets
  readonly waiters: ReadonlyMap<string, Waiter>
  /** In the old log when the rest moved. */
  readonly atMove: ReadonlySet<string>
}

function judge({ way, from, to }: Drawn, { old, next, sets, waiters, atMove }: Evidence): void {
  const logs = [...old.log, ...next.log]
  const copies = new Map<string, number>()
  for (const one of logs) copies.set(idOf(one), (copies.get(idOf(one)) ?? 0) + 1)
  const told = new Set<string>()
  for (const { dropped } of logs)
    for (const { bucket, from: first, to: end } of dropped)
      for (let seq = first; seq < end; seq++) told.add(`${bucket}/${seq}`)
  for (const [id, waiter] of waiters) {
    const isDropped = sets.place.get(`1 ${id}`) === "dropped" || sets.place.get(`2 ${id}`) === "dropped"
    const many = copies.get(id) ?? 0
    expect([waiter.pending, waiter.stored]).toEqual([0, isDropped ? 0 : 1])
    if (isDropped) expect([id, told.has(id)]).toEqual([id, true])
    else expect(many).toBeGreaterThanOrEqual(1)
    expect(many).toBeLessThanOrEqual(1 + (sets.doubts.get(id) ?? 0))
    // What somebody has read there does not come again.
    if (way === "reads" && atMove.has(id)) expect(next.log.some((one) => idOf(one) === id)).toBe(false)
  }
  expect(old.log.every(({ epoch, id }) => epoch === 1 && id !== undefined)).toBe(true)
  expect(
    next.log.every(({ epoch, id, partition }) => epoch === 2 && (id?.bucket ?? 0) % to.partitions === partition)
  ).toBe(true)
  expect(old.log.every(({ id, partition }) => (id?.bucket ?? 0) % from.partitions === partition)).toBe(true)
  // What is on its way to a place that is given up may come to stand there whenever.
  for (const log of way === "abandons" ? [next.log] : [logs]) expect(falling(log)).toEqual([])
  expect([old.sink.bufferedBytes, next.sink.bufferedBytes]).toEqual([0, 0])
  if (way !== "abandons") expect(old.log.length).toBe(old.log.filter((one) => atMove.has(idOf(one))).length)
}

/** First copies that come behind later ones of their bucket. */
function falling(log: ReadonlyArray<Stored>): ReadonlyArray<string> {
  const highest = new Map<number, number>()
  const known = new Set<string>()
  return log.flatMap((one) => {
    const { bucket = 0, seq = 0 } = one.id ?? {}
    if (known.has(idOf(one))) return []
    known.add(idOf(one))
    const before = highest.get(bucket) ?? -1
    highest.set(bucket, Math.max(before, seq))
    return seq > before ? [] : [`${idOf(one)} behind ${before}`]
  })
}

describe("a stream that moves between two sinks", () => {
  it("keeps what it admits, in order, whatever is drawn", () => {
    const wanted = ["queued movedOut", "inDoubt movedOut", "inFlight movedOut", "movedOut queued"]
    const seen = new Set<string>()
    fc.assert(
      fc.property(storyDrawn, (drawn) => tell(drawn, seen)),
      { numRuns: 100 }
    )
    expect(wanted.filter((text) => !seen.has(text))).toEqual([])
  })
})
