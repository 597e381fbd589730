/**
 * Records that go on in another place: leat's own headers in another epoch, and in another wire where that differs. Id and time of the event, the drops
 * that its record announces, and all that it carries stay as they are. What no leat has written says no epoch, and stays as it is.
 *
 * @example
 * ```ts
 * const headers = inEpoch(record.headers, 4)
 * ```
 */
import { Buffer } from "node:buffer"
import { compactBytesMin, compactFields, formatEvent } from "./CompactHeader.ts"
import { type ContextHeaders, noHeaders } from "./ContextHeaders.ts"
import { parseEventId } from "./EventId.ts"
import { type Header, readHeaders, readLength, sizeOfLength } from "./Headers.ts"
import { spelled } from "./keptHeaders.ts"
import { RecordBatch } from "./RecordBatch.ts"
import { readMeta, type Wire } from "./Wire.ts"
import { ownHeaders, sizeOfVarint, type WireIdentity, wireWriter, writeVarint } from "./WireWriter.ts"

/** How a stored record is to be dressed. */
export interface Dress extends Omit<WireIdentity, "incarnation"> {
  readonly wire: Wire
}

/** Names of the headers that only the wire cloudevents has. */
const attributes: ReadonlySet<string> = new Set([
  "ce_specversion",
  "ce_id",
  "ce_source",
  "ce_type",
  "ce_time",
  "ce_leatepoch",
  "content-type"
])

/** Bytes for leat's own headers beside its names. */
const ownBytes = 512

/** The headers of a stored record in another epoch of its stream: the same list where they say none. */
export function inEpoch(headers: ReadonlyArray<Header>, epoch: number): ReadonlyArray<Header> {
  const at = compactAt(headers)
  const own = headers[at]
  if (own !== undefined) return headers.with(at, [own[0], withEpoch(own[1], epoch)])
  // Of each the first counts.
  const said = headers.findIndex(([name]) => spelled(name) === "ce_leatepoch")
  const header = headers[said]
  return header === undefined ? headers : headers.with(said, [header[0], Buffer.from(String(epoch))])
}

/**
 * The headers of a stored record in another epoch and wire. `type` and `source` are said where the compact wire did not; `timeMs` is for a record that
 * does not say its own, in epoch milliseconds.
 */
export function inWire(headers: ReadonlyArray<Header>, dress: Dress, timeMs: number): ReadonlyArray<Header> {
  const { wire, stream, epoch } = dress
  const { id, isOtherStream, ...meta } = readMeta(headers, stream)
  const isOwn = compactAt(headers) < 0 ? isAttribute : isCompact
  const was: Wire = isOwn === isCompact ? "compact" : "cloudevents"
  // What is no event of the stream says what it said: of a marker both wires are one.
  if (id === undefined || isOtherStream === true || meta.isMarker || wire === was) return inEpoch(headers, epoch)
  const incarnation = Buffer.from(id.incarnation.replaceAll("-", ""), "hex")
  const batch = new RecordBatch(ownBytes + 3 * (stream.length + dress.type.length + dress.source.length), 1)
  batch.place(id.bucket, id.seq, Float64Array.of(meta.timeMs ?? timeMs))
  wireWriter(wire, { ...dress, incarnation }).write(batch, 0, noHeaders)
  const [before, behind] = [headers.findIndex(isOwn), headers.filter((one) => !isOwn(one))]
  return [...behind.slice(0, before), ...readHeaders(batch.arena, 0), ...behind.slice(before)]
}

/**
 * What an event carries, of the headers block of a record that this leat has encoded: views of the block. Returns the time that it says, in epoch
 * milliseconds.
 */
export function carriedOf(block: Buffer, into: ContextHeaders): number {
  const count = readLength(block, 0)
  let at = sizeOfLength(count)
  const wire: Wire = isLeat(block, at) ? "compact" : "cloudevents"
  const own = ownHeaders[wire]
  let valueAt = 0
  // A name and a value each.
  for (let left = own * 2; left > 0; left--) {
    const length = readLength(block, at)
    valueAt = at + sizeOfLength(length)
    at = valueAt + length
  }
  // In both wires the last of leat's own has it.
  const timeMs =
    wire === "compact"
      ? block.readUIntBE(valueAt + compactFields.time, compactFields.tag - compactFields.time)
      : Date.parse(block.toString("latin1", valueAt, at))
  into.bytes = block.subarray(at)
  into.length = into.bytes.length
  into.count = count - own
  return timeMs
}

/** Which header says the id in the compact wire; -1: it is in the other one, or in none. */
function compactAt(headers: ReadonlyArray<Header>): number {
  const at = headers.findIndex(
    ([name, value]) =>
      (name === "leat" && value[0] === formatEvent && value.length >= compactBytesMin) ||
      (spelled(name) === "ce_id" && parseEventId(Buffer.from(value).toString()) !== undefined)
  )
  return headers[at]?.[0] === "leat" ? at : -1
}

function isCompact([name]: Header): boolean {
  return name === "leat"
}

function isAttribute([name]: Header): boolean {
  return attributes.has(spelled(name))
}

/** The value of the header `leat` with another epoch, which is its last number. */
function withEpoch(value: Uint8Array, epoch: number): Uint8Array {
  let end: number = compactFields.numbers
  for (let numbers = 2; numbers > 0 && end < value.length; end++) if ((value[end] ?? 0) < 128) numbers--
  const patched = new Uint8Array(end + sizeOfVarint(epoch))
  patched.set(value.subarray(0, end))
  writeVarint(patched, end, epoch)
  return patched
}

/** Whether the name at `at` of a headers block is `leat`. */
function isLeat(block: Buffer, at: number): boolean {
  return readLength(block, at) === 4 && block.toString("latin1", at + 1, at + 5) === "leat"
}
