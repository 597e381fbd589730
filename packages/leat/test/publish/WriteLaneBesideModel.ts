/** A write lane and its model, moved alike by moves that are drawn. */
import fc from "fast-check"
import { expect } from "vitest"
import { Ledger } from "../../src/ledger/Ledger.ts"
import { Waiter } from "../../src/ledger/Waiter.ts"
import type { Policy } from "../../src/Policy.ts"
import type { Queued, Span } from "../../src/publish/Span.ts"
import type { Halted, LaneHome } from "../../src/publish/LaneHome.ts"
import { WriteLane } from "../../src/publish/WriteLane.ts"
import { droppedHeader, readDropNotice } from "../../src/record/DropNotice.ts"
import { RecordBatch } from "../../src/record/RecordBatch.ts"
import { type Run, TransportError } from "../../src/transport/index.ts"
import { WriteModel } from "./WriteModel.ts"
import { type Answer, type Batch, type ModelRecord, type Range, type Ruling, textsOf } from "./writeModelParts.ts"

const policy: Policy = [
  { on: ["Rejected"], retry: { times: 1, baseMs: 7, jitter: 0 }, then: "drop" },
  { on: ["Timeout"], retry: { times: 1, baseMs: 5, jitter: 0 }, then: "drop" },
  { on: ["Throttled"], retry: { deadlineMs: 30, baseMs: 10 }, then: "halt" },
  { on: ["Unavailable"], retry: { baseMs: 0 }, then: "halt" },
  { on: ["Corrupt"], retry: { times: 1, baseMs: 3, jitter: 0 }, then: "deadLetter" },
  { on: ["Full"], then: "deadLetter" }
]

/** What these rules come to, by hand: the jitter of 0.2 at a chance of 0.5 takes a tenth away, and after three attempts 10 ms are least. */
function ruling(tag: string, attempts: number, elapsedMs: number): ReturnType<Ruling> {
  const leastMs = attempts > 3 ? 10 : 0
  if (tag === "Rejected") return attempts > 1 ? "drop" : 7
  if (tag === "Timeout") return attempts > 1 ? "drop" : 5
  if (tag === "Corrupt") return attempts > 1 ? "deadLetter" : 3
  if (tag === "Full") return "deadLetter"
  if (tag === "Throttled") return elapsedMs + 9 > 30 ? "halt" : Math.max(9, leastMs)
  return tag === "Unavailable" ? leastMs : "halt"
}

