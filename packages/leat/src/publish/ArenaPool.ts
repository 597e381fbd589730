import { RecordBatch } from "../record/RecordBatch.ts"

/** Smallest arena: one page, so that an idle lane costs little. */
const arenaBytesMin = 4096

/** Emptied batches kept per size, so that a steady load allocates no arenas. */
const keptPerSize = 16

/**
 * The byte budget of one sink, and the arenas it is made of. What counts is the capacity of the arenas that hold records, not
 * the bytes written: that is what the process really pays.
 */
export class ArenaPool {
  /** Bytes of the arenas in use. */
  usedBytes = 0
  bytesMax: number
  readonly #kept = new Map<number, Array<RecordBatch>>()

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Whether `take` would give a batch, once so many bytes are given back. */
  hasRoom(bytes: number, givenBack = 0): boolean {
    return this.usedBytes - givenBack + arenaSize(bytes, this.bytesMax) <= this.bytesMax
  }

  /** Whether `grow` would find room. */
  hasRoomToGrow(batch: RecordBatch, bytes: number): boolean {
    return this.usedBytes + arenaSize(batch.bytes + bytes, this.bytesMax) - batch.arena.length <= this.bytesMax
  }

  /** An empty batch with room for `bytes`; undefined when the budget does not have it. */
  take(bytes: number): RecordBatch | undefined {
    if (!this.hasRoom(bytes)) return undefined
    const size = arenaSize(bytes, this.bytesMax)
    this.usedBytes += size
    return this.#kept.get(size)?.pop() ?? new RecordBatch(size)
  }

  /** Doubles the arena until it has room for `bytes` more; returns false when the budget does not have it. */
  grow(batch: RecordBatch, bytes: number): boolean {
    if (!this.hasRoomToGrow(batch, bytes)) return false
    const size = arenaSize(batch.bytes + bytes, this.bytesMax)
    this.usedBytes += size - batch.arena.length
    const kept = this.#kept.get(size)?.pop()
    batch.grow(size, kept?.arena)
    return true
  }

  /** Gives the bytes of a batch back; the batch is kept for reuse unless somebody may still hold views of its arena. */
  give(batch: RecordBatch, isReusable: boolean): void {
    const size = batch.arena.length
    this.usedBytes -= size
    if (!isReusable) return
    batch.reset()
    const kept = this.#kept.get(size)
    if (kept === undefined) this.#kept.set(size, [batch])
    else if (kept.length < keptPerSize && (kept.length + 1) * size <= this.bytesMax / 4) kept.push(batch)
  }
}

/** The next power of two, but never over the budget when the bytes themselves are not. */
function arenaSize(bytes: number, bytesMax: number): number {
  let size = arenaBytesMin
  while (size < bytes) size *= 2
  return size > bytesMax && bytes <= bytesMax ? bytesMax : size
}
