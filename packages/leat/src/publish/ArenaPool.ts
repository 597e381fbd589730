import { RecordBatch } from "../record/RecordBatch.ts"

/** Smallest arena: room for a few records, because of many lanes most hold no more. */
const arenaBytesMin = 1024

/** Expected size of a record, for the columns beside a small arena, in bytes. */
const recordBytesExpected = 128

/** Bytes of emptied arenas and their columns that are kept, of all sizes together, so that a steady load allocates none. */
const keptBytesMax = 16 * 1024 * 1024

/** The emptied arenas of a whole leat: whichever lane needs one next takes it. */
export class ArenaPool {
  readonly #kept = new Map<number, Array<RecordBatch>>()
  #keptBytes = 0

  /** An empty batch with an arena of `size` bytes. */
  take(size: number): RecordBatch {
    return this.#pop(size) ?? new RecordBatch(size, Math.min(64, Math.max(4, Math.floor(size / recordBytesExpected))))
  }

  /** Moves a batch into an arena of `size` bytes. Its own is kept for another: a batch that doubles again and again would leave one at each step. */
  grow(batch: RecordBatch, size: number): void {
    const larger = this.#pop(size)
    if (larger === undefined) return batch.grow(size)
    batch.exchange(larger)
    this.give(larger)
  }

  /** Keeps an emptied batch for whoever needs one of its size. */
  give(batch: RecordBatch): void {
    const size = batch.arena.length
    const { capacityBytes } = batch
    if (this.#keptBytes + capacityBytes > keptBytesMax) return
    batch.reset()
    const kept = this.#kept.get(size)
    this.#keptBytes += capacityBytes
    if (kept === undefined) this.#kept.set(size, [batch])
    else kept.push(batch)
  }

  #pop(size: number): RecordBatch | undefined {
    const batch = this.#kept.get(size)?.pop()
    if (batch !== undefined) this.#keptBytes -= batch.capacityBytes
    return batch
  }
}

/** The arenas of one sink, counted: what counts is the capacity of those that hold records, because that is what the process pays. */
export class ArenaBudget {
  /** Bytes of the arenas in use. */
  usedBytes = 0
  bytesMax: number
  readonly #pool: ArenaPool

  constructor(pool: ArenaPool, bytesMax: number) {
    this.#pool = pool
    this.bytesMax = bytesMax
  }

  /** Whether `take` would give a batch, once so many bytes are given back. */
  hasRoom(bytes: number, givenBack = 0): boolean {
    return this.usedBytes - givenBack + arenaSize(bytes, this.bytesMax) <= this.bytesMax
  }

  /** Whether `grow` would find room, once so many bytes are given back. */
  hasRoomToGrow(batch: RecordBatch, bytes: number, givenBack = 0): boolean {
    const larger = arenaSize(batch.bytes + bytes, this.bytesMax)
    return this.usedBytes - givenBack + larger - batch.arena.length <= this.bytesMax
  }

  /** An empty batch with room for `bytes`; undefined when the budget does not have it. */
  take(bytes: number): RecordBatch | undefined {
    return this.hasRoom(bytes) ? this.takeAnyway(bytes) : undefined
  }

  /** As `take`, for what is written although the budget is used up. */
  takeAnyway(bytes: number): RecordBatch {
    const size = arenaSize(bytes, this.bytesMax)
    this.usedBytes += size
    return this.#pool.take(size)
  }

  /** Doubles the arena until it has room for `bytes` more; returns false when the budget does not have it. */
  grow(batch: RecordBatch, bytes: number): boolean {
    if (!this.hasRoomToGrow(batch, bytes)) return false
    const size = arenaSize(batch.bytes + bytes, this.bytesMax)
    this.usedBytes += size - batch.arena.length
    this.#pool.grow(batch, size)
    return true
  }

  /** Gives the bytes of a batch back; the batch is kept for reuse unless somebody may still hold views of its arena. */
  give(batch: RecordBatch, isReusable: boolean): void {
    this.usedBytes -= batch.arena.length
    if (isReusable) this.#pool.give(batch)
  }
}

/** The next power of two, but never over the budget when the bytes themselves are not. */
function arenaSize(bytes: number, bytesMax: number): number {
  let size = arenaBytesMin
  while (size < bytes) size *= 2
  return size > bytesMax && bytes <= bytesMax ? bytesMax : size
}
