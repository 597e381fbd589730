/**
 * The publish path of one contract: key, bucket, room on every required leg, encode, commit. Synchronous from end to end, and
 * it allocates nothing that the codec does not.
 *
 * All or nothing: nothing is committed before every required leg has room, so a rejected event leaves no trace on any leg.
 */
import { type Admission, admitted, rejection, type RejectReason } from "./Admission.ts"
import type { BucketNext } from "../transport/Announcement.ts"
import type { Contract, Key } from "../contract/Contract.ts"
import type { EventId } from "../record/EventId.ts"
import { copyKey, hash, keyView, writeKey } from "../record/Key.ts"
import type { Ledger, StreamAccount, WriteAccount } from "../ledger/Ledger.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Sink } from "./Sink.ts"
import { linksMax } from "../Telemetry.ts"
import type { TurnClock } from "./TurnClock.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import type { EventContext, WireWriter } from "../record/Wire.ts"

/** One leg of a stream: where it goes and how its records are dressed. */
export interface Outlet {
  readonly sink: Sink
  readonly wire: WireWriter
  readonly account: WriteAccount
  readonly isRequired: boolean
  /** Partition of each bucket. */
  readonly partitionOf: Int32Array
}

/** Spare bytes behind an expected value, so that the encoder seldom has to leave the arena. */
const spareBytes = 64

/** Most spare room asked for because earlier values were large, in bytes. */
const expectedBytesMax = 65_536

/** Events of an unordered contract that go to one bucket before the next: long enough to fill batches, short enough to spread. */
const unorderedRun = 256

export class Publisher<T> {
  readonly contract: Contract<T>
  readonly account: StreamAccount
  /** Why the last event was rejected, in words. */
  detail = ""
  isClosed = false
  #outlets: ReadonlyArray<Outlet>
  readonly #ledger: Ledger
  readonly #clock: TurnClock
  /** Next sequence of each bucket. */
  readonly #seq: Float64Array
  #valueBytesExpected = spareBytes
  #keyLength = 0
  #bucket = 0
  #lastBucket = -1
  #unordered = 0
  /** Where the value of the event being admitted stands. */
  #headersAt = 0
  #valueAt = 0
  #end = 0

  /** Required legs come first in `outlets`; there is at least one. */
  constructor(contract: Contract<T>, outlets: ReadonlyArray<Outlet>, ledger: Ledger, clock: TurnClock) {
    this.contract = contract
    this.account = ledger.stream(contract.stream)
    this.#outlets = outlets
    this.#ledger = ledger
    this.#clock = clock
    this.#seq = new Float64Array(contract.buckets)
  }

  get outlets(): ReadonlyArray<Outlet> {
    return this.#outlets
  }

  /** Puts other legs in place of the present ones, between two events. */
  swap(outlets: ReadonlyArray<Outlet>): void {
    this.#outlets = outlets
  }

