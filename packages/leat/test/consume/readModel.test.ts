/** A read lane against its model: after every move both say the same of everything that can be asked. */
import fc from "fast-check"
import { batchOf, ColumnBatch, type ReceivedBatch, type ReceivedRecords } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { HeldRecord } from "../../src/consume/HeldRecord.ts"
import { ReadLane } from "../../src/consume/ReadLane.ts"
import type { Policy } from "../../src/Policy.ts"
import { assertUntil } from "../assertUntil.ts"
import { expectEqual } from "../expectEqual.ts"
import { type ModelSettings, ReadModel, type Ruled, type Share } from "./ReadModel.ts"

const policy: Policy = [
  { on: ["drop"], then: "drop" },
  { on: ["twice"], retry: { times: 1, baseMs: 10 }, then: "drop" },
  { on: ["aside"], then: "deadLetter" },
  { on: ["CrashLoop"], retry: { times: 9, baseMs: 10 }, then: "deadLetter" },
  { on: ["asideLater"], retry: { times: 1, baseMs: 10 }, then: "deadLetter" },
  { on: ["late"], retry: { deadlineMs: 30, baseMs: 10 }, then: "halt" },
  { on: ["again"], retry: { baseMs: 20 }, then: "halt" }
]

/** What these rules come to, by hand: the jitter of 0.2 at a chance of 0.5 takes a tenth away. */
function ruling(tag: string, attempts: number, elapsedMs: number, hasTier: boolean): Ruled {
  if (tag === "drop") return "drop"
  if (hasTier && (tag === "twice" || tag === "asideLater")) return attempts > 1 ? "move" : 9
  if (hasTier && tag === "late") return elapsedMs + 9 > 30 ? "move" : 9
  if (tag === "twice") return attempts > 1 ? "drop" : 9
  if (tag === "aside" || tag === "CrashLoop") return "aside"
  if (tag === "asideLater") return attempts > 1 ? "aside" : 9
  if (tag === "late") return elapsedMs + 9 > 30 ? "halt" : 9
  return tag === "again" ? 18 : "halt"
}

const start = 100
const recordsDrawn = fc.record({
  gapBefore: fc.constantFrom(0, 0, 0, 2),
  keys: fc.array(fc.nat(3), { maxLength: 6 }),
  gapInside: fc.constantFrom(0, 0, 1),
  gapAfter: fc.constantFrom(0, 0, 0, 3),
  gap: fc.constantFrom(undefined, "expired" as const, "control" as const),
  asColumns: fc.boolean()
})
const settingsDrawn = fc.record({
  concurrency: fc.integer({ min: 1, max: 4 }),
  bufferBytesMax: fc.constantFrom(130, 258, 600, 1_000_000),
  settleEveryMs: fc.constantFrom(0, 10),
  nextTier: fc.constantFrom(undefined, undefined, { tier: 2, delayMs: 1000 })
})
const moveDrawn = fc.record({
  does: fc.oneof(
    { weight: 6, arbitrary: fc.constant("receive" as const) },
    { weight: 18, arbitrary: fc.constantFrom("next" as const, "finish" as const) },
    { weight: 6, arbitrary: fc.constantFrom("fail" as const, "failParts" as const, "resume" as const) },
    { weight: 6, arbitrary: fc.constantFrom("store" as const, "refuse" as const, "tooLarge" as const) },
    { weight: 1, arbitrary: fc.constant("outage" as const) },
    { weight: 4, arbitrary: fc.constantFrom("split" as const, "settle" as const, "configure" as const) },
    { weight: 1, arbitrary: fc.constantFrom("skip" as const, "failed" as const, "unfinished" as const) }
  ),
  records: recordsDrawn,
  at: fc.nat(9),
  tag: fc.constantFrom("drop", "twice", "late", "again", "again", "halt", "aside", "aside", "aside", "asideLater"),
  count: fc.integer({ min: 1, max: 4 }),
  afterMs: fc.constantFrom(0, 0, 1, 9, 18),
  settings: settingsDrawn
})
const optionsDrawn = fc.record({
  start: fc.constant(start),
  abandoned: fc.constantFrom(0, 0, 0, 2, 3),
  crashLoop: fc.constant(2),
  alonePositions: fc.constantFrom(1, 3, 6),
  unordered: fc.boolean(),
  seenKey: fc.constantFrom(undefined, undefined, "\u0003"),
  bundleWaitMs: fc.constantFrom(0, 0, 15),
  bundleRecords: fc.constantFrom(undefined, undefined, 1, 3, 3)
})
type Drawn<A> = A extends fc.Arbitrary<infer B> ? B : never
type Move = Drawn<typeof moveDrawn>

/** The lane and its model, moved alike. */
class Both {
  readonly lane: ReadLane
  readonly model: ReadModel
  /** What was given to a handler, also what has ended since: a late word about it counts for nothing. */
  readonly #given: Array<readonly [HeldRecord, Share]> = []
  /** Of these, whose dead letters were asked for and are not answered. */
  readonly #asked = new Set<Share>()
  #nowMs = 50