const answerDrawn = fc.record({
  count: fc.integer({ min: 1, max: 4 }),
  fate: fc.constantFrom("stored" as const, "notStored" as const, "unknown" as const),
  reason: fc.constantFrom(
    "Rejected" as const,
    "Timeout" as const,
    "Throttled" as const,
    "Unavailable" as const,
    "TooLarge" as const,
    "Corrupt" as const,
    "Corrupt" as const,
    undefined
  )
})
export const moveDrawn = fc.record({
  does: fc.oneof(
    { weight: 10, arbitrary: fc.constant("append" as const) },
    { weight: 10, arbitrary: fc.constant("take" as const) },
    { weight: 9, arbitrary: fc.constant("answer" as const) },
    { weight: 3, arbitrary: fc.constantFrom("fence" as const, "resume" as const) },
    { weight: 4, arbitrary: fc.constant("letters" as const) },
    { weight: 2, arbitrary: fc.constantFrom("refuse" as const, "dropBatch" as const) },
    { weight: 1, arbitrary: fc.constantFrom("begin" as const, "mark" as const, "await" as const, "flush" as const) },
    { weight: 1, arbitrary: fc.constantFrom("gate" as const, "dropDoubt" as const, "announce" as const) },
    { weight: 1, arbitrary: fc.constantFrom("moveIn" as const, "moveOut" as const) }
  ),
  at: fc.nat(5),
  answers: fc.oneof(
    fc.constant([{ count: 1, fate: "stored" as const, reason: undefined }]),
    fc.array(answerDrawn, { minLength: 1, maxLength: 3 })
  ),
  isBehind: fc.constantFrom(false, false, true),
  afterMs: fc.constantFrom(0, 0, 1, 5, 10)
})
export const rulesDrawn = fc.record({
  lingerMs: fc.constantFrom(0, 5),
  batchBytes: fc.constantFrom(4, 1000),
  batchRecords: fc.constantFrom(1, 3, 8),
  lettersMax: fc.constantFrom(1, 3, 100),
  canFence: fc.boolean()
})
/** Little else than letters that are refused beside answers that are lost: what one record of a batch leaves behind for another. */
export const letterMoveDrawn = fc.record({
  does: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("append" as const, "take" as const, "answer" as const) },
    { weight: 2, arbitrary: fc.constantFrom("letters" as const, "resume" as const) },
    { weight: 1, arbitrary: fc.constantFrom("fence" as const, "refuse" as const) }
  ),
  at: fc.constantFrom(0, 1, 5),
  answers: fc.array(
    fc.oneof(
      fc.constant({ count: 1, fate: "stored" as const, reason: undefined }),
      fc.constant({ count: 1, fate: "notStored" as const, reason: "Full" as const }),
      fc.constant({ count: 1, fate: "unknown" as const, reason: "Unavailable" as const })
    ),
    { minLength: 1, maxLength: 2 }
  ),
  isBehind: fc.constant(false),
  afterMs: fc.constantFrom(0 as const, 0 as const, 10 as const)
})
type Drawn<A> = A extends fc.Arbitrary<infer B> ? B : never
export type Move = Drawn<typeof moveDrawn> | Drawn<typeof letterMoveDrawn>
export type Rules = Drawn<typeof rulesDrawn>

/** The lane and its model, moved alike. */
export class WriteLaneBesideModel {
  readonly #drawn: Rules
  readonly #rules: { retries: number }
  readonly #home: LaneHome
  readonly #ledger: Ledger
  readonly #moves: Array<string> = []
  readonly #recycled: Array<string> = []
  readonly #queued: Array<readonly [Queued, Batch]> = []
  /** What was taken, also what has ended since: a late word about it counts for nothing. */
  readonly #taken: Array<readonly [Span, Range]> = []
  readonly #waiters: Array<Waiter> = []
  /** What was set aside, also what has ended since. */
  readonly #aside: Array<readonly [Span, Halted]> = []
  readonly #lane: WriteLane
  #model: WriteModel
  #seq = 0
  #nowMs = 50

  constructor(drawn: Rules) {
    const { canFence, lettersMax, ...limits } = drawn
    const ledger = new Ledger({
      moved: ({ stream }, bucket, seq, from, to, reason) =>
        this.#moves.push(`${stream} ${bucket}:${seq} ${from ?? "nowhere"} ${to} ${reason ?? "none"}`)
    })
    const rules = { policy, retries: 0, outage: undefined, ...limits }
    const recycle = (_: WriteLane, queued: Queued) => {
      const id = this.#queued.findIndex(([one]) => one === queued)
      this.#recycled.push(`${id} ${queued.isReusable ? "reusable" : "held"}`)
    }
    const setAside: LaneHome["setAside"] = (_, span, failure) => void this.#aside.push([span, failure])
    this.#drawn = drawn
    this.#rules = rules
    this.#ledger = ledger
    const deadLetters = "c/t.undelivered"
    this.#home = { ledger, rules, recordBytesMax: 1 << 20, canFence, lettersMax, deadLetters, setAside, recycle }
    this.#lane = new WriteLane(this.#home, ledger.account("first", "t", 1))
    this.#model = new WriteModel("first", drawn, ruling)
  }

  /** What the model says. */
  get expected(): WriteModel["facts"] {
    return this.#model.facts
  }

