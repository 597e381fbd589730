/** Writes what stands beside the value of a record, in one of the two wires (see `Wire.ts`). */
import { compactFields, formatEvent, markerOf, streamTag } from "./CompactHeader.ts"
import type { ContextHeaders } from "./ContextHeaders.ts"
import { formatUuid } from "./EventId.ts"
import { type Header, sizeOfLength, writeLength } from "./Headers.ts"
import type { RecordBatch } from "./RecordBatch.ts"
import type { Wire } from "./Wire.ts"

/** Writes the headers block of one leg's records. */
export interface WireWriter {
  /** Bytes of the block of an event that has this place and carries this. */
  readonly size: (bucket: number, seq: number, carried: ContextHeaders) => number
  /** Writes the block of the record that was placed in the batch last, at `at` of its arena; returns the position after it. */
  readonly write: (batch: RecordBatch, at: number, carried: ContextHeaders) => number
}

/** How many headers of a block are leat's own; those that the event carries stand behind them. */
export const ownHeaders: Readonly<Record<Wire, number>> = { compact: 1, cloudevents: 7 }

export interface WireIdentity {
  /** 16 bytes. */
  readonly incarnation: Uint8Array
  readonly source: string
  readonly stream: string
  readonly type: string
  readonly epoch: number
}

const text = new TextEncoder()
/** The count of one header, as `writeLength` has it. */
const oneHeader = Uint8Array.of(2)

/** The header of a record that only announces drops: the same in both wires. */
export function markerHeader({ incarnation, stream }: Pick<WireIdentity, "incarnation" | "stream">): Header {
  return ["leat", markerOf(incarnation, stream)]
}

export function wireWriter(wire: Wire, identity: WireIdentity): WireWriter {
  return wire === "compact" ? new CompactWriter(identity) : cloudEventsWriter(identity)
}

/**
 * What the headers of all compact records of one leat begin with, up to the tag of the stream: shared by its streams, so that a record of
 * one that has few finds it in the cache.
 */
class CompactOpening {
  readonly bytes: DataView
  #timeMs = 0

  constructor(incarnation: Uint8Array) {
    this.bytes = new DataView(new ArrayBuffer(openingBytes))
    for (const [index, byte] of [...oneHeader, ...leatName, 0, formatEvent, ...incarnation].entries())
      this.bytes.setUint8(index, byte)
  }

  /** The time of the record that is written next. */
  at(timeMs: number): void {
    if (timeMs === this.#timeMs) return
    this.#timeMs = timeMs
    this.bytes.setUint16(compactValueAt + compactFields.time, Math.floor(timeMs / 2 ** 32))
    this.bytes.setUint32(compactValueAt + compactFields.time + 2, timeMs >>> 0)
  }
}

const leatName = block(text.encode("leat"))
const compactLengthAt = 1 + leatName.length
const compactValueAt = compactLengthAt + 1
const compactTagAt = compactValueAt + compactFields.tag
const compactBucketAt = compactValueAt + compactFields.numbers
/** Copied by fours; the bytes behind are those of the tag. */
const openingBytes = Math.ceil(compactTagAt / 4) * 4
const openings = new WeakMap<Uint8Array, CompactOpening>()

function openingOf(incarnation: Uint8Array): CompactOpening {
  let opening = openings.get(incarnation)
  if (opening === undefined) {
    opening = new CompactOpening(incarnation)
    openings.set(incarnation, opening)
  }
  return opening
}

class CompactWriter implements WireWriter {
  readonly #opening: CompactOpening
  readonly #tag: number
  readonly #epoch: number
  readonly #epochBytes: number

  constructor({ incarnation, stream, epoch }: WireIdentity) {
    this.#opening = openingOf(incarnation)
    this.#tag = streamTag(stream)
    this.#epoch = epoch
    this.#epochBytes = sizeOfVarint(epoch)
  }

  size(bucket: number, seq: number, { count, length }: ContextHeaders): number {
    const numbers = sizeOfVarint(bucket) + sizeOfVarint(seq) + this.#epochBytes
    return compactBucketAt - 1 + sizeOfLength(1 + count) + numbers + length
  }

  write(batch: RecordBatch, at: number, carried: ContextHeaders): number {
    const { arena, view, count } = batch
    const opening = this.#opening
    opening.at(batch.time[count] ?? 0)
    // More headers than one byte can count move the rest back.
    const headers = 1 + carried.count
    const start = at + sizeOfLength(headers) - 1
    for (let index = 0; index < openingBytes; index += 4)
      view.setInt32(start + index, opening.bytes.getInt32(index, true), true)
    view.setInt32(start + compactTagAt, this.#tag)
    let end = writeVarint(arena, start + compactBucketAt, batch.bucket[count] ?? 0)
    end = writeVarint(arena, end, batch.seq[count] ?? 0)
    end = writeVarint(arena, end, this.#epoch)
    // At most 17 + 6 + 4 + 3 + 8 + 8 bytes, so the length stays in its one byte.
    arena[start + compactLengthAt] = (end - start - compactLengthAt - 1) << 1
    if (carried.count === 0) return end
    writeLength(arena, at, headers)
    return carried.copyTo(arena, end)
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
      return (
        sizeOfLength(ownHeaders.cloudevents + count) + fixedBytes + sizeOfLength(idBytes) + idBytes + timeBytes + length
      )
    },
    write: (batch, at, carried) => {
      const { arena: target, count } = batch
      const bucket = batch.bucket[count] ?? 0
      const seq = batch.seq[count] ?? 0
      const timeMs = batch.time[count] ?? 0
      let end = writeLength(target, at, ownHeaders.cloudevents + carried.count)
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

/** Writes a number of up to 2^53 - 1, seven bits in each byte, the lowest first; returns the position after it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let small = value | 0
  if (small !== value) return writeLongVarint(target, at, value)
  for (; small > 127; small >>>= 7) target[at++] = (small & 127) | 128
  target[at++] = small
  return at
}

/** Bytes that `writeVarint` needs. */
export function sizeOfVarint(value: number): number {
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
