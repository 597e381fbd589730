/**
 * One ordered lane being read, (group, topic, partition), as a synchronous state machine: no I/O, timers or fibers. Records go
 * in (received, finished), `next` says which handler to start. The rules it keeps:
 *
 * - records of one key are handled one after the other, in order, across retries; a failing key is parked and others flow;
 * - the watermark is the first position that is not finished: nothing at or after it is ever settled;
 * - where this lane was lost again and again one record is handled at a time, and settled before the next; one at which it is lost
 *   even so is given to the policy as `CrashLoop`.
 *
 * Times are milliseconds of one monotonic clock.
 *
 * @example
 * ```ts
 * for (let one = lane.next(nowMs); one !== undefined; one = lane.next(nowMs)) start(one)
 * lane.finished(one, { tag: "SensorUnknown" }, nowMs) // the policy says: again in 50 ms
 * ```
 */
import { countReason, newCounts } from "../ledger/Counts.ts"
import { Bundling } from "./Bundling.ts"
import { type FailedWith, type Failure, haltWith, type ReadHalted } from "./Failure.ts"
import { bytesOf, cutHeld, doneEnd, type End, endedAtOnce, endsAlike, HeldRecord, takeApart } from "./HeldRecord.ts"
import type { Policy } from "../Policy.ts"
import { ReadyLine } from "./ReadyLine.ts"
import { RetryHeap } from "./RetryHeap.ts"
import { type NextTier, SetAside, type ToSetAside } from "./SetAside.ts"
import { holdBackMs, type Signs } from "./holdBack.ts"
import type { Position, ReceivedBatch, ReceivedRecords } from "../transport/index.ts"
import { recordsOf } from "../transport/ReceivedRecords.ts"
import { verdictOf } from "./verdictOf.ts"

/** What may be changed while the lane runs. */
export interface ReadLaneSettings {
  readonly policy: Policy
  /** Handlers at the same time. */
  readonly concurrency: number
  /** Bytes held past the watermark, parked records included, above which the lane pulls no more. */
  readonly bufferBytesMax: number
  /** Least time between two settles, in milliseconds. */
  readonly settleEveryMs: number
  /** Where records are moved whose retries are used up; undefined: nowhere. */
  readonly nextTier?: NextTier | undefined
}

/** A pulled batch, of a driver or of what stands between it and its lane; `gap`: as it says, or why records of it were left out. */
export interface LaneBatch extends Omit<ReceivedBatch, "gap"> {
  readonly gap?: string | undefined
}

export interface ReadLaneOptions extends Signs {
  /** First position of the lane, and how many holders were lost there before. */
  readonly start: Position
  readonly abandoned: number
  /** Holders lost in a row at the start after which records are handled alone. */
  readonly crashLoop: number
  /** How many positions are handled alone then; 512 when absent. */
  readonly alonePositions?: number
  /** Whether records have no order among themselves. */
  readonly unordered: boolean
  /** For handlers of batches: how many records one of them may hold at most. */
  readonly bundleRecords?: number
  /** How long a handler of batches waits for the rest of one that is not full, in milliseconds; not at all when absent. */
  readonly bundleWaitMs?: number
  /** Chance for the jitter of retries, [0, 1). */
  readonly random: () => number
  /** Whether the event of a record was seen before; undefined where copies are handled too. Asked once for each, in order. */
  readonly isSeen?: (records: ReceivedRecords, index: number) => boolean
}

/** Keys that may be parked at once: more means an outage, not poison, and retries are looked for one by one. */
const parkedMax = 1024

/**
 * Positions of a crash loop that are handled alone, when nothing else is said: as many as a turn of handlers has, which may all have
 * ended before a settle, and which one of them it is that ends its process nobody knows.
 */
const alonePositionsDefault = 512

/** Why a lane is to stand. */
type Halt = Pick<ReadHalted, "tag" | "detail" | "error">

/** In place of what is behind the watermark: a record holds the whole batch that it was pulled in. */
const passed = new HeldRecord(undefined, "", 0, 0, 0)

