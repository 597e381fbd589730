/**
 * What stands beside the value of a record, in one of two wires. The value is always the bare protobuf message.
 *
 * - `compact`: one binary header `leat`, about 40 bytes (`CompactHeader.ts`). Type and source are implied by the stream's contract and the
 *   incarnation.
 * - `cloudevents`: CloudEvents 1.0 in Kafka's binary mode, about 300 bytes, with leat's epoch as the extension `leatepoch`.
 *
 * Both carry trace context and correlation unchanged when the event has them. Readers understand both.
 */
import {
  compactBytesMin,
  compactFields,
  formatEvent,
  formatMarker,
  isOtherMarker,
  markerOf,
  readTag,
  streamTag,
  tagText
} from "./CompactHeader.ts"
import { type EventId, formatEventId, formatUuid, parseEventId } from "./EventId.ts"
import type { ContextHeaders, EventContext } from "./ContextHeaders.ts"
import { droppedHeader, readDropNotice, type DroppedRange } from "./DropNotice.ts"
import type { RecordBatch } from "./RecordBatch.ts"
import { type Header, sizeOfLength, writeLength } from "./Headers.ts"
import { spelled } from "./keptHeaders.ts"

/** How what stands beside the value is written: in 40 bytes of leat's own, or as CloudEvents in 300. */
export type Wire = "compact" | "cloudevents"

/** What a record says of itself. Fields are absent on records that leat did not write. */
export interface RecordMeta extends EventContext {
  readonly id?: EventId
  /** Epoch of the leg that it was written to. */
  readonly epoch?: number
  /** The publisher's `source`, where the wire says it. */
  readonly source?: string
  /** Full protobuf message name, where the wire says it. */
  readonly type?: string
  /** True: id and drops are of another stream than the one that was asked for; in the compact wire its name is not known, only its tag. */
  readonly isOtherStream?: true
  /** Epoch milliseconds at which the event was offered. */
  readonly timeMs?: number
  /** Sequences that the writer dropped on this lane since the record before. */
  readonly dropped: ReadonlyArray<DroppedRange>
  /** Whether the record only announces drops and is no event. */
  readonly isMarker: boolean
}

/** Writes the headers block of one leg's records. */
export interface WireWriter {
  /** Bytes of the block of an event that has this place and carries this. */
  readonly size: (bucket: number, seq: number, carried: ContextHeaders) => number
  /** Writes the block of the record that was placed in the batch last, at `at` of its arena; returns the position after it. */
  readonly write: (batch: RecordBatch, at: number, carried: ContextHeaders) => number
}

export interface WireIdentity {
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  readonly source: string
  readonly stream: string
  readonly type: string
  readonly epoch: number
}

const text = new TextEncoder()
// Without the option a byte order mark at the beginning would be taken away.
const fromText = new TextDecoder("utf-8", { ignoreBOM: true })
/** The count of one header, as `writeLength` has it. */
const oneHeader = Uint8Array.of(2)

/** The header of a record that only announces drops: the same in both wires. */
export function markerHeader({ incarnation, stream }: Pick<WireIdentity, "incarnation" | "stream">): Header {
  return ["leat", markerOf(incarnation, stream)]
}

export function wireWriter(wire: Wire, identity: WireIdentity): WireWriter {
  return wire === "compact" ? compactWriter(identity) : cloudEventsWriter(identity)
}