  move(move: Move): void {
    const model = this.#model
    const lane = this.#lane
    const { does, at } = move
    this.#nowMs += move.afterMs
    const nowMs = this.#nowMs
    if (does === "append") this.#append(at)
    else if (does === "mark") this.#mark()
    else if (does === "begin" && !lane.isSealed) this.#begin()
    else if (does === "take") this.#take()
    else if (does === "answer") this.#answer(move)
    else if (does === "dropBatch") this.#dropBatch(at)
    else if (does === "await") this.#await()
    else if (does === "letters") this.#letters(move)
    else if (does === "moveOut") this.#moveOut(at)
    else if (does === "moveIn") this.#moveIn(at)
    else if (does === "refuse") {
      lane.refused(7, this.#seq, "overflow")
      model.refused(7, this.#seq++, "overflow")
    } else if (does === "announce") {
      lane.announce([{ bucket: 8, from: this.#seq, to: this.#seq + 1, reason: "early" }])
      model.unannounced = [...model.unannounced, `8:${this.#seq++}:early`]
    } else if (does === "gate") lane.isGated = model.isGated = at < 2
    else if (does === "resume") for (const one of [lane, model]) one.resume(nowMs, at * 100)
    else if (does === "fence") for (const one of [lane, model]) one.clearDoubt()
    else if (does === "dropDoubt") for (const one of [lane, model]) one.dropDoubt("doubted")
    else if (does === "flush") for (const one of [lane, model]) one.flush()
  }

  seal(): void {
    this.#lane.seal()
    this.#model.isSealed = true
  }

  abandon(): void {
    for (const one of [this.#lane, this.#model]) one.abandon("closed")
  }

  /** Nothing is left of the lane once one more record has told of its drops; then it is another stream's, and knows nothing. */
  serveAnother(): void {
    this.#lane.isGated = this.#model.isGated = false
    this.#commit(this.#begin(), 0)
    this.#take()
    const [span, range] = this.#taken.at(-1) ?? []
    if (span === undefined || range === undefined) throw new Error("it was not taken")
    this.#settle(span, range, [{ count: 1, fate: "stored", reason: undefined }], false)
    expect(this.#lane.isIdle).toBe(true)
    this.#lane.serve(this.#home, this.#ledger.account("second", "t", 1))
    this.#model = new WriteModel("second", this.#drawn, ruling)
    this.#rules.retries = 0
    for (const list of [this.#moves, this.#recycled, this.#queued, this.#waiters, this.#aside]) list.length = 0
  }

  /** What the lane says, in the form of `model.facts`. */
  get facts(): WriteModel["facts"] {
    const lane = this.#lane
    const { admitted, movedIn, movedOut, stored, deadLettered, dropped, droppedMayBeStored } = lane.account
    const census: Array<string> = []
    lane.census((batch, from, to, place) => {
      if (to > from) census.push(`${batch.seq.subarray(from, to).join(" ")} ${place}`)
    })
    return {
      account: {
        admitted,
        movedIn,
        movedOut,
        stored,
        deadLettered: { ...deadLettered },
        dropped: { ...dropped },
        mayBeStored: droppedMayBeStored
      },
      moves: this.#moves.splice(0).toSorted(),
      census,
      pending: lane.pending,
      waiters: this.#waiters.map((waiter) => ({
        pending: waiter.pending,
        stored: waiter.stored,
        deadLettered: waiter.deadLettered,
        dropped: waiter.dropped,
        mayBeStored: waiter.mayBeStored
      })),
      unannounced: textsOf(lane.unannounced),
      recycled: this.#recycled,
      halted: lane.halted,
      isSealed: lane.isSealed,
      isEmpty: lane.isEmpty,
      isIdle: lane.isIdle,
      openRecords: lane.open?.count,
      dueMs: lane.dueMs,
      lingerDueMs: lane.lingerDueMs,
      retries: this.#rules.retries
    }
  }

  #begin(): RecordBatch {
    const batch = new RecordBatch(64)
    // No key, and a block of no headers: what the arena holds by itself is anything.
    batch.arena.fill(0)
    const queued = this.#lane.begin(batch, this.#nowMs)
    this.#model.begin(this.#nowMs)
    const { open } = this.#model
    if (open !== undefined) this.#queued.push([queued, open])
    return batch
  }

  #append(at: number): void {
    if (!this.#lane.isSealed) this.#commit(this.#lane.open ?? this.#begin(), at)
  }

  #commit(batch: RecordBatch, at: number): void {
    commit(batch, at & 1, this.#seq, at * 100, "event")
    const waiters: Array<number> = []
    if (at > 2) {
      const waiter = new Waiter()
      waiter.pending = 1
      batch.awaitLast(waiter)
      waiters.push(this.#waiters.length)
      this.#waiters.push(waiter)
      this.#model.waiters.push({ pending: 1, stored: 0, deadLettered: {}, dropped: {}, mayBeStored: 0 })
    }
    const record = { bucket: at & 1, seq: this.#seq++, isMarker: false, timeMs: at * 100, waiters }
    expect(this.#lane.appended()).toBe(this.#model.appended(record, 2))
  }

  /** A record of the lane's own, in a batch of its own. */
  #mark(): void {
    if (this.#lane.isSealed) return
    commit(this.#begin(), 0, this.#seq, 0, "marker")
    this.#lane.marked()
    this.#model.appended({ bucket: 0, seq: this.#seq++, isMarker: true, timeMs: 0, waiters: [] }, 2)
  }

  /** Nothing is sent while something is in doubt: the partition sees to that. */
  #take(): void {
    if (this.#model.census.some((text) => text.endsWith("inDoubt"))) return
    const range = this.#model.take(this.#nowMs)
    const span = this.#lane.take(this.#nowMs)
    expect(span === undefined).toBe(range === undefined)
    if (span === undefined || range === undefined) return
    this.#taken.push([span, range])
    const { batch } = span.queued
    const { from, to } = span
    expect(Array.from(batch.seq.subarray(from, to))).toEqual(range.records.map(({ seq }) => seq))
    expect(Array.from(batch.time.subarray(from, to))).toEqual(range.records.map(({ timeMs }) => timeMs))
    const notice = batch.headers(span.from).find(([name]) => name === droppedHeader)?.[1]
    const ranges = notice === undefined ? [] : readDropNotice(notice)
    expect(ranges.length).toBeLessThanOrEqual(range.saidMax)
    // The rest, or the half of what was too much.
    if (range.said.length > 0) expect(ranges.length > 0).toBe(range.saidMax > 0)
    this.#model.said(range, textsOf(ranges), ranges.length)
    expect(textsOf(ranges)).toEqual(range.said.toSorted())
  }

  #answer({ at, answers, isBehind }: Move): void {
    const flying = this.#taken.filter(([, { state }]) => state === "inFlight")
    const all = at < 5 && flying.length > 0 ? flying : this.#taken
    const [span, range] = all[at % all.length] ?? []
    if (span !== undefined && range !== undefined) this.#settle(span, range, answers, isBehind)
  }

  #settle(span: Span, range: Range, answers: Move["answers"], isBehind: boolean): void {
    const runs: Array<Run> = []
    const parts: Array<Answer> = []
    let from = span.from
    for (const [index, { count, fate, reason }] of answers.entries()) {
      if (from === span.to) break
      const to = index === answers.length - 1 ? span.to : Math.min(span.to, from + count)
      const error =
        reason === undefined
          ? undefined
          : new TransportError({ reason, transport: "t", operation: "send", detail: `it is ${reason}` })
      runs.push(error === undefined ? { from, to, fate } : { from, to, fate, error })
      parts.push({
        count: to - from,
        fate,
        isExplained: reason !== undefined,
        tag: reason ?? "Unknown",
        detail: error?.detail ?? "no detail"
      })
      from = to
    }
    const fates = parts.map(({ fate }) => fate)
    const worst = fates.includes("unknown") ? "unknown" : fates.includes("notStored") ? "notStored" : "stored"
    expect(this.#lane.settled(span, runs, { nowMs: this.#nowMs, random: 0.5, isBehind })).toBe(worst)
    this.#model.settled(range, parts, this.#nowMs, isBehind)
  }

  /** Letters of what was set aside are stored or refused; of what ended otherwise meanwhile nothing is looked at. */
  #letters({ at, answers }: Move): void {
    const [span, failure] = this.#aside.at(-1 - at) ?? []
    if (span === undefined || failure === undefined) return
    // The model knows records, and they may have been set aside again: this is about the letter before.
    const later = at === 0 ? [] : this.#aside.slice(-at)
    const isOld = later.some(([{ queued, from, to }]) => queued === span.queued && from < span.to && span.from < to)
    const drawn: ReadonlyArray<Pick<Answer, "count" | "fate">> = answers
    const faults = drawn.flatMap(({ count, fate }) => Array.from({ length: count }, () => faultOf(fate)))
    const last = faultOf(drawn.at(-1)?.fate)
    const all = Array.from({ length: span.to - span.from }, (_, index) =>
      index < faults.length ? faults[index] : last
    )
    const seqs = span.queued.batch.seq.subarray(span.from, span.to)
    this.#lane.letterAnswered(span, failure, all)
    if (!isOld) this.#model.letterAnswered(Array.from(seqs), failure, all, "c/t.undelivered")
  }

  #moveOut(at: number): void {
    const { isSealed } = this.#lane
    const isStored = (seq: number) => seq % 2 === at % 2
    const taken: Array<number> = []
    const drops = this.#lane.moveOut(
      (_, seq) => isStored(seq),
      ({ seq }, { from, to }) => taken.push(...seq.subarray(from, to))
    )
    const expected = this.#model.moveOut(isStored)
    expect(taken).toEqual(expected.taken)
    expect(textsOf(drops)).toEqual(expected.told.toSorted())
    expect(this.#lane.isSealed).toBe(this.#model.isSealed)
    // A lane that has to wait for an answer is used by nobody else. This one goes on.
    this.#lane.isSealed = this.#model.isSealed = isSealed
  }

  #moveIn(at: number): void {
    if (this.#lane.isSealed) return
    const { isUnsent } = this.#lane
    if (isUnsent) expect(this.#model.isUnsent).toBe(true)
    const records = Array.from({ length: 1 + (at % 3) }, () =>
      Array.from({ length: 1 + (at % 2) }, (): ModelRecord => {
        return { bucket: at & 1, seq: this.#seq++, isMarker: false, timeMs: at * 100, waiters: [] }
      })
    )
    const batches = records.map((ofBatch) => {
      const batch = new RecordBatch(64)
      batch.arena.fill(0)
      for (const { bucket, seq, timeMs } of ofBatch) commit(batch, bucket, seq, timeMs, "event")
      return batch
    })
    const isInFront = isUnsent && at < 4
    const all = this.#lane.moveIn(batches, isInFront)
    const expected = this.#model.moveIn(records, isInFront)
    for (const [index, batch] of expected.entries()) {
      const queued = all[index]
      if (queued !== undefined) this.#queued.push([queued, batch])
    }
  }

  #dropBatch(at: number): void {
    const [queued, batch] = this.#queued.at(-1 - at) ?? []
    if (queued === undefined || batch === undefined || !this.#model.batches.includes(batch)) return
    expect(this.#lane.dropBatch(queued, "overflow")).toBe(this.#model.dropBatch(batch, "overflow"))
  }

  #await(): void {
    const waiter = new Waiter()
    this.#lane.await(waiter)
    this.#waiters.push(waiter)
    this.#model.await()
  }
}

function commit(batch: RecordBatch, bucket: number, seq: number, timeMs: number, kind: "event" | "marker"): void {
  const at = batch.bytes
  batch.place(bucket, seq, Float64Array.of(timeMs))
  batch.commit(false, at, at + 1, at + 2, kind)
}

function faultOf(fate: Answer["fate"] | undefined): string | undefined {
  return fate === "stored" ? undefined : `it is ${fate}`
}
