/**
 * The publish path of one contract: read and encode (`Draft`), room on every required leg, write, commit. Synchronous from end to
 * end, and it allocates nothing that the codec does not.
 *
 * All or nothing: an event is written nowhere before it fits and has room on every required leg, so a rejected event leaves no
 * trace on any of them.
 */
import { type Admission, admitted, rejection, type RejectReason } from "./Admission.ts"
import type { BucketNext } from "../transport/Announcement.ts"
import type { Contract, Key } from "../contract/Contract.ts"
import type { ClosedLeg } from "./ClosedLeg.ts"
import type { Destinations, Outlet } from "./Destinations.ts"
import { beginDraft, type Draft, endDraft } from "./Draft.ts"
import type { EventContext, Surroundings } from "../record/ContextHeaders.ts"
import { copyKey, hash, keyView } from "../record/Key.ts"
import { type Ledger, requireLegs, type StreamAccount } from "../ledger/Ledger.ts"
import { reasonOfFull, whyFull } from "./fullBuffer.ts"
import type { Level } from "./Receipt.ts"
import { OfferCount } from "./OfferCount.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { noTicket } from "./RoomQueue.ts"
import { Sequences } from "./Sequences.ts"
import type { HaltedLane } from "./LaneHome.ts"
import type { Sink } from "./Sink.ts"
import type { TurnClock } from "./TurnClock.ts"
import { type Placing, WaitForRoom } from "./WaitForRoom.ts"
import type { Waiter } from "../ledger/Waiter.ts"

/**
 * Where the records of a bucket go in a topic. With the partitioner murmur2 too: the partitions divide the buckets, so hash mod P is
 * bucket mod P.
 */
function partitionOf(bucket: number, { partitions }: Outlet): number {
  return bucket % partitions
}

/** Events of an unordered contract that go to one bucket before the next: long enough to fill batches, short enough to spread. */
const unorderedRun = 256

export class Publisher<T> implements Placing {
  readonly contract: Contract<T>
  readonly #account: StreamAccount
  readonly #count: OfferCount
  readonly #clock: TurnClock
  readonly #sequences: Sequences
  /** Undefined until somebody has waited for room. */
  #waiting: Set<WaitForRoom> | undefined
  #outlets: ReadonlyArray<Outlet> = []
  /** Of legs that a table has taken out, and that still have something to send. */
  #removed: ReadonlyArray<Outlet> = []
  /** The one leg of a stream that has one, as most do. */
  #only: Outlet | undefined
  #closed: ReadonlyArray<ClosedLeg> = []
  #level: Level = "stored"
  #notDurable: string | undefined
  #isClosed = false
  #lastBucket = -1
  /** Events of an unordered contract so far, and those that stand for the buckets before the first. */
  #unordered: number
  #fault = ""
  #full: Sink | undefined

  /** Without order events begin in a bucket of the incarnation's: programs that begin often and publish little would all write to one partition. */
  constructor(contract: Contract<T>, to: Destinations, ledger: Ledger, clock: TurnClock, incarnation = "0") {
    this.contract = contract
    this.#unordered = (Number.parseInt(incarnation.slice(-8), 16) % contract.buckets) * unorderedRun
    this.#account = ledger.stream(contract.stream)
    this.#account.inLine = () => this.#inLine
    this.#count = new OfferCount(this.#account, ledger.journal)
    this.#clock = clock
    this.#sequences = new Sequences(contract.buckets)
    this.swap(to)
  }