function compactWriter({ incarnation, stream, epoch }: WireIdentity): WireWriter {
  const name = block(text.encode("leat"))
  const lengthAt = 1 + name.length
  const valueAt = lengthAt + 1
  const timeAt = valueAt + compactFields.time
  const bucketAt = valueAt + compactFields.numbers
  // Number of headers, name, length, format, incarnation, time, tag: copied by fours; the up to three bytes behind are those of bucket, seq
  // and epoch, at least.
  const openingBytes = Math.ceil(bucketAt / 4) * 4
  const opening = new DataView(new ArrayBuffer(openingBytes))
  for (const [index, byte] of [...oneHeader, ...name, 0, formatEvent, ...incarnation].entries())
    opening.setUint8(index, byte)
  opening.setUint32(valueAt + compactFields.tag, streamTag(stream))
  const epochBytes = sizeOfVarint(epoch)
  let timeMsCached = 0
  return {
    size: (bucket, seq, { count, length }) =>
      bucketAt - 1 + sizeOfLength(1 + count) + sizeOfVarint(bucket) + sizeOfVarint(seq) + epochBytes + length,
    write: (batch, at, carried) => {
      const { arena, view, count } = batch
      const timeMs = batch.time[count] ?? 0
      if (timeMs !== timeMsCached) {
        timeMsCached = timeMs
        opening.setUint16(timeAt, Math.floor(timeMs / 2 ** 32))
        opening.setUint32(timeAt + 2, timeMs >>> 0)
      }
      // More headers than one byte can count move the rest back.
      const headers = 1 + carried.count
      const start = at + sizeOfLength(headers) - 1
      for (let index = 0; index < openingBytes; index += 4)
        view.setInt32(start + index, opening.getInt32(index, true), true)
      let end = writeVarint(arena, start + bucketAt, batch.bucket[count] ?? 0)
      end = writeVarint(arena, end, batch.seq[count] ?? 0)
      end = writeVarint(arena, end, epoch)
      // At most 17 + 6 + 4 + 3 + 8 + 8 bytes, so the length stays in its one byte.
      arena[start + lengthAt] = (end - start - lengthAt - 1) << 1
      if (carried.count === 0) return end
      writeLength(arena, at, headers)
      return carried.copyTo(arena, end)
    }
  }
}

function cloudEventsWriter({ incarnation, source, stream, type, epoch }: WireIdentity): WireWriter {
  const constant = concat([
    header("ce_specversion", "1.0"),
    header("ce_source", source),
    header("ce_type", type),
    header("content-type", "application/protobuf"),
    header("ce_leatepoch", String(epoch))
  ])
  const constantCount = 5
  const idName = block(text.encode("ce_id"))
  const idPrefix = text.encode(`${formatUuid(incarnation)}/${stream}/`)
  const timeBytes = 24
  const timeOpening = concat([block(text.encode("ce_time")), lengthOf(timeBytes)])
  const fixedBytes = constant.length + idName.length + timeOpening.length
  let timeMsCached = Number.NaN
  let timeCached = new Uint8Array(timeBytes)
  return {
    size: (bucket, seq, { count, length }) => {
      const idBytes = idPrefix.length + digits(bucket) + 1 + digits(seq)
      return sizeOfLength(constantCount + 2 + count) + fixedBytes + sizeOfLength(idBytes) + idBytes + timeBytes + length
    },
    write: (batch, at, carried) => {
      const { arena: target, count } = batch
      const bucket = batch.bucket[count] ?? 0
      const seq = batch.seq[count] ?? 0
      const timeMs = batch.time[count] ?? 0
      let end = writeLength(target, at, constantCount + 2 + carried.count)
      target.set(constant, end)
      end += constant.length
      target.set(idName, end)
      end = writeLength(target, end + idName.length, idPrefix.length + digits(bucket) + 1 + digits(seq))
      target.set(idPrefix, end)
      end = writeDecimal(target, end + idPrefix.length, bucket)
      target[end++] = 0x2f
      end = writeDecimal(target, end, seq)
      target.set(timeOpening, end)
      end += timeOpening.length
      if (timeMs !== timeMsCached) {
        timeMsCached = timeMs
        timeCached = text.encode(isoTime(timeMs))
      }
      target.set(timeCached, end)
      end += timeCached.length
      return carried.count === 0 ? end : carried.copyTo(target, end)
    }
  }
}

/**
 * Reads what a record's headers say, whichever wire they are in. Of each header that leat knows the first counts, and a record that begins
 * with the header `leat` is in the compact wire: attributes of CloudEvents, which that wire does not have, are further headers there.
 * Drops are announced by leat's own records only.
 *
 * @example
 * ```ts
 * const { id, type, isMarker } = readMeta(record.headers, "risk.beacons.sighting")
 * if (!isMarker && id !== undefined) console.log(formatEventId(id), type)
 * ```
 */
