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
  readTag,
  streamTag,
  tagText
} from "./CompactHeader.ts"
import { type EventId, formatEventId, formatUuid, parseEventId } from "./EventId.ts"
import type { EventContext } from "./ContextHeaders.ts"
import { takes } from "../given/takes.ts"
import { deadLetterHeader, readReplays } from "./DeadLetter.ts"
import { droppedHeader, readDropNotice, type DroppedRange } from "./DropNotice.ts"
import type { Header } from "./Headers.ts"
import { spelled } from "./keptHeaders.ts"
import { type MovedRecord, readMoved } from "./movedRecord.ts"

/** How what stands beside the value is written: in 40 bytes of leat's own, or as CloudEvents in 300. */
export type Wire = "compact" | "cloudevents"

/** What a record says of itself. Fields are absent on records that leat did not write. */
export interface RecordMeta extends Omit<EventContext, "cause"> {
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
  /** How often somebody has replayed the event's dead letter; absent where nobody has. */
  readonly replays?: number
  /** How often its group has moved the event to a retry topic; absent when never. */
  readonly moves?: number
  /** Attempts that its group had made when it moved the event last; absent when it never did. */
  readonly attemptsBefore?: number
  /** Sequences that the writer dropped on this lane since the record before. */
  readonly dropped: ReadonlyArray<DroppedRange>
  /** Whether the record only announces drops and is no event. */
  readonly isMarker: boolean
}

// Without the option a byte order mark at the beginning would be taken away.
const fromText = new TextDecoder("utf-8", { ignoreBOM: true })

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
  takes("readMeta", "a list of headers", Array.isArray(headers), headers)
  const meta: Mutable<RecordMeta> = { dropped: nothingDropped, isMarker: false }
  const moved = readMoved(headers)
  if (moved !== undefined) readMoves(meta, moved)
  let others: Array<Header> | undefined
  let notice: Uint8Array | undefined
  let isCompact = false
  for (const one of moved?.headers ?? headers) {
    const [name, value] = one
    if (name === "leat" && meta.id === undefined) {
      readLeat(meta, value, stream)
      isCompact = meta.id !== undefined
    } else if (name === droppedHeader) notice ??= value
    else if (name === deadLetterHeader) meta.replays ??= readReplays(value) ?? 0
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

function readMoves(meta: Mutable<RecordMeta>, { letter, moves }: MovedRecord): void {
  meta.moves = moves
  meta.attemptsBefore = letter.attempts ?? 0
  if (letter.replays > 0) meta.replays = letter.replays
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

/** Text of the id of the event that a record carries, for causation. */
export function causeOf(meta: RecordMeta): string | undefined {
  return meta.id === undefined ? undefined : formatEventId(meta.id)
}
