/**
 * One ordered lane being read, (group, topic, partition), as a synchronous state machine: no I/O, timers or fibers. Records go
 * in (received, finished), `next` says which handler to start. The rules it keeps:
 *
 * - records of one key are handled one after the other, in order, across retries; a failing key is parked and others flow;
 * - the watermark is the first position that is not finished: nothing at or after it is ever settled;
 * - a position behind which this lane was lost again and again is handled alone, then given to the policy as `CrashLoop`.
 *
 * @example
 * ```ts
 * for (let one = lane.next(nowMs, random); one !== undefined; one = lane.next(nowMs, random)) start(one)
 * lane.finished(one, { tag: "SensorUnknown" }, nowMs, random) // the policy says: again in 50 ms
 * ```
 */
import type { Counts } from "../ledger/Ledger.ts"
import { decide, type Policy } from "../Policy.ts"
import type { Position, ReceivedBatch, ReceivedRecord } from "../transport/index.ts"

export interface ReadLaneOptions {
  readonly policy: Policy
  /** First position of the lane, and how many holders were lost there before. */
  readonly start: Position
  readonly abandoned: number
  /** Holders lost in a row after which a position is handled alone. */
  readonly crashLoop: number
  /** Handlers at the same time. */
  readonly concurrency: number
  /** Bytes held past the watermark, parked records included, above which the lane pulls no more. */
  readonly bufferBytesMax: number
  /** Whether records without a key have no order among themselves. */
  readonly unordered: boolean
  /** For handlers of batches: how many records one delivery may hold at most. */
  readonly bundleRecords?: number
  /** Least time between two settles, in milliseconds. */
  readonly settleEveryMs: number
}

/** Positions that end together, in the hands of the lane. */
interface Held {
  readonly position: Position
  /** How many positions it stands for. */
  span: number
  /** What ended it: taken back if the lane is given up before the watermark has passed it. */
  ended: { readonly term: "done" | "dropped" | "skipped"; readonly reason: string } | undefined
  bytes: number
}

/** One record, or one bundle of records, that a handler gets. */
export interface Delivery extends Held {
  /** One; several only where the lane bundles. */
  readonly records: Array<ReceivedRecord>
  /** Key bytes as text, one char per byte: exact, and usable in a map. */
  readonly key: string
  /** Attempts begun so far, the running one included. */
  attempts: number
  state: "waiting" | "running" | "parked" | "done"
  firstAttemptMs: number
  retryAtMs: number
}

/** Keys that may be parked at once: more means an outage, not poison, and retries are looked for one by one. */
const parkedMax = 1024

/** How a handler ended, when it did not succeed. */
export type Fault =
  | { readonly tag: string; readonly detail?: string }
  | { readonly skip: "control" | "otherStream" | "otherType" }

/** Why a lane stands still until a person says `resume`. */
export interface ReadHalted {
  /** What the policy was asked about. */
  readonly tag: string
  /** The record that failed. */
  readonly position: Position
  /** Attempts made so far. */
  readonly attempts: number
  /** One sentence for a person. */
  readonly detail: string
}

export class ReadLane {
  /** Why the lane stands still until a person says `resume`; undefined while it runs. */
  halted: ReadHalted | undefined
  readonly done: Counts = { done: 0 }
  readonly dropped: Counts = {}
  readonly skipped: Counts = {}
  readonly #options: ReadLaneOptions
  /** Everything from the watermark on, in position. Records before `#head` are behind it. */
  #held: Array<Held> = []
  #head = 0
  readonly #byKey = new Map<string, Array<Delivery>>()
  #ready: Array<Delivery> = []
  readonly #parked = new Set<Delivery>()
  /** The bundle that the next record may join. */
  #bundle: Delivery | undefined
  #running = 0
  #heldBytes = 0
  #watermark: Position
  #end: Position
  #settled: Position
  #settledAtMs = Number.NEGATIVE_INFINITY
  #revoked = false
  #isGiven = false
  /** The lane may be a crash loop: until its first record is finished nothing runs beside it. */
  #alone: boolean

  constructor(options: ReadLaneOptions) {
    this.#options = options
    this.#watermark = options.start
    this.#end = options.start
    this.#settled = options.start
    this.#alone = options.abandoned >= options.crashLoop
  }

