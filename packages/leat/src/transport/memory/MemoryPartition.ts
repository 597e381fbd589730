import { MemoryChunk } from "./MemoryChunk.ts"
import { ColumnBatch } from "../ReceivedRecords.ts"
import type { OutgoingBatch, Position, ReceivedBatch, ReceivedRecord } from "../index.ts"

/** Most that one read gives: bounds what a reader holds, in records and bytes. */
const readRecordsMax = 500
const readBytesMax = 1024 * 1024

/** Fewer records than this of one chunk are read together with those of the next. */
const columnRecordsMin = 16

/** As many as the last compaction has left. Not in the partition: most are never compacted, and each stream has eight. */
const compactedBytes = new WeakMap<MemoryPartition, number>()

/** Of partitions that nothing was stored in yet: most of many. Nothing is ever put into it. */
const none: Array<MemoryChunk> = []

/** The records of one partition, in positions without gaps until compaction takes some away. */
export class MemoryPartition {
  start: Position = 0n
  end: Position = 0n
  /** Bytes of what is stored. */
  bytes = 0
  #chunks = none
  /** Undefined until there is one: most partitions of many have none. */
  #listeners: Set<() => void> | undefined

  /**
   * Stores a copy of records [from, to); returns the position of the first. It is kept together with what came before it while a chunk has
   * `chunkBytesMax` at most: 0 where every batch goes by its own age.
   */
  append(batch: OutgoingBatch, from: number, to: number, nowMs: number, chunkBytesMax: number): Position {
    const base = this.end
    const bytes = batch.rangeBytes(from, to) + batch.noticeBytes
    let chunk = this.#chunks.at(-1)
    if (chunk?.takes(to - from, bytes, chunkBytesMax) !== true) {
      chunk = new MemoryChunk(base, bytes, to - from)
      if (this.#chunks === none) this.#chunks = [chunk]
      else this.#chunks.push(chunk)
    }
    this.bytes -= chunk.bytes
    chunk.add(batch, from, to, nowMs)
    this.bytes += chunk.bytes
    this.end = base + BigInt(to - from)
    if (this.#listeners !== undefined) for (const appended of this.#listeners) appended()
    return base
  }

  /** Calls `appended` after each append; returns how to stop. */
  onAppend(appended: () => void): () => void {
    const listeners = (this.#listeners ??= new Set())
    listeners.add(appended)
    return () => listeners.delete(appended)
  }

  /** What stands at `from` or later, before `to`; undefined when there is nothing (yet). */
  read(from: Position, to: Position): ReceivedBatch | undefined {
    const end = to < this.end ? to : this.end
    if (from >= end) return undefined
    return this.#readColumns(from, end) ?? this.#readRecords(from, end)
  }

  /** What one chunk has, as columns, where it is enough for a batch of its own. */
  #readColumns(from: Position, end: Position): ReceivedBatch | undefined {
    const first = from > this.start ? from : this.start
    const chunk = this.#chunks[this.#chunkAt(first)]
    if (chunk === undefined || chunk.removed !== undefined) return undefined
    const { base, count } = chunk
    const at = Number(first - base)
    let to = Math.min(count, Number(end - base), at + readRecordsMax)
    // Before the base is what compaction took away.
    if (at < 0 || to - at < columnRecordsMin) return undefined
    while (to - at > columnRecordsMin && chunk.rangeBytes(at, to) > readBytesMax) to = at + ((to - at) >> 1)
    return new ColumnBatch(chunk.columns(at, to), first, from < first ? "expired" : undefined)
  }

  #readRecords(from: Position, end: Position): ReceivedBatch {
    const records: Array<ReceivedRecord> = []
    let next = from > this.start ? from : this.start
    let bytes = 0
    let isCompacted = false
    for (let index = this.#chunkAt(next); index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index]
      if (chunk === undefined) break
      // Between two chunks compaction has taken all away.
      if (next < chunk.base) {
        isCompacted = true
        next = chunk.base < end ? chunk.base : end
      }
      for (let at = Number(next - chunk.base); at < chunk.count && next < end; at++, next++) {
        if (chunk.removed?.has(at) === true) {
          isCompacted = true
          continue
        }
        if (records.length >= readRecordsMax || (records.length > 0 && bytes >= readBytesMax)) {
          return received(records, next, from < this.start, isCompacted)
        }
        bytes += chunk.rangeBytes(at, at + 1)
        records.push(recordOf(chunk, at, next))
      }
    }
    return received(records, next, from < this.start, isCompacted)
  }

  /** Position of the first record written at `timeMs` or later; the end when there is none. */
  positionAt(timeMs: number): Position {
    for (const chunk of this.#chunks) {
      // The start may be inside the first chunk.
      for (let at = Math.max(0, Number(this.start - chunk.base)); at < chunk.count; at++)
        if (chunk.timeMs(at) >= timeMs) return chunk.base + BigInt(at)
    }
    return this.end
  }

  /**
   * Takes whole chunks away from the start: those stored before `timeMs`, and the oldest until at most `bytesMax` are left. The newest stays for
   * its size: what was told to be stored would be gone before anybody can read it.
   */
  retain(timeMs: number, bytesMax: number): void {
    let gone = 0
    for (const { storedAtMs, bytes } of this.#chunks) {
      const fits = this.bytes <= bytesMax || gone === this.#chunks.length - 1
      if (storedAtMs >= timeMs && fits) break
      this.bytes -= bytes
      gone++
    }
    if (gone === 0) return
    this.#chunks = this.#chunks.slice(gone)
    this.start = this.#chunks[0]?.base ?? this.end
  }

  /** Deletes everything before a position. A chunk that reaches past it keeps its bytes until all of it is deleted. */
  trim(before: Position): void {
    const start = before < this.end ? before : this.end
    if (start <= this.start) return
    this.#chunks = this.#chunks.filter(({ base, count }) => base + BigInt(count) > start)
    this.bytes = this.#chunks.reduce((sum, { bytes }) => sum + bytes, 0)
    this.start = start
  }

  /** Compacts when it has more than `bytesMax`, and than twice what the last time has left: what is copied is bounded by what comes. */
  compactOver(bytesMax: number): void {
    if (this.bytes > Math.max(bytesMax, 2 * (compactedBytes.get(this) ?? 0))) this.compact()
  }

  /** Keeps the last record of each key, and every record without one. */
  compact(): void {
    const last = new Map<string, Position>()
    for (const chunk of this.#chunks)
      for (const [at, key] of chunk.keys()) last.set(keyText(key), chunk.base + BigInt(at))
    for (const chunk of this.#chunks) {
      const removed = new Set<number>()
      for (const [at, key] of chunk.keys()) if (last.get(keyText(key)) !== chunk.base + BigInt(at)) removed.add(at)
      chunk.remove(removed)
    }
    this.#chunks = this.#chunks.filter(({ removed, count }) => removed?.size !== count)
    this.bytes = this.#chunks.reduce((sum, { bytes }) => sum + bytes, 0)
    compactedBytes.set(this, this.bytes)
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
function recordOf(chunk: MemoryChunk, at: number, position: Position): ReceivedRecord {
  const key = chunk.key(at)
  const value = chunk.value(at)
  return {
    position,
    key: key === null ? null : new Uint8Array(key),
    value: value === null ? null : new Uint8Array(value),
    headers: chunk.headers(at).map(([name, bytes]) => [name, new Uint8Array(bytes)]),
    timeMs: chunk.timeMs(at)
  }
}

function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key)
}