  constructor(options: Drawn<typeof optionsDrawn>, settings: ModelSettings) {
    const { abandoned, alonePositions, bundleRecords, crashLoop, seenKey, unordered } = options
    const bundle = bundleRecords === undefined ? {} : { bundleRecords, bundleWaitMs: options.bundleWaitMs }
    const dedupe =
      seenKey === undefined
        ? {}
        : { isSeen: (records: ReceivedRecords, index: number) => records.keyText(index) === seenKey }
    this.lane = new ReadLane(
      {
        start: BigInt(start),
        abandoned,
        crashLoop,
        alonePositions,
        unordered,
        random: () => 0.5,
        outage: {
          handled: () => undefined,
          failed: (nowMs) => nowMs,
          failedAgain: (nowMs) => nowMs,
          isOutage: () => this.model.isOutage
        },
        ...bundle,
        ...dedupe
      },
      { policy, ...settings }
    )
    this.model = new ReadModel(options, settings, ruling)
  }

  move(move: Move): void {
    const { lane, model } = this
    const { does, records, settings, at } = move
    this.#nowMs += move.afterMs
    if (does === "receive") this.#receive(records)
    else if (does === "next") this.#next()
    else if (does === "outage") model.isOutage = !model.isOutage
    else if (does === "settle") this.#settle(at < 3, at < 5)
    else if (does === "resume") {
      lane.resume(this.#nowMs)
      model.resume(this.#nowMs)
    } else if (does === "configure") {
      lane.configure({ policy, ...settings })
      model.configure(settings)
    } else this.#end(move)
  }

  /** The lane is taken away; `givesBack`: and given back. Words of its handlers that come later are heard or not, as the model says. */
  revoke(givesBack: boolean): void {
    if (givesBack) {
      this.lane.handBack()
      this.model.handBack()
    } else {
      this.lane.revoke()
      this.model.isRevoked = true
    }
  }

  /** What the lane says, in the form of `model.facts`. */
  get facts(): ReadModel["facts"] {
    const { lane } = this
    const { end, parked, inFlight, unread } = lane.census()
    const ends: Record<string, number> = {}
    for (const term of ["done", "duplicate"] as const) if (lane[term] !== 0) ends[term] = lane[term]
    for (const term of ["moved", "deadLettered", "dropped", "skipped"] as const)
      for (const [reason, count] of Object.entries(lane[term])) if (count !== 0) ends[`${term} ${reason}`] = count
    expect([lane.end, inFlight]).toEqual([end, lane.running])
    return {
      end: Number(end),
      watermark: Number(lane.watermark),
      halted: lane.halted === undefined ? undefined : { ...lane.halted, position: Number(lane.halted.position) },
      haltedKeys: lane.haltedKeys
        .map((halt) => ({ ...halt, position: Number(halt.position) }))
        .toSorted((a, b) => a.position - b.position),
      isRevoked: lane.isRevoked,
      running: inFlight,
      parked,
      unread,
      wantsMore: lane.wantsMore,
      blockedAt: lane.blockedAt === undefined ? undefined : Number(lane.blockedAt),
      retryDueMs: lane.retryDueMs,
      settleDueMs: lane.settleDueMs,
      ends
    }
  }

  #receive({ gapBefore, keys, gapInside, gapAfter, gap, asColumns }: Drawn<typeof recordsDrawn>): void {
    // Without records a batch may lie before the end: there is nothing in it that could come again.
    const from = this.model.end + (keys.length === 0 && asColumns ? -gapBefore : gapBefore)
    // Bytes of each record: 128 for its objects, one of key, and for columns one that says that there are no headers.
    const bytes = asColumns ? 130 : 129
    const records = keys.map((key, index) => ({
      at: from + index + (asColumns || index < 2 ? 0 : gapInside),
      key: String.fromCharCode(key),
      bytes
    }))
    const next = (records.at(-1)?.at ?? from - 1) + 1 + (asColumns ? 0 : gapAfter)
    const plain = keys.map((key) => ({ key: Uint8Array.of(key), value: null }))
    const reason = gap === undefined ? {} : { gap }
    const batch: ReceivedBatch = asColumns
      ? new ColumnBatch(batchOf(plain).columns(0, keys.length), BigInt(from), gap)
      : {
          records: plain.map((one, index) => ({
            ...one,
            position: BigInt(records[index]?.at ?? 0),
            headers: [],
            timeMs: 0
          })),
          next: BigInt(next),
          ...reason
        }
    expect(this.lane.received(batch)).toBe(true)
    this.model.received(records, next, gap ?? "compacted")
  }

  #next(): void {
    const share = this.model.next(this.#nowMs)
    const held = this.lane.next(this.#nowMs)
    if (share !== undefined && held !== undefined) this.#given.push([held, share])
    expect(held === undefined ? undefined : [positionsOf(held), held.attempts]).toEqual(
      share === undefined ? undefined : [share.positions.map(({ at }) => at), share.attempts]
    )
  }

  #settle(isFinal: boolean, isStored: boolean): void {
    const due = this.model.settleDue(this.#nowMs, isFinal)
    const position = this.lane.settleDue(this.#nowMs, isFinal)
    expect(position === undefined ? undefined : Number(position)).toBe(due)
    if (position === undefined) return
    if (!isStored) {
      const againAtMs = this.#nowMs + 4
      this.lane.notSettled(againAtMs)
      return this.model.notStored(againAtMs)
    }
    this.lane.settled(position)
    // An answer that comes late changes nothing.
    this.lane.settled(position - 1n)
    this.model.stored(Number(position))
  }

  /** What is to be moved or dead-lettered is said once, each with what it failed with. */
  #takeAside(): void {
    const taken = this.lane.takeAside()
    const expected = this.model.shares.filter((share) => share.state === "aside" && !this.#asked.has(share))
    const said = taken.map(({ held, ...failedWith }) => [positionsOf(held), failedWith] as const)
    expect(said.toSorted(([[a = 0]], [[b = 0]]) => a - b)).toEqual(
      expected.map(({ positions, failedWith }) => [positions.map(({ at }) => at), failedWith])
    )
    for (const { held } of taken) {
      const share = expected.find(({ positions }) => positions[0]?.at === Number(held.position))
      if (share === undefined) continue
      this.#asked.add(share)
      // In a crash loop no handler was asked.
      if (!this.#given.some((given) => given[0] === held)) this.#given.push([held, share])
    }
  }

  /** A word about one of those that were given: mostly one that runs. */
  #end({ does, at, tag, count }: Move): void {
    const { lane, model } = this
    const nowMs = this.#nowMs
    this.#takeAside()
    const isAnswer = does === "store" || does === "refuse" || does === "tooLarge"
    const wanted = isAnswer ? "setAside" : "running"
    const running = this.#given.filter(([{ state }]) => state === wanted)
    const all = at < 8 && running.length > 0 ? running : this.#given
    const [held, share] = all[at % all.length] ?? []
    if (held === undefined || share === undefined) return
    if (isAnswer) {
      const fault = does === "store" ? undefined : "no room"
      this.#asked.delete(share)
      lane.setAside(held, fault, nowMs, does === "tooLarge")
      model.setAside(share, fault, nowMs, does === "tooLarge")
    } else if (does === "failParts") {
      // As `count` says in its bits, and one of them at least.
      const span = share.positions.length
      const parts = Array.from({ length: span }, (_, index) => index).filter((index) => ((count >> index) & 1) === 1)
      const failed = parts.length === 0 ? [at % span] : parts
      lane.finished(held, { parts: new Map(failed.map((index) => [index, { tag, detail: "in parts" }])) }, nowMs)
      model.failedInParts(share, new Map(failed.map((index) => [index, tag])), "in parts", nowMs)
    } else if (does === "split") {
      lane.split(held, count)
      model.split(share, count)
    } else if (does === "finish") {
      lane.finished(held, undefined, nowMs)
      model.ended(share, "done")
    } else if (does === "skip") {
      lane.finished(held, { skip: "otherType" }, nowMs)
      model.ended(share, "skipped otherType")
    } else if (does === "failed") {
      lane.failed(held, { tag, detail: "unasked" }, nowMs)
      model.halt(share, tag, "unasked", nowMs)
    } else if (does === "unfinished") {
      lane.unfinished(held, nowMs)
      model.park(share, nowMs)
    } else {
      const detail = count === 1 ? {} : { detail: "said" }
      lane.finished(held, { tag, ...detail }, nowMs)
      model.failed(share, tag, detail.detail ?? "no detail", nowMs)
    }
  }
}

function positionsOf(held: HeldRecord): ReadonlyArray<number> {
  const positions: Array<number> = []
  for (let slice = held.slice; slice !== undefined; slice = slice.following)
    for (let index = slice.from; index < slice.to; index++) positions.push(Number(slice.records.position(index)))
  return positions
}

/** All that can become of a position. */
const endings = [
  "deadLettered CrashLoop",
  "deadLettered aside",
  "deadLettered asideLater",
  "done",
  "dropped drop",
  "dropped twice",
  "duplicate",
  "moved asideLater",
  "moved twice",
  "skipped compacted",
  "skipped control",
  "skipped expired",
  "skipped otherType"
]

describe("a read lane", () => {
  it("says what its model says, whatever is drawn", () => {
    const seen = new Map<string, number>()
    const property = fc.property(
      optionsDrawn,
      settingsDrawn,
      fc.array(moveDrawn, { maxLength: 150, size: "max" }),
      fc.array(moveDrawn, { maxLength: 10 }),
      (options, settings, moves, later) => {
        const both = new Both(options, settings)
        const step = (move: Move) => {
          both.move(move)
          const { facts } = both
          expectEqual(facts, both.model.facts)
          // Its rule ends it by time: too rare to be waited for.
          for (const [name, count] of Object.entries(facts.ends))
            if (name !== "moved late") seen.set(name, (seen.get(name) ?? 0) + count)
        }
        for (const move of moves) step(move)
        both.revoke(false)
        for (const move of later) step(move)
        both.revoke(true)
        for (const move of later) if (move.does !== "receive") step(move)
      }
    )
    assertUntil(property, () => seen.size === endings.length)
    expect(Array.from(seen.keys()).toSorted()).toEqual(endings)
  })
})