  /** Bucket and sequence of the event admitted last; undefined before the first. */
  lastId(incarnation: string): EventId | undefined {
    if (this.#lastBucket < 0) return undefined
    const bucket = this.#lastBucket
    return { incarnation, stream: this.contract.stream, bucket, seq: (this.#seq[bucket] ?? 0) - 1 }
  }

  /** Buckets that have had an event, with the sequence that the next one will get. */
  get sequences(): ReadonlyArray<BucketNext> {
    return Array.from(this.#seq, (next, bucket): BucketNext => [bucket, next]).filter(([, next]) => next > 0)
  }

  /** Offers one event; `waiter` is told what becomes of its required legs. Counts it as offered and as admitted or rejected. */
  offer(event: T, context?: EventContext, waiter?: Waiter): Admission {
    this.account.offered++
    const told = this.admit(event, undefined, context, waiter)
    this.count(told)
    return told
  }

  /** Offers the removal of a key, on a compacted contract. */
  offerTombstone(key: Key, context?: EventContext, waiter?: Waiter): Admission {
    this.account.offered++
    const told = this.contract.compacted
      ? this.admit(undefined, key, context, waiter)
      : this.#reject("invalid", "a tombstone needs a contract marked compacted")
    this.count(told)
    return told
  }

  count(told: Admission): void {
    if (told.admitted) this.account.admitted++
    else this.reject(told.reason)
  }

  reject(reason: RejectReason): void {
    const { rejected, stream } = this.account
    rejected[reason] = (rejected[reason] ?? 0) + 1
    this.#ledger.journal?.rejected?.(stream, reason)
  }

  /** Admits an event, or says why not, without counting the offer: a blocked publish tries more than once. */
  admit(
    event: T | undefined,
    tombstone: Key | undefined,
    context: EventContext | undefined,
    waiter: Waiter | undefined
  ): Admission {
    if (this.isClosed) return this.#reject("closed", "leat is closing")
    try {
      const refused = this.#readKey(event, tombstone)
      if (refused !== undefined) return refused
    } catch (error) {
      return this.#reject("invalid", String(error))
    }
    const first = this.#outlets[0]
    if (first === undefined) return this.#reject("closed", "the stream has no required leg")
    this.#clock.tick()
    const partition = this.#partition(first)
    const expected = tombstone === undefined ? this.#valueBytesExpected : 0
    let batch = first.sink.room(partition, this.#keyLength + first.wire.size(context) + expected)
    if (batch === undefined) return this.#overflow(first)
    try {
      this.#encode(batch, first, event, context)
    } catch (error) {
      batch.attachWriter()
      return this.#reject("invalid", String(error))
    }
    if (batch.writer.buf !== batch.arena) {
      batch = this.#moveValue(batch, first, partition)
      if (batch === undefined) return this.#overflow(first)
    }
    const sizeBytes = this.#end - batch.bytes
    if (sizeBytes > first.sink.recordBytesMax) return this.#tooLarge(first, sizeBytes)
    const valueBytes = this.#end - this.#valueAt
    const kind = tombstone === undefined ? "event" : "tombstone"
    if (this.#outlets.length > 1) {
      const refused = this.#makeRoom(valueBytes, context)
      if (refused !== undefined) return refused
      this.#copyToOthers(batch, valueBytes, kind, context, waiter)
    }
    this.#commit(first, partition, batch, kind, context, waiter)
    this.#lastBucket = this.#bucket
    this.#seq[this.#bucket] = (this.#seq[this.#bucket] ?? 0) + 1
    if (tombstone === undefined) this.#expect(valueBytes)
    return admitted
  }

  /** Finds key bytes and bucket of an event; returns a rejection when it has no usable key. */
  #readKey(event: T | undefined, tombstone: Key | undefined): Admission | undefined {
    const { contract } = this
    const key = tombstone ?? (event === undefined ? undefined : contract.key(event))
    if (key === undefined) {
      if (!contract.unordered) return this.#reject("emptyKey", `the key ${contract.keyPath ?? ""} is not set`)
      this.#keyLength = 0
      this.#bucket = Math.floor(this.#unordered++ / unorderedRun) % contract.buckets
      return undefined
    }
    this.#keyLength = writeKey(key)
    if (this.#keyLength === 0) return this.#reject("emptyKey", `the key ${contract.keyPath ?? ""} is empty`)
    if (this.#keyLength < 0) return this.#reject("keyTooLarge", `the key ${contract.keyPath ?? ""} is over 4096 bytes`)
    this.#bucket = hash(keyView, this.#keyLength) % contract.buckets
    return undefined
  }

  #partition({ partitionOf }: Outlet): number {
    return partitionOf[this.#bucket] ?? 0
  }

  /** Writes key, headers and value behind the last record of the batch, without committing them. */
  #encode(batch: RecordBatch, outlet: Outlet, event: T | undefined, context: EventContext | undefined): void {
    const { writer } = batch
    this.#dress(batch, outlet, context)
    if (event === undefined) {
      this.#end = this.#valueAt
      return
    }
    writer.pos = this.#valueAt
    this.contract.encodeInto(event, writer)
    this.#end = writer.pos
  }

  /** Places the record, and writes key and headers behind the last one of the batch. */
  #dress(batch: RecordBatch, { account, wire }: Outlet, context: EventContext | undefined): void {
    const bucket = this.#bucket
    batch.place(account.index, bucket, this.#seq[bucket] ?? 0, this.#clock.timeMs)
    // What the copy writes behind the key, the headers overwrite.
    copyKey(this.#keyLength, batch.view, batch.bytes)
    this.#headersAt = batch.bytes + this.#keyLength
    this.#valueAt = wire.write(batch, this.#headersAt, context)
  }

  /** The encoder left the arena for a buffer of its own: brings key, headers and value into a batch with room. */
  #moveValue(batch: RecordBatch, outlet: Outlet, partition: number): RecordBatch | undefined {
    const value = batch.writer.buf.subarray(this.#valueAt, this.#end)
    const prefix = Uint8Array.prototype.slice.call(batch.arena, batch.bytes, this.#valueAt)
    const headersOffset = this.#headersAt - batch.bytes
    batch.attachWriter()
    const roomier = outlet.sink.room(partition, prefix.length + value.length)
    if (roomier === undefined) return undefined
    const at = roomier.bytes
    const bucket = this.#bucket
    roomier.place(outlet.account.index, bucket, this.#seq[bucket] ?? 0, this.#clock.timeMs)
    roomier.arena.set(prefix, at)
    roomier.arena.set(value, at + prefix.length)
    this.#headersAt = at + headersOffset
    this.#valueAt = at + prefix.length
    this.#end = this.#valueAt + value.length
    return roomier
  }

  /** Makes sure that every further required leg has room, before anything is committed anywhere. */
  #makeRoom(valueBytes: number, context: EventContext | undefined): Admission | undefined {
    for (let index = 1; index < this.#outlets.length; index++) {
      const outlet = this.#outlets[index]
      if (outlet === undefined || !outlet.isRequired) continue
      const bytes = this.#keyLength + outlet.wire.size(context) + valueBytes
      if (bytes > outlet.sink.recordBytesMax) return this.#tooLarge(outlet, bytes)
      if (outlet.sink.room(this.#partition(outlet), bytes) === undefined) return this.#overflow(outlet)
    }
    return undefined
  }

  #copyToOthers(
    source: RecordBatch,
    valueBytes: number,
    kind: "event" | "tombstone",
    context: EventContext | undefined,
    waiter: Waiter | undefined
  ): void {
    const headersAt = this.#headersAt
    const valueAt = this.#valueAt
    const end = this.#end
    for (let index = 1; index < this.#outlets.length; index++) {
      const outlet = this.#outlets[index]
      if (outlet === undefined) continue
      const { account, isRequired, sink } = outlet
      const partition = this.#partition(outlet)
      const bytes = this.#keyLength + outlet.wire.size(context) + valueBytes
      const batch = bytes > sink.recordBytesMax ? undefined : sink.room(partition, bytes)
      if (batch === undefined) {
        const reason = bytes > sink.recordBytesMax ? "tooLarge" : "overflow"
        sink.refused(partition, account.index, this.#bucket, this.#seq[this.#bucket] ?? 0, reason)
        continue
      }
      this.#dress(batch, outlet, context)
      source.arena.copy(batch.arena, this.#valueAt, valueAt, valueAt + valueBytes)
      this.#end = this.#valueAt + valueBytes
      this.#commit(outlet, partition, batch, kind, context, isRequired ? waiter : undefined)
    }
    this.#headersAt = headersAt
    this.#valueAt = valueAt
    this.#end = end
  }

  #commit(
    { account, sink }: Outlet,
    partition: number,
    batch: RecordBatch,
    kind: "event" | "tombstone",
    context: EventContext | undefined,
    waiter: Waiter | undefined
  ): void {
    const index = batch.count
    batch.commit(this.#keyLength > 0, this.#headersAt, this.#valueAt, this.#end, kind)
    if (context?.traceparent !== undefined && batch.traceparents.length < linksMax)
      batch.traceparents.push(context.traceparent)
    if (waiter !== undefined) {
      waiter.pending++
      batch.await(index, index + 1, waiter)
    }
    sink.appended(partition, account)
  }

  #expect(valueBytes: number): void {
    const wanted = Math.min(valueBytes * 3 + spareBytes, expectedBytesMax)
    // Follows larger values at once and smaller ones slowly: leaving the arena costs more than some spare room.
    this.#valueBytesExpected =
      wanted > this.#valueBytesExpected ? wanted : this.#valueBytesExpected - ((this.#valueBytesExpected - wanted) >> 4)
  }

  #overflow({ sink }: Outlet): Admission {
    return this.#reject("overflow", `the buffer of ${sink.leg.sink} (${sink.leg.bufferBytesMax} bytes) is full`)
  }

  #tooLarge({ sink }: Outlet, sizeBytes: number): Admission {
    return this.#reject("tooLarge", `the record has ${sizeBytes} bytes, ${sink.leg.sink} takes ${sink.recordBytesMax}`)
  }

  #reject(reason: RejectReason, detail: string): Admission {
    this.detail = detail
    return rejection[reason]
  }
}