export function readMeta(headers: ReadonlyArray<Header>, stream: string): RecordMeta {
  const meta: Mutable<RecordMeta> = { dropped: nothingDropped, isMarker: false }
  let others: Array<Header> | undefined
  let notice: Uint8Array | undefined
  let isCompact = false
  for (const one of headers) {
    const [name, value] = one
    if (name === "leat" && meta.id === undefined) {
      readLeat(meta, value, stream)
      isCompact = meta.id !== undefined
    } else if (name === droppedHeader) notice ??= value
    else if (!readNamed(meta, name, value, stream, isCompact)) (others ??= []).push(one)
  }
  if (others !== undefined) meta.headers = others
  if (notice !== undefined && (meta.id !== undefined || meta.isMarker)) meta.dropped = readDropNotice(notice)
  return meta
}

/**
 * Whether these are the headers of most records, leat's own of an event of this stream and no other: then nothing has to be read to know
 * that it is no marker, and no event of another stream or type.
 */
export function saysOnlyEvent(headers: ReadonlyArray<Header>, stream: string): boolean {
  const one = headers[0]
  if (headers.length !== 1 || one === undefined || one[0] !== "leat") return false
  const value = one[1]
  return value[0] === formatEvent && value.length >= compactBytesMin && readTag(value, 0) === streamTag(stream)
}

/** As `saysOnlyEvent`, of the headers block at `at`. */
export function saysOnlyEventAt(bytes: Uint8Array, at: number, stream: string): boolean {
  for (let index = 0; index < onlyLeat.length; index++) if (bytes[at + index] !== onlyLeat[index]) return false
  const length = (bytes[at + onlyLeat.length] ?? 0) >>> 1
  const valueAt = at + onlyLeat.length + 1
  // The header is shorter than 64 bytes: a longer one has another length byte, and is read in full.
  if (length < compactBytesMin || length > 63 || bytes[valueAt] !== formatEvent) return false
  return readTag(bytes, valueAt) === streamTag(stream)
}

/** One header, and its name. */
const onlyLeat = Uint8Array.of(2, 8, 0x6c, 0x65, 0x61, 0x74)

const nothingDropped: RecordMeta["dropped"] = Object.freeze([])

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** Bucket, seq and epoch of the header that is being read; exact to 2^53. */
const fields = new Float64Array(3)

const incarnationBytes = new Uint8Array(16)
let incarnationText = formatUuid(incarnationBytes)

/** Records that come one after the other are mostly of one publisher: its name is made once. */
function incarnationOf(value: Uint8Array): string {
  for (let at = 0; at < 16; at++)
    if (incarnationBytes[at] !== value[at + 1]) {
      incarnationBytes.set(value.subarray(1, 17))
      incarnationText = formatUuid(incarnationBytes)
      break
    }
  return incarnationText
}

function readLeat(meta: Mutable<RecordMeta>, value: Uint8Array, stream: string): void {
  if (value[0] === formatMarker) {
    meta.isMarker = true
    if (isOtherMarker(value, stream)) meta.isOtherStream = true
  }
  if (value[0] !== formatEvent || value.length < compactBytesMin) return
  const incarnation = incarnationOf(value)
  let timeMs = 0
  for (let at: number = compactFields.time; at < compactFields.tag; at++) timeMs = timeMs * 256 + (value[at] ?? 0)
  let position: number = compactFields.numbers
  for (let field = 0; field < 3; field++) {
    let result = 0
    for (let scale = 1; position < value.length; scale *= 128) {
      const byte = value[position++] ?? 0
      result += (byte & 127) * scale
      if (byte < 128) break
    }
    fields[field] = result
  }
  const [bucket = 0, seq = 0, epoch = 0] = fields
  if (!Number.isSafeInteger(bucket) || !Number.isSafeInteger(seq) || !Number.isSafeInteger(epoch)) return
  meta.timeMs = timeMs
  const tag = readTag(value, 0)
  if (tag === streamTag(stream)) meta.id = { incarnation, stream, bucket, seq }
  else {
    meta.id = { incarnation, stream: tagText(tag), bucket, seq }
    meta.isOtherStream = true
  }
  meta.epoch = epoch
}