export class ReadLane {
  /** Why the lane stands still until a person says `resume`; undefined while it runs. */
  halted: ReadHalted | undefined
  done = 0
  /** Copies of events that the lane had before. */
  duplicate = 0
  readonly moved = newCounts()
  readonly deadLettered = newCounts()
  readonly dropped = newCounts()
  readonly skipped = newCounts()
  readonly #options: ReadLaneOptions
  #settings: ReadLaneSettings
  /** Everything from the watermark on, in the order of the lane. What is before `#head` is behind the watermark. */
  #held: Array<HeldRecord> = []
  #head = 0
  #order = 0
  /** The last one that is held of each key. */
  readonly #lastOfKey = new Map<string, HeldRecord>()
  readonly #ready = new ReadyLine()
  readonly #parked = new RetryHeap()
  readonly #aside = new SetAside()
  /** Positions in each state. */
  #waitingSpan = 0
  #runningSpan = 0
  #parkedSpan = 0
  /** For handlers of batches. */
  readonly #bundling: Bundling | undefined
  #heldBytes = 0
  #end: Position
  #settled: Position
  #settledAtMs = Number.NEGATIVE_INFINITY
  #revoked = false
  #isGiven = false
  /** The lane may be a crash loop: until so many positions more are settled, each record is handled and settled before the next. */
  #aloneLeft: number
  /** The policy is to be asked before the first record is handled again. */
  #isCrashLoop: boolean

  constructor(options: ReadLaneOptions, settings: ReadLaneSettings) {
    this.#options = options
    this.#settings = settings
    this.#end = options.start
    this.#settled = options.start
    this.#aloneLeft = options.abandoned >= options.crashLoop ? (options.alonePositions ?? alonePositionsDefault) : 0
    this.#isCrashLoop = options.abandoned > options.crashLoop
    const { bundleRecords, bundleWaitMs = 0 } = options
    this.#bundling = bundleRecords === undefined ? undefined : new Bundling(bundleRecords, bundleWaitMs)
  }

  /** Goes on with other settings. Records that wait for a retry keep the time that was said. */
  configure(settings: ReadLaneSettings): void {
    this.#settings = settings
  }