  /** Puts other legs in place of the present ones, between two events. */
  swap({ outlets, closed, level, notDurable }: Destinations): void {
    const isThere = ({ lanes }: Outlet) => outlets.some((one) => one.lanes === lanes)
    const before = [...this.#removed, ...this.#outlets]
    this.#removed = before.filter((one) => !isThere(one) && one.lanes.all.some(({ isEmpty }) => !isEmpty))
    this.#outlets = outlets
    this.#closed = closed
    // There is a required leg that takes all, so one alone is that.
    this.#only = outlets.length === 1 && outlets[0]?.isRequired === true ? outlets[0] : undefined
    this.#level = level
    this.#notDurable = notDurable
    const required = outlets.filter(({ isRequired }) => isRequired)
    requireLegs(
      this.#account,
      required.map(({ account }) => account),
      this.#sequences
    )
    // With another share the event may not be a canary's any more: it looks again.
    const same = required.filter((outlet) => hasSameBuckets(outlet, before))
    for (const wait of this.#waiting ?? []) wait.requires(same.map(({ sink }) => sink))
  }

  /** Admits nothing more; who waits for room is rejected. */
  close(): void {
    this.#isClosed = true
    for (const wait of this.#waiting ?? []) wait.end(rejection.closed, closing)
  }

  /** At what a publish completes. */
  get level(): Level {
    return this.#level
  }

  /** Why the last event was rejected, in words. */
  get fault(): string {
    return this.#full === undefined ? this.#fault : whyFull(this.#full)
  }

  /** The sink that the last event has to wait for; undefined when there is none, or nobody waits there. */
  get awaited(): Sink | undefined {
    return this.#full?.leg.overflow === "block" ? this.#full : undefined
  }

  /** Bucket of the event admitted last; -1 before the first. */
  get lastBucket(): number {
    return this.#lastBucket
  }

  /** Its sequence there. */
  get lastSeq(): number {
    return this.#sequences.next(this.#lastBucket) - 1
  }

  /** Buckets that have had an event, with the sequence that the next one will get. */
  get sequences(): ReadonlyArray<BucketNext> {
    return this.#sequences.used
  }

  /** Offers one event, and has the answer at once. */
  offer(event: T, context?: EventContext, around?: Surroundings): Admission {
    const draft = beginDraft()
    if (draft === undefined) return this.#told(this.#tooDeep())
    try {
      return this.#told(this.#fill(draft, event, context, around) ?? this.place(draft, undefined, noTicket))
    } finally {
      endDraft()
    }
  }

  /** Offers the removal of a key, on a compacted contract. */
  offerTombstone(key: Key, context?: EventContext, around?: Surroundings): Admission {
    const draft = beginDraft()
    if (draft === undefined) return this.#told(this.#tooDeep())
    try {
      const reason = this.#isClosed ? "closed" : draft.fillTombstone(this.contract, key, context, around)
      return this.#told(reason === undefined ? this.place(draft, undefined, noTicket) : this.#refuse(draft, reason))
    } finally {
      endDraft()
    }
  }

  /** As `offer`; `waiter` is told of the required legs. Undefined where the event would have to wait: then it is not offered yet. */
  offerNow(
    event: T,
    context: EventContext | undefined,
    around: Surroundings | undefined,
    waiter: Waiter
  ): Admission | undefined {
    const draft = beginDraft()
    if (draft === undefined) return this.#told(this.#tooDeep())
    try {
      const told = this.#fill(draft, event, context, around) ?? this.place(draft, waiter, noTicket)
      return this.awaited === undefined ? this.#told(told) : undefined
    } finally {
      endDraft()
    }
  }

  /**
   * Offers one event; where a required sink has no room and its rule is to wait, what is returned stands in line, and whoever
   * offers says whom it is to tell. Without patience it is rejected instead: the time for waiting is over.
   */
  offerOrWait(
    event: T,
    context: EventContext | undefined,
    around: Surroundings | undefined,
    waiter: Waiter,
    isPatient: boolean
  ): Admission | WaitForRoom {
    const draft = beginDraft()
    if (draft === undefined) return this.#told(this.#tooDeep())
    try {
      const told = this.#fill(draft, event, context, around) ?? this.place(draft, waiter, noTicket)
      const sink = this.awaited
      if (sink === undefined) return this.#told(told)
      if (!isPatient) return this.#told(rejection.timeout)
      const wait = new WaitForRoom(this, draft.keep(), waiter, sink)
      this.#count.waits()
      this.#waiting ??= new Set()
      this.#waiting.add(wait)
      return wait
    } finally {
      endDraft()
    }
  }

  /** Sends what is buffered of the stream without waiting for linger; `waiter` is told of all of it. */
  flush(waiter: Waiter): void {
    for (const { lanes } of this.#outlets) lanes.flush(waiter)
    for (const { lanes } of this.#removed) lanes.flush(waiter)
  }

  /** Lanes of the stream that stand until `resume`. */
  get halted(): ReadonlyArray<HaltedLane> {
    const sinks = new Set([...this.#outlets, ...this.#removed].map(({ sink }) => sink))
    const { stream } = this.contract
    return [...sinks].flatMap(({ halted }) => halted.filter((lane) => lane.stream === stream))
  }

  /** Whoever waited has an answer. */
  ended(wait: WaitForRoom, told: Admission): void {
    this.#waiting?.delete(wait)
    this.#count.toldLate(told)
  }

  /** Writes an event to its legs, or says why not, without counting the offer: a blocked publish tries more than once. */
  place(draft: Draft, waiter: Waiter | undefined, ticket: number): Admission {
    this.#full = undefined
    if (this.#isClosed) return this.#reject("closed", closing)
    if (this.#outlets.length === 0) return this.#reject("closed", "the stream has no required leg")
    if (this.#notDurable !== undefined && waiter?.isForDurable === true)
      return this.#reject("invalid", this.#notDurable)
    this.#clock.tick()
    draft.recall()
    const bucket =
      draft.keyLength === 0 ? this.#unorderedBucket : hash(keyView, draft.keyLength) % this.contract.buckets
    const seq = this.#sequences.next(bucket)
    const outlet = this.#only
    const refused =
      outlet === undefined
        ? this.#placeOnAll(draft, bucket, seq, waiter, ticket)
        : this.#placeOn(outlet, draft, bucket, seq, waiter, ticket)
    if (refused !== undefined) return refused
    for (const leg of this.#closed) leg.refused(bucket, seq)
    if (draft.keyLength === 0) this.#unordered++
    this.#lastBucket = bucket
    this.#sequences.advance(bucket)
    return admitted
  }

  /** With one leg, asking for room and taking it are one step. */
  #placeOn(
    outlet: Outlet,
    draft: Draft,
    bucket: number,
    seq: number,
    waiter: Waiter | undefined,
    ticket: number
  ): Admission | undefined {
    const { sink } = outlet
    const bytes = sizeOf(outlet, draft, bucket, seq)
    if (bytes > sink.largest) return this.#tooLarge(sink, bytes)
    const batch = sink.waiting.isHeld(ticket) ? undefined : outlet.lanes.room(partitionOf(bucket, outlet), bytes)
    if (batch === undefined) {
      this.#full = sink
      return rejection[reasonOfFull(sink)]
    }
    this.#write(outlet, batch, draft, bucket, seq, waiter)
    return undefined
  }

  /** With several, nothing is taken before every required leg has room. */
  #placeOnAll(
    draft: Draft,
    bucket: number,
    seq: number,
    waiter: Waiter | undefined,
    ticket: number
  ): Admission | undefined {
    const refused = this.#check(draft, bucket, seq, ticket)
    if (refused !== undefined) return refused
    for (const outlet of this.#outlets) {
      if (!takes(outlet, bucket)) continue
      const batch = this.#room(outlet, draft, bucket, seq)
      if (batch !== undefined) this.#write(outlet, batch, draft, bucket, seq, outlet.isRequired ? waiter : undefined)
    }
    return undefined
  }

  /** Whether the event fits and has room on every required leg. Changes nothing. */
  #check(draft: Draft, bucket: number, seq: number, ticket: number): Admission | undefined {
    for (const outlet of this.#outlets) {
      if (!outlet.isRequired || !takes(outlet, bucket)) continue
      const { sink } = outlet
      const bytes = sizeOf(outlet, draft, bucket, seq)
      if (bytes > sink.largest) return this.#tooLarge(sink, bytes)
      // One that rejects decides, even if others would wait.
      if (this.#full !== undefined && (sink.leg.overflow === "block" || this.awaited === undefined)) continue
      if (sink.waiting.isHeld(ticket) || !outlet.lanes.hasRoom(partitionOf(bucket, outlet), bytes)) this.#full = sink
    }
    return this.#full === undefined ? undefined : rejection[reasonOfFull(this.#full)]
  }

  /** Where the event goes; undefined for a best-effort leg that loses it, which is counted there. */
  #room(outlet: Outlet, draft: Draft, bucket: number, seq: number): RecordBatch | undefined {
    const { isRequired, lanes, sink } = outlet
    const bytes = sizeOf(outlet, draft, bucket, seq)
    const partition = partitionOf(bucket, outlet)
    const isTooLarge = bytes > sink.largest
    if (isRequired || !(isTooLarge || sink.waiting.isHeld(noTicket))) {
      const batch = lanes.room(partition, bytes, isRequired)
      if (batch !== undefined) return batch
    }
    lanes.refused(partition, bucket, seq, isTooLarge ? "tooLarge" : reasonOfFull(sink))
    return undefined
  }

  /** Writes key, headers and value behind the last record of the batch, and commits them. */
  #write(
    outlet: Outlet,
    batch: RecordBatch,
    draft: Draft,
    bucket: number,
    seq: number,
    waiter: Waiter | undefined
  ): void {
    const { lanes, wire } = outlet
    const { keyLength, headers } = draft
    batch.place(bucket, seq, this.#clock.timeMs)
    // What the copy writes behind the key, the headers overwrite.
    copyKey(keyLength, batch.view, batch.bytes)
    const headersAt = batch.bytes + keyLength
    const valueAt = wire.write(batch, headersAt, headers)
    const end = draft.copyValue(batch.arena, batch.view, valueAt)
    batch.commit(keyLength > 0, headersAt, valueAt, end, draft.isTombstone ? "tombstone" : "event")
    if (headers.traceparent !== undefined) batch.trace(batch.count - 1, headers.traceparent)
    if (waiter !== undefined) {
      waiter.pending++
      batch.awaitLast(waiter)
    }
    lanes.appended(partitionOf(bucket, outlet))
  }

  get #unorderedBucket(): number {
    return Math.floor(this.#unordered / unorderedRun) % this.contract.buckets
  }

  /** Those of this stream who stand in line for room, counted where they stand. */
  get #inLine(): number {
    const sinks = new Set([...this.#outlets, ...this.#removed].map(({ sink }) => sink))
    return [...sinks].reduce((total, { waiting }) => total + waiting.of(this), 0)
  }

  /** Reads the event; what it is rejected as when it cannot be offered. */
  #fill(
    draft: Draft,
    event: T,
    context: EventContext | undefined,
    around: Surroundings | undefined
  ): Admission | undefined {
    const reason = this.#isClosed ? "closed" : draft.fill(this.contract, event, context, around)
    return reason === undefined ? undefined : this.#refuse(draft, reason)
  }

  #tooDeep(): Admission {
    return this.#reject("invalid", "its getters offer events whose getters offer events, and so on without end")
  }

  #told(told: Admission): Admission {
    this.#count.told(told)
    return told
  }

  #refuse(draft: Draft, reason: RejectReason): Admission {
    return this.#reject(reason, reason === "closed" ? closing : draft.fault)
  }

  #tooLarge(sink: Sink, bytes: number): Admission {
    return this.#reject("tooLarge", `the record has ${bytes} bytes, ${sink.leg.sink} takes ${sink.largest}`)
  }

  #reject(reason: RejectReason, fault: string): Admission {
    this.#full = undefined
    this.#fault = fault
    return rejection[reason]
  }
}

const closing = "leat is closing"

function takes({ buckets }: Outlet, bucket: number): boolean {
  return bucket >= buckets.from && bucket < buckets.to
}

/** Whether it takes what it took before; one that was not there may wait for others. */
function hasSameBuckets({ lanes, buckets }: Outlet, before: ReadonlyArray<Outlet>): boolean {
  const was = before.find((one) => one.lanes === lanes)?.buckets ?? buckets
  return was.from === buckets.from && was.to === buckets.to
}

function sizeOf({ wire }: Outlet, { headers, keyLength, valueLength }: Draft, bucket: number, seq: number): number {
  return keyLength + wire.size(bucket, seq, headers) + valueLength
}
