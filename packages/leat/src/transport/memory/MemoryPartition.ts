import { ColumnBatch } from "../ReceivedRecords.ts"
import type { OutgoingBatch, Position, ReceivedBatch, ReceivedRecord } from "../index.ts"

/** One stored batch: its records have the positions from `base` on. */
interface Chunk {
  readonly base: Position
  readonly batch: OutgoingBatch
  readonly bytes: number
  /** Records that compaction took away, by index. */
  removed: Set<number> | undefined
  readonly storedAtMs: number
}

/** Most that one read gives: bounds what a reader holds, in records and bytes. */
const readRecordsMax = 500
const readBytesMax = 1024 * 1024

/** Fewer records than this of one stored batch are read together with those of the next. */
const columnRecordsMin = 16

/** The records of one partition, in positions without gaps until compaction takes some away. */
export class MemoryPartition {
  start: Position = 0n
  end: Position = 0n
  /** Bytes of what is stored. */
  bytes = 0
  #chunks: Array<Chunk> = []
  readonly #listeners = new Set<() => void>()

  /** Stores a copy of records [from, to); returns the position of the first. */
  append(batch: OutgoingBatch, from: number, to: number, nowMs: number): Position {
    const base = this.end
    const copy = batch.copy(from, to)
    const bytes = batch.rangeBytes(from, to)
    this.#chunks.push({ base, batch: copy, bytes, removed: undefined, storedAtMs: nowMs })
    this.bytes += bytes
    this.end = base + BigInt(to - from)
    for (const appended of this.#listeners) appended()
    return base
  }

  /** Calls `appended` after each append; returns how to stop. */
  onAppend(appended: () => void): () => void {
    this.#listeners.add(appended)
    return () => this.#listeners.delete(appended)
  }

  /** What stands at `from` or later, before `to`; undefined when there is nothing (yet). */
  read(from: Position, to: Position): ReceivedBatch | undefined {
    const end = to < this.end ? to : this.end
    if (from >= end) return undefined
    return this.#readColumns(from, end) ?? this.#readRecords(from, end)
  }

  /** What one stored batch has, as columns, where it is enough for a batch of its own. */
  #readColumns(from: Position, end: Position): ReceivedBatch | undefined {
    const first = from > this.start ? from : this.start
    const chunk = this.#chunks[this.#chunkAt(first)]
    if (chunk === undefined || chunk.removed !== undefined) return undefined
    const { base, batch } = chunk
    const at = Number(first - base)
    let to = Math.min(batch.count, Number(end - base), at + readRecordsMax)
    if (to - at < columnRecordsMin) return undefined
    while (to - at > columnRecordsMin && batch.rangeBytes(at, to) > readBytesMax) to = at + ((to - at) >> 1)
    const columns = batch.columns(at, to)
    // Bytes of its own: a reader may keep or change them.
    return new ColumnBatch(
      { ...columns, bytes: new Uint8Array(columns.bytes) },
      first,
      from < first ? "expired" : undefined
    )
  }

  #readRecords(from: Position, end: Position): ReceivedBatch {
    const records: Array<ReceivedRecord> = []
    let next = from > this.start ? from : this.start
    let bytes = 0
    let isCompacted = false
    for (let index = this.#chunkAt(next); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index]
      if (chunk === undefined) break
      for (let at = Number(next - chunk.base); at < chunk.batch.count && next < end; at++, next++) {
        if (chunk.removed?.has(at) === true) {
          isCompacted = true
          continue
        }
        if (records.length >= readRecordsMax || (records.length > 0 && bytes >= readBytesMax)) {
          return received(records, next, from < this.start, isCompacted)
        }
        bytes += chunk.batch.recordBytes(at)
        records.push(recordOf(chunk.batch, at, next))
      }
    }
    return received(records, next, from < this.start, isCompacted)
  }

  /** Position of the first record written at `timeMs` or later; the end when there is none. */
  positionAt(timeMs: number): Position {
    for (const { base, batch } of this.#chunks) {
      for (let at = 0; at < batch.count; at++) if (batch.timeMs(at) >= timeMs) return base + BigInt(at)
    }
    return this.end
  }

  /** Takes whole batches away from the start: those stored before `timeMs`, and the oldest until at most `bytesMax` are left. */
  retain(timeMs: number, bytesMax: number): void {
    let gone = 0
    for (const { storedAtMs, bytes } of this.#chunks) {
      if (storedAtMs >= timeMs && this.bytes <= bytesMax) break
      this.bytes -= bytes
      gone++
    }
    if (gone === 0) return
    this.#chunks = this.#chunks.slice(gone)
    this.start = this.#chunks[0]?.base ?? this.end
  }

  /** Keeps the last record of each key, and every record without one. */
  compact(): void {
    const last = new Map<string, Position>()
    for (const { base, batch } of this.#chunks) {
      for (let at = 0; at < batch.count; at++) {
        const key = batch.key(at)
        if (key !== null) last.set(keyText(key), base + BigInt(at))
      }
    }
    for (const chunk of this.#chunks) {
      const removed = new Set<number>()
      for (let at = 0; at < chunk.batch.count; at++) {
        const key = chunk.batch.key(at)
        if (key !== null && last.get(keyText(key)) !== chunk.base + BigInt(at)) removed.add(at)
      }
      chunk.removed = removed
    }
  }

  /** Index of the chunk that holds a position. */
  #chunkAt(position: Position): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const chunk = this.#chunks[middle]
      if (chunk !== undefined && chunk.base <= position) low = middle
      else high = middle - 1
    }
    return low
  }
}

function received(
  records: ReadonlyArray<ReceivedRecord>,
  next: Position,
  isExpired: boolean,
  isCompacted: boolean
): ReceivedBatch {
  if (isExpired) return { records, next, gap: "expired" }
  return isCompacted ? { records, next, gap: "compacted" } : { records, next }
}

/** Bytes of its own: a reader may keep or change them. */
function recordOf(batch: OutgoingBatch, at: number, position: Position): ReceivedRecord {
  const key = batch.key(at)
  const value = batch.value(at)
  return {
    position,
    key: key === null ? null : new Uint8Array(key),
    value: value === null ? null : new Uint8Array(value),
    headers: batch.headers(at).map(([name, bytes]) => [name, new Uint8Array(bytes)]),
    timeMs: batch.timeMs(at)
  }
}

function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key)
}