  /**
   * Takes a pulled batch. Returns false, and takes nothing of it, when it begins before the end of what came: positions of one log
   * rise, so this is another log. Its topic was made anew, or the log was cut.
   */
  received(batch: LaneBatch): boolean {
    const gap = batch.gap ?? "compacted"
    const records = recordsOf(batch)
    if (records.length > 0 && records.position(0) < this.#end) return false
    if (records.contiguousFrom === undefined) this.#holdEach(records, gap)
    else if (records.length > 0) this.#holdAll(records, records.contiguousFrom, gap)
    if (batch.next > this.#end) {
      this.#skip(gap, batch.next)
    }
    this.#advance()
    return true
  }

  /** The position behind everything that came. */
  get end(): Position {
    return this.#end
  }

  /** The next record whose handler may start now; undefined when there is none. To be answered with `finished`. */
  next(nowMs: number): HeldRecord | undefined {
    if (this.halted !== undefined || this.#revoked || this.#runningSpan >= this.#settings.concurrency) return undefined
    // Whoever dies of the next one leaves what came before it settled: it is found by where the lane begins then.
    if (this.#isAlone && (this.running > 0 || this.watermark > this.#settled)) return undefined
    const held = this.#dueRetry(nowMs) ?? this.#nextReady(nowMs)
    if (held === undefined) return undefined
    if (held.attempts++ === 0) held.firstAttemptMs = nowMs
    held.state = "running"
    this.#runningSpan += held.span
    if (!this.#isCrashLoop) return held
    this.#isCrashLoop = false
    // What they died of is gone from the log: nobody died of the next one.
    if (held.position !== this.#options.start) return held
    const detail = `${this.#options.abandoned} holders of this lane were lost at this position`
    this.finished(held, { tag: "CrashLoop", detail }, nowMs)
    return this.next(nowMs)
  }

  /** A handler ended: successfully, or with a failure for the policy. */
  finished(held: HeldRecord, failure: Failure | undefined, nowMs: number): void {
    if (held.state !== "running" || this.#isGiven) return
    this.#runningSpan -= held.span
    if (failure === undefined) {
      this.#options.outage.handled(held.span, nowMs)
      return this.#finish(held, doneEnd)
    }
    if ("skip" in failure) return this.#finish(held, { term: "skipped", reason: failure.skip })
    if ("parts" in failure) return this.#finishParts(held, failure.parts, nowMs)
    if ("apart" in failure) return this.#isolate(held, nowMs)
    if ("copies" in failure) {
      this.#options.outage.handled(held.span - failure.copies, nowMs)
      return this.#finish(held, { ...doneEnd, ...failure })
    }
    this.#judge(held, failure, nowMs)
  }

  /** Asks the policy what becomes of what failed. `isMovable`: it may go to a retry topic, where there is one. */
  #judge(held: HeldRecord, failure: FailedWith, nowMs: number, isMovable = true): void {
    const { tag, detail = "no detail", isUnread = false, error } = failure
    const { policy, nextTier } = this.#settings
    const decision = verdictOf(isMovable ? { policy, nextTier } : { policy }, {
      tag,
      attempts: held.attempts,
      elapsedMs: nowMs - held.firstAttemptMs,
      random: this.#options.random()
    })
    if ("retryAfterMs" in decision) this.#park(held, nowMs + decision.retryAfterMs)
    else if (held.span > 1) this.#isolate(held, nowMs)
    else if ("move" in decision) this.#setAside({ held, tag, detail, error, ...decision }, nowMs)
    else if (decision.ending === "drop") this.#finish(held, { term: "dropped", reason: tag })
    else if (decision.ending === "deadLetter") this.#setAside({ held, tag, detail, error }, nowMs, isUnread)
    else this.#halt(held, { tag, detail, error }, nowMs)
  }

  /** What is to be moved or dead-lettered, each once. To be answered with `setAside`. */
  takeAside(): ReadonlyArray<ToSetAside> {
    return this.#aside.take()
  }

  /**
   * It is stored where it was to be set aside, or cannot be: then its key stands. One that is too large for a retry topic always will be: it ends as its
   * rule says.
   */
  setAside(held: HeldRecord, fault: string | undefined, nowMs: number, isTooLarge = false): void {
    const one = this.#aside.ended(held)
    if (one === undefined || this.#isGiven) return
    const { tag, detail, error, move } = one
    const isMove = move !== undefined
    if (fault === undefined) return this.#finish(held, { term: isMove ? "moved" : "deadLettered", reason: tag })
    const why = `${detail}; it cannot be ${isMove ? "moved to a retry topic" : "dead-lettered"}: ${fault}`
    if (isMove && isTooLarge) return this.#judge(held, { tag, detail: why, error }, nowMs, false)
    held.state = "parked"
    held.retryAtMs = nowMs
    this.#parkedSpan += held.span
    const { attempts, position } = held
    this.#aside.stand(held, haltWith({ scope: "key", tag, position, attempts, detail: why }, error))
  }

  /** Keys that stand because their records cannot be set aside. */
  get haltedKeys(): ReadonlyArray<ReadHalted> {
    return this.#aside.halts
  }

  /** No handler could be asked: the lane stands still, whatever the policy says. */
  failed(held: HeldRecord, halt: Halt, nowMs: number): void {
    if (held.state !== "running" || this.#isGiven) return
    this.#runningSpan -= held.span
    this.#halt(held, halt, nowMs)
  }

  /** A handler ended without an outcome, on a lane that is given back: its record comes again, and nothing is judged. */
  unfinished(held: HeldRecord, nowMs: number): void {
    if (held.state !== "running" || this.#isGiven) return
    this.#runningSpan -= held.span
    this.#park(held, nowMs)
  }

  /**
   * Leaves the first `count` records, 1 or more, to the handler that `next` asked for, because the one after them must not come
   * with them; the others are handled by themselves, next.
   */
  split(held: HeldRecord, count: number): void {
    if (held.state !== "running") return
    const rest = this.#cut(held, count)
    if (rest === undefined) return
    this.#runningSpan -= rest.span
    this.#waitingSpan += rest.span
  }

  /** Goes on after a halt; parked records are tried again at once, their attempts counted from zero. */
  resume(nowMs: number): void {
    this.halted = undefined
    for (const held of this.#aside.resume()) this.#parked.push(held)
    this.#parked.restart(nowMs)
  }

  /** Starts no more handlers. The running ones may finish, and what they finish counts. */
  revoke(): void {
    this.#revoked = true
  }

  get isRevoked(): boolean {
    return this.#revoked
  }

  /** Whether it was given back: nothing that ends now counts. */
  get isGiven(): boolean {
    return this.#isGiven
  }

  /** Positions whose handlers run, or which are on their way to where they are set aside. */
  get running(): number {
    return this.#runningSpan + this.#aside.moving
  }

  /** Whether another batch may be pulled. */
  get wantsMore(): boolean {
    const { bufferBytesMax, concurrency } = this.#settings
    if (this.halted !== undefined || this.#revoked || this.#heldBytes >= bufferBytesMax) return false
    // A batch that waits for more has work for no handler yet.
    const waiting = (this.#bundling?.dueMs ?? Number.POSITIVE_INFINITY) === Number.POSITIVE_INFINITY ? 0 : 1
    return this.#ready.length - waiting < concurrency
  }

  /** The position that keeps the watermark back while the lane is full. */
  get blockedAt(): Position | undefined {
    return this.#heldBytes >= this.#settings.bufferBytesMax ? this.watermark : undefined
  }

  /** First position that is not finished. */
  get watermark(): Position {
    return this.#held[this.#head]?.position ?? this.#end
  }

  /** When a retry is due that could start, or a batch that waits to be full; Infinity when there is none. */
  get retryDueMs(): number {
    const isStanding = this.halted !== undefined || this.#revoked || this.#runningSpan >= this.#settings.concurrency
    return isStanding
      ? Number.POSITIVE_INFINITY
      : Math.min(this.#parked.dueMs, this.#bundling?.dueMs ?? Number.POSITIVE_INFINITY)
  }

  /** When the next settle is due; Infinity when there is nothing to settle. */
  get settleDueMs(): number {
    return this.watermark > this.#settled ? this.#settledAtMs + this.#settings.settleEveryMs : Number.POSITIVE_INFINITY
  }

  /** The position that the backend has. */
  get settledTo(): Position {
    return this.#settled
  }

  /** The position to settle now; undefined when there is nothing new, or the last settle was too short ago and `isFinal` is not set. */
  settleDue(nowMs: number, isFinal: boolean): Position | undefined {
    const { watermark } = this
    if (watermark <= this.#settled) return undefined
    if (!isFinal && nowMs < this.#settledAtMs + this.#settings.settleEveryMs) return undefined
    this.#settledAtMs = nowMs
    return watermark
  }

  /** The backend may not have it: the next settle is due by then. */
  notSettled(againAtMs: number): void {
    this.#settledAtMs = Math.min(this.#settledAtMs, againAtMs - this.#settings.settleEveryMs)
  }

  /** The backend has the position. */
  settled(position: Position): void {
    if (position <= this.#settled) return
    if (this.#isAlone) {
      this.#aloneLeft -= Number(position - this.#settled)
      this.#settledAtMs = Number.NEGATIVE_INFINITY
    }
    this.#settled = position
  }

  /** Takes back the counts of what ended past the watermark: whoever gets the lane next gets those records again. */
  handBack(): void {
    const { watermark } = this
    this.#revoked = true
    this.#isGiven = true
    for (const { span, ended } of this.#held.slice(this.#head)) {
      if (ended !== undefined) this.#count(ended, -span)
    }
    this.#end = watermark
    this.#held = []
    this.#head = 0
    this.#heldBytes = 0
    this.#waitingSpan = 0
    this.#runningSpan = 0
    this.#parkedSpan = 0
    this.#aside.clear()
  }

  /** What the lane holds, for the ledger. */
  census(): { readonly end: Position; readonly parked: number; readonly inFlight: number; readonly unread: number } {
    return { end: this.#end, parked: this.#parkedSpan, inFlight: this.running, unread: this.#waitingSpan }
  }

  #holdEach(records: ReceivedRecords, gap: string): void {
    for (let index = 0; index < records.length; index++) {
      const position = records.position(index)
      // Positions inside one batch are the driver's to order; what is out of order was taken already.
      if (position < this.#end) continue
      if (position > this.#end) this.#skip(gap, position)
      // In this order: what a driver gives against its type may throw, and is not to be counted as held.
      this.#hold(records, index)
      this.#end = position + 1n
    }
  }

  /** As `#holdEach`, where positions rise by one: no position but the first is looked at. */
  #holdAll(records: ReceivedRecords, first: Position, gap: string): void {
    if (first > this.#end) this.#skip(gap, first)
    for (let index = 0; index < records.length; index++) this.#hold(records, index)
    this.#end = first + BigInt(records.length)
  }

  #hold(records: ReceivedRecords, index: number): void {
    const { unordered, isSeen } = this.#options
    const bundling = this.#bundling
    if (isSeen?.(records, index) === true) return this.#endAtOnce({ term: "duplicate", reason: "duplicate" }, 1)
    const bytes = bytesOf(records, index)
    const key = unordered || bundling !== undefined ? "" : records.keyText(index)
    const order = this.#order++
    this.#heldBytes += bytes
    this.#waitingSpan++
    if (bundling !== undefined && bundling.joins(records, index, bytes, this.#held.at(-1))) return
    const slice = { records, from: index, to: index + 1, following: undefined }
    const held = new HeldRecord(slice, key, order, 1, bytes)
    this.#held.push(held)
    if (!this.#isAlone) bundling?.begin(held, slice)
    if (unordered && bundling === undefined) {
      this.#ready.push(held)
      return
    }
    const last = this.#lastOfKey.get(key)
    this.#lastOfKey.set(key, held)
    if (last === undefined) this.#ready.push(held)
    else {
      last.following = held
      if (last.isOwn) held.own()
    }
  }

  /** Positions up to `next` have no records. */
  #skip(reason: string, next: Position): void {
    const span = Number(next - this.#end)
    this.#end = next
    this.#endAtOnce({ term: "skipped", reason }, span)
  }

  /** Positions that no handler gets. Behind a record that waits there may be any number: neighbours that end alike are held as one. */
  #endAtOnce(end: End, span: number): void {
    this.#count(end, span)
    const last = this.#held.at(-1)
    if (endsAlike(last, end)) return void (last.span += span)
    const held = endedAtOnce(end, this.#order++, span)
    this.#held.push(held)
    this.#heldBytes += held.bytes
  }

  #count({ term, reason, copies = 0 }: End, by: number): void {
    const before = by < 0 ? -copies : copies
    this.duplicate += before
    if (term === "done" || term === "duplicate") this[term] += by - before
    else countReason(this[term], reason, by)
  }

  get #isAlone(): boolean {
    return this.#aloneLeft > 0
  }

  #dueRetry(nowMs: number): HeldRecord | undefined {
    const held = this.#parked.popDue(nowMs)
    if (held !== undefined) this.#parkedSpan -= held.span
    return held
  }

  #nextReady(nowMs: number): HeldRecord | undefined {
    const parked = this.#parked.size + this.#aside.standing + this.#aside.moving
    if (parked >= parkedMax || (this.#isAlone && parked > 0)) return undefined
    const held = this.#ready.first
    if (held === undefined) return undefined
    if (this.#bundling !== undefined) {
      const mayGrow = held === this.#held.at(-1) && this.#heldBytes < this.#settings.bufferBytesMax
      if (this.#bundling.waits(held, mayGrow, nowMs)) return undefined
    }
    this.#ready.shift()
    this.#waitingSpan -= held.span
    return held
  }

  /** It may be held for long, and with it all of its key, while others of their batches end. */
  #keep(held: HeldRecord): void {
    if (this.#bundling !== undefined) return
    for (let one: HeldRecord | undefined = held; one?.isOwn === false; one = one.following) one.own()
  }

  #park(held: HeldRecord, retryAtMs: number): void {
    this.#keep(held)
    held.state = "parked"
    held.retryAtMs = retryAtMs
    this.#parkedSpan += held.span
    this.#parked.push(held)
  }

  /** Cuts a bundle behind its first `count` records; what stood behind them follows it. */
  #cut(held: HeldRecord, count: number): HeldRecord | undefined {
    const following = cutHeld(held, count)
    if (following === undefined) return undefined
    this.#bundling?.cut(held, following)
    this.#held.splice(this.#held.indexOf(held, this.#head) + 1, 0, following)
    if (this.#lastOfKey.get(held.key) === held) this.#lastOfKey.set(held.key, following)
    return following
  }

  /** A handler of a batch that fails does not say over which record: before any ends so, each is handled by itself. */
  #isolate(held: HeldRecord, nowMs: number): void {
    this.#waitingSpan += this.#takeApart(held).length - 1
    this.#park(held, nowMs)
  }

  /** Some records of a bundle failed: each of these is judged in its turn, and the others are done. */
  #finishParts(held: HeldRecord, parts: ReadonlyMap<number, FailedWith>, nowMs: number): void {
    const singles = this.#takeApart(held)
    const behind = singles.at(-1)?.following
    const failed: Array<HeldRecord> = []
    for (const [index, one] of singles.entries()) {
      if (parts.has(index)) failed.push(one)
      else {
        one.state = "ended"
        one.ended = doneEnd
        one.following = undefined
      }
    }
    const done = singles.length - failed.length
    this.#count(doneEnd, done)
    this.#options.outage.handled(done, nowMs)
    for (const [index, one] of failed.entries()) one.following = failed[index + 1] ?? behind
    const last = failed.at(-1)
    if (behind === undefined && last !== undefined) this.#lastOfKey.set(held.key, last)
    this.#waitingSpan += failed.length - 1
    this.#advance()
    const [first] = failed
    const failure = first === undefined ? undefined : parts.get(singles.indexOf(first))
    if (first !== undefined && failure !== undefined) this.#judge(first, failure, nowMs)
  }

  /** Cuts a bundle into its records, in order; those behind the first count its attempts. */
  #takeApart(held: HeldRecord): ReadonlyArray<HeldRecord> {
    if (this.#bundling?.isOpen(held) === true) this.#bundling.close()
    const singles = takeApart(held)
    const at = this.#held.indexOf(held, this.#head)
    this.#held = [...this.#held.slice(0, at), ...singles, ...this.#held.slice(at + 1)]
    if (this.#lastOfKey.get(held.key) === held) this.#lastOfKey.set(held.key, singles.at(-1) ?? held)
    return singles
  }

  #setAside(one: ToSetAside, nowMs: number, isUnread = false): void {
    const { held } = one
    const isFull = this.#parked.size >= parkedMax || this.#heldBytes >= this.#settings.bufferBytesMax
    const holding = { isAhead: isFull || held.following !== undefined, held: this.#held, head: this.#head }
    const waitMs = holdBackMs({ held, tag: one.tag, isUnread }, this.#options, holding, nowMs, this.#options.random)
    if (waitMs !== undefined) return this.#park(held, nowMs + waitMs)
    this.#keep(held)
    held.state = "setAside"
    this.#aside.add(one)
  }

  #halt(held: HeldRecord, { tag, detail, error }: Halt, nowMs: number): void {
    const { attempts, position } = held
    this.#park(held, nowMs)
    this.halted ??= haltWith({ scope: "lane", tag, position, attempts, detail }, error)
  }

  #finish(held: HeldRecord, end: End): void {
    held.state = "ended"
    held.ended = end
    this.#count(end, held.span)
    const { following } = held
    if (following !== undefined) this.#ready.push(following)
    else if (this.#lastOfKey.get(held.key) === held) this.#lastOfKey.delete(held.key)
    if (this.#held[this.#head] === held) this.#advance()
  }

  #advance(): void {
    let first = this.#held[this.#head]
    while (first?.ended !== undefined) {
      this.#heldBytes -= first.bytes
      this.#held[this.#head++] = passed
      first = this.#held[this.#head]
    }
    // Half of a long array is cut at once, so that popping costs a constant on average.
    if (this.#head > 256 && this.#head * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#head)
      this.#head = 0
    }
  }
}