/** Returns whether the header was one of those that leat knows in the record's wire. */
function readNamed(
  meta: Mutable<RecordMeta>,
  name: string,
  value: Uint8Array,
  stream: string,
  isCompact: boolean
): boolean {
  switch (spelled(name)) {
    case "ce_correlationid":
      meta.correlationId ??= fromText.decode(value)
      return true
    case "ce_causationid":
      meta.causationId ??= fromText.decode(value)
      return true
    case "traceparent":
    case "tracestate":
    case "baggage":
      meta[name as "traceparent" | "tracestate" | "baggage"] ??= fromText.decode(value)
      return true
    case "leat":
      return true
    default:
      return !isCompact && readAttribute(meta, spelled(name), value, stream)
  }
}

/** As `readNamed`, of the attributes that only the wire cloudevents has. */
function readAttribute(meta: Mutable<RecordMeta>, name: string, value: Uint8Array, stream: string): boolean {
  switch (name) {
    case "ce_id": {
      if (meta.id !== undefined) return true
      const id = parseEventId(fromText.decode(value))
      if (id === undefined) return true
      meta.id = id
      if (id.stream !== stream) meta.isOtherStream = true
      return true
    }
    case "ce_source":
      meta.source ??= fromText.decode(value)
      return true
    case "ce_type":
      meta.type ??= fromText.decode(value)
      return true
    case "ce_time": {
      const timeMs = Date.parse(fromText.decode(value))
      if (!Number.isNaN(timeMs)) meta.timeMs ??= timeMs
      return true
    }
    case "ce_leatepoch": {
      const epoch = Number(fromText.decode(value))
      if (Number.isSafeInteger(epoch) && epoch > 0) meta.epoch ??= epoch
      return true
    }
    case "ce_specversion":
    case "content-type":
      return true
    default:
      return false
  }
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  let small = value | 0
  if (small !== value) return writeLongVarint(target, at, value)
  for (; small > 127; small >>>= 7) target[at++] = (small & 127) | 128
  target[at++] = small
  return at
}

function sizeOfVarint(value: number): number {
  if (value < 128) return 1
  if (value < 16_384) return 2
  if (value < 2_097_152) return 3
  let size = 4
  for (let rest = Math.floor(value / 2_097_152); rest > 127; rest = Math.floor(rest / 128)) size++
  return size
}

function writeLongVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 128
  target[at++] = rest
  return at
}

function digits(value: number): number {
  let count = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++
  return count
}

function writeDecimal(target: Uint8Array, at: number, value: number): number {
  const end = at + digits(value)
  let rest = value
  for (let position = end - 1; position >= at; position--) {
    target[position] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}

/** The first and the last moment that ISO 8601 writes in 24 characters: of the years 0 and 9999. */
const isoMsMin = -62_167_219_200_000
const isoMsMax = 253_402_300_799_999

/** A clock that is further off is written as the nearest moment that has the room that `size` says. */
function isoTime(timeMs: number): string {
  return new Date(Math.min(Math.max(timeMs, isoMsMin), isoMsMax)).toISOString()
}

function lengthOf(length: number): Uint8Array {
  const bytes = new Uint8Array(5)
  return bytes.slice(0, writeLength(bytes, 0, length))
}

/** A length and the bytes behind it. */
function block(bytes: Uint8Array): Uint8Array {
  return concat([lengthOf(bytes.length), bytes])
}

function header(name: string, value: string): Uint8Array {
  return concat([block(text.encode(name)), block(text.encode(value))])
}

function concat(parts: ReadonlyArray<Uint8Array>): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Text of the id of the event that a record carries, for causation. */
export function causeOf(meta: RecordMeta): string | undefined {
  return meta.id === undefined ? undefined : formatEventId(meta.id)
}