  /** Takes a pulled batch. */
  received(batch: ReceivedBatch): void {
    const gap = batch.gap ?? "compacted"
    for (const record of batch.records) {
      // A lane never goes back: what the backend gives twice inside one lane was taken already.
      if (record.position < this.#end) continue
      this.#skip(gap, record.position - this.#end)
      this.#end = record.position + 1n
      this.#hold(record)
    }
    if (batch.next > this.#end) {
      this.#skip(gap, batch.next - this.#end)
      this.#end = batch.next
    }
    this.#advance()
  }

  /** The next record whose handler may start now; undefined when there is none. To be answered with `finished`. */
  next(nowMs: number, random: number): Delivery | undefined {
    if (this.halted !== undefined || this.#revoked || this.#running >= this.#options.concurrency) return undefined
    if (this.#alone && this.#running > 0) return undefined
    const delivery = this.#dueRetry(nowMs) ?? this.#nextReady()
    if (delivery === undefined) return undefined
    if (delivery.attempts++ === 0) delivery.firstAttemptMs = nowMs
    delivery.state = "running"
    this.#running += delivery.span
    if (this.#alone && this.#options.abandoned > this.#options.crashLoop && delivery.attempts === 1) {
      const detail = `${this.#options.abandoned} holders of this lane were lost at this position`
      this.finished(delivery, { tag: "CrashLoop", detail }, nowMs, random)
      return this.next(nowMs, random)
    }
    return delivery
  }

  /** A handler ended: successfully, or with a fault for the policy. */
  finished(delivery: Delivery, fault: Fault | undefined, nowMs: number, random: number): void {
    if (delivery.state !== "running" || this.#isGiven) return
    this.#running -= delivery.span
    if (fault === undefined) return this.#finish(delivery, "done", "done")
    if ("skip" in fault) return this.#finish(delivery, "skipped", fault.skip)
    const { attempts, firstAttemptMs, position } = delivery
    const decision = decide(this.#options.policy, {
      tag: fault.tag,
      attempts,
      elapsedMs: nowMs - firstAttemptMs,
      random
    })
    if ("ending" in decision && decision.ending === "drop") return this.#finish(delivery, "dropped", fault.tag)
    delivery.state = "parked"
    this.#parked.add(delivery)
    if ("retryAfterMs" in decision) delivery.retryAtMs = nowMs + decision.retryAfterMs
    else {
      delivery.retryAtMs = nowMs
      this.halted ??= { tag: fault.tag, position, attempts, detail: fault.detail ?? "no detail" }
    }
  }

  /**
   * Leaves the first `count` records to the handler that `next` asked for, because the one after them must not come with
   * them; the others are a delivery of their own, which comes next.
   */
  split(delivery: Delivery, count: number): void {
    const rest = delivery.records.splice(count)
    if (rest.length === 0 || delivery.state !== "running") return
    const bytes = rest.reduce((total, record) => total + bytesOf(record), 0)
    const following = waiting(rest, delivery.key, bytes)
    delivery.span -= following.span
    delivery.bytes -= bytes
    this.#running -= following.span
    this.#held.splice(this.#held.indexOf(delivery, this.#head) + 1, 0, following)
    this.#byKey.get(delivery.key)?.splice(1, 0, following)
    if (this.#bundle === delivery) this.#bundle = following
  }

  /** Goes on after a halt; parked records are tried again at once, their attempts counted from zero. */
  resume(nowMs: number): void {
    this.halted = undefined
    for (const delivery of this.#parked) {
      delivery.attempts = 0
      delivery.retryAtMs = nowMs
    }
  }

  /** Starts no more handlers. The running ones may finish, and what they finish counts. */
  revoke(): void {
    this.#revoked = true
  }

  get isRevoked(): boolean {
    return this.#revoked
  }

  get running(): number {
    return this.#running
  }

  /** Whether another batch may be pulled. */
  get wantsMore(): boolean {
    if (this.halted !== undefined || this.#revoked || this.#heldBytes >= this.#options.bufferBytesMax) return false
    return this.#ready.length < this.#options.concurrency
  }

  /** The key that keeps the watermark back while the lane is full: its oldest unfinished record. */
  get blockedBy(): Held | undefined {
    return this.#heldBytes >= this.#options.bufferBytesMax ? this.#held[this.#head] : undefined
  }

  /** First position that is not finished. */
  get watermark(): Position {
    return this.#watermark
  }

  /** Whether everything received is finished. */
  get isDrained(): boolean {
    return this.#held.length === this.#head
  }

  /** When something becomes due by itself, in epoch ms: a retry, or a settle that was put off. */
  get dueMs(): number | undefined {
    let due =
      this.#watermark > this.#settled ? this.#settledAtMs + this.#options.settleEveryMs : Number.POSITIVE_INFINITY
    if (this.halted === undefined && !this.#revoked && this.#running < this.#options.concurrency) {
      for (const { retryAtMs } of this.#parked) due = Math.min(due, retryAtMs)
    }
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  /** The position to settle now; undefined when there is nothing new, or the last settle was too short ago and `isFinal` is not set. */
  settleDue(nowMs: number, isFinal = false): Position | undefined {
    if (this.#watermark <= this.#settled) return undefined
    if (!isFinal && nowMs < this.#settledAtMs + this.#options.settleEveryMs) return undefined
    this.#settledAtMs = nowMs
    return this.#watermark
  }

  /** The backend has the position. */
  settled(position: Position): void {
    if (position > this.#settled) this.#settled = position
  }

  /** Takes back the counts of what ended past the watermark: whoever gets the lane next gets those records again. */
  handBack(): void {
    this.#revoked = true
    this.#isGiven = true
    for (const { span, ended } of this.#held.slice(this.#head)) {
      if (ended !== undefined) this.#count(ended, -span)
    }
    this.#end = this.#watermark
    this.#held = []
    this.#head = 0
    this.#running = 0
    this.#byKey.clear()
    this.#ready = []
    this.#parked.clear()
  }

  /** What the lane holds, for the ledger. */
  census(): { readonly end: Position; readonly parked: number; readonly inFlight: number; readonly unread: number } {
    let unread = 0
    for (const [, queue] of this.#byKey) for (const { state, span } of queue) if (state === "waiting") unread += span
    let parked = 0
    for (const { span } of this.#parked) parked += span
    return { end: this.#end, parked, inFlight: this.#running, unread }
  }

  #hold(record: ReceivedRecord): void {
    const { bundleRecords, unordered } = this.#options
    const bytes = bytesOf(record)
    this.#heldBytes += bytes
    const last = this.#held.at(-1) === this.#bundle ? this.#bundle : undefined
    const isBundled = bundleRecords !== undefined && !this.#alone
    if (isBundled && last?.state === "waiting" && last.span < bundleRecords) {
      last.records.push(record)
      last.span++
      last.bytes += bytes
      return
    }
    const delivery = waiting([record], bundleRecords === undefined ? keyOf(record, unordered) : "", bytes)
    this.#bundle = isBundled ? delivery : undefined
    this.#held.push(delivery)
    const queue = this.#byKey.get(delivery.key)
    if (queue !== undefined) queue.push(delivery)
    else {
      this.#byKey.set(delivery.key, [delivery])
      this.#ready.push(delivery)
    }
  }

  #skip(reason: string, count: bigint): void {
    if (count <= 0n) return
    const gap: Held = { position: this.#end, span: Number(count), bytes: 0, ended: { term: "skipped", reason } }
    this.#held.push(gap)
    this.#count({ term: "skipped", reason }, gap.span)
  }

  #count({ term, reason }: NonNullable<Held["ended"]>, count: number): void {
    this[term][reason] = (this[term][reason] ?? 0) + count
  }

  #dueRetry(nowMs: number): Delivery | undefined {
    let first: Delivery | undefined
    for (const delivery of this.#parked) {
      if (delivery.retryAtMs > nowMs) continue
      if (first === undefined || delivery.position < first.position) first = delivery
    }
    if (first !== undefined) this.#parked.delete(first)
    return first
  }

  #nextReady(): Delivery | undefined {
    if (this.#parked.size >= parkedMax || (this.#alone && this.#parked.size > 0)) return undefined
    return this.#ready.shift()
  }

  #finish(delivery: Delivery, term: "done" | "dropped" | "skipped", reason: string): void {
    delivery.state = "done"
    delivery.ended = { term, reason }
    this.#count(delivery.ended, delivery.span)
    this.#alone = false
    const queue = this.#byKey.get(delivery.key)
    queue?.shift()
    const following = queue?.[0]
    if (following === undefined) this.#byKey.delete(delivery.key)
    else this.#ready.push(following)
    this.#advance()
  }

  #advance(): void {
    let first = this.#held[this.#head]
    while (first?.ended !== undefined) {
      this.#heldBytes -= first.bytes
      this.#head++
      first = this.#held[this.#head]
    }
    this.#watermark = first === undefined ? this.#end : first.position
    // Half of a long array is cut at once, so that popping costs a constant on average.
    if (this.#head > 256 && this.#head * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#head)
      this.#head = 0
    }
  }
}

function waiting(records: Array<ReceivedRecord>, key: string, bytes: number): Delivery {
  return {
    records,
    position: records[0]?.position ?? 0n,
    key,
    span: records.length,
    bytes,
    attempts: 0,
    state: "waiting",
    firstAttemptMs: 0,
    retryAtMs: 0,
    ended: undefined
  }
}

/** Key bytes as text; a record that has no order gets a key of its own. */
function keyOf({ key, position }: ReceivedRecord, unordered: boolean): string {
  if (key === null) return unordered ? `no key, position ${position}` : ""
  let text = ""
  for (const byte of key) text += String.fromCharCode(byte)
  return unordered ? `${position}` : text
}

/** Bytes a held record stands for; the constant is what its objects cost in V8, so that empty records are bounded too. */
function bytesOf({ key, value, headers }: ReceivedRecord): number {
  let bytes = 128 + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, header] of headers) bytes += name.length + header.length
  return bytes
}
