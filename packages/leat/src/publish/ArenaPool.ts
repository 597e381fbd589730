import { RecordBatch } from "../record/RecordBatch.ts"
import type { BufferBound, Sharer } from "./BufferBound.ts"

/** Smallest arena: room for a few records, because of many lanes most hold no more. */
const arenaBytesMin = 1024

/** Expected size of a record, for the columns beside a small arena, in bytes. */
const recordBytesExpected = 128

/** Bytes of emptied arenas and their columns that are kept, of all sizes together, so that a steady load allocates none. */
const keptBytesMax = 16 * 1024 * 1024

/** Where all buffers together have a bound, the part of it that emptied arenas may be beside it. */
const keptPart = 0.25

/** The emptied arenas of a whole leat: whichever lane needs one next takes it. */
export class ArenaPool {
  /** Over the buffers of all sinks; undefined where each has its own only. */
  readonly bound: BufferBound | undefined
  readonly #keptBytesMax: number
  readonly #kept = new Map<number, Array<RecordBatch>>()
  #keptBytes = 0

  constructor(bound?: BufferBound) {
    this.bound = bound
    this.#keptBytesMax = bound === undefined ? keptBytesMax : Math.min(keptBytesMax, bound.bytesMax * keptPart)
  }

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
    if (this.#keptBytes + capacityBytes > this.#keptBytesMax) return
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

/**
 * The arenas of one sink, counted: what counts is the capacity of those that hold records, because that is what the process pays. Where all
 * sinks together have a bound, that is asked too.
 */
export class ArenaBudget implements Sharer {
  /** Bytes of the arenas in use. */
  usedBytes = 0
  bytesMax: number
  /** What is its own of the bound over all sinks, in bytes; 0 without one. */
  shareBytes = 0
  dueBytes = 0
  isShort = false
  /** Whether what had no room last would have had it but for the bound over all sinks. */
  lacksShared = false
  readonly #pool: ArenaPool
  readonly #freed: (() => void) | undefined
  /** What its own buffer may hold, whatever the bound is. */
  #ownBytesMax: number

  /** `freed` is called when other sinks have given something back that was wanted here. */
  constructor(pool: ArenaPool, bytesMax: number, freed?: () => void) {
    this.#pool = pool
    this.#freed = freed
    this.#ownBytesMax = bytesMax
    this.bytesMax = Math.min(bytesMax, pool.bound?.bytesMax ?? bytesMax)
    pool.bound?.join(this)
  }

  /** Takes another budget over. */
  resize(bytesMax: number): void {
    const { bound } = this.#pool
    this.#ownBytesMax = bytesMax
    if (bound === undefined) this.bytesMax = bytesMax
    else bound.resize(this, Math.min(bytesMax, bound.bytesMax))
  }

  /** The sink has closed: its share is for others. */
  close(): void {
    this.#pool.bound?.leave(this)
  }

  freed(): void {
    this.#freed?.()
  }

  /** Whether `take` would give a batch, once so many bytes are given back. */
  hasRoom(bytes: number, givenBack = 0): boolean {
    const held = this.usedBytes - givenBack
    const size = arenaSize(bytes, this.bytesMax)
    // A record may be larger than any share: one is always taken.
    if (held === 0 && size <= this.bytesMax) return true
    return this.#fits(held, size)
  }

  /** Whether `grow` would find room, once so many bytes are given back. */
  hasRoomToGrow(batch: RecordBatch, bytes: number, givenBack = 0): boolean {
    const larger = arenaSize(batch.bytes + bytes, this.bytesMax)
    return this.#fits(this.usedBytes - givenBack, larger - batch.arena.length)
  }

  /** An empty batch with room for `wanted` bytes, or else for the `bytes` of one record; undefined when the budget does not have them. */
  take(bytes: number, wanted = bytes): RecordBatch | undefined {
    if (wanted > bytes && this.#fits(this.usedBytes, arenaSize(wanted, this.bytesMax))) return this.takeAnyway(wanted)
    return this.hasRoom(bytes) ? this.takeAnyway(bytes) : undefined
  }

  /** As `take`, for what is written although the budget is used up. */
  takeAnyway(bytes: number): RecordBatch {
    const size = arenaSize(bytes, this.bytesMax)
    this.#use(size)
    return this.#pool.take(size)
  }

  /** Doubles the arena until it has room for `bytes` more; returns false when the budget does not have it. */
  grow(batch: RecordBatch, bytes: number): boolean {
    if (!this.hasRoomToGrow(batch, bytes)) return false
    this.growAnyway(batch, bytes)
    return true
  }

  /** As `grow`, for what is written although the budget is used up. */
  growAnyway(batch: RecordBatch, bytes: number): void {
    const size = arenaSize(batch.bytes + bytes, this.bytesMax)
    this.#use(size - batch.arena.length)
    this.#pool.grow(batch, size)
  }

  /** Gives the bytes of a batch back; the batch is kept for reuse unless somebody may still hold views of its arena. */
  give(batch: RecordBatch, isReusable: boolean): void {
    this.#use(-batch.arena.length)
    if (isReusable) this.#pool.give(batch)
  }

  #use(bytes: number): void {
    const before = this.usedBytes
    this.usedBytes += bytes
    this.#pool.bound?.moved(this, before)
  }

  #fits(held: number, more: number): boolean {
    const { bound } = this.#pool
    const isRoom = held + more <= this.bytesMax && (bound === undefined || bound.hasRoom(this, held, more))
    this.lacksShared = !isRoom && held + more <= this.#ownBytesMax
    return isRoom
  }
}

/** The next power of two, but never over the budget when the bytes themselves are not. */
function arenaSize(bytes: number, bytesMax: number): number {
  let size = arenaBytesMin
  while (size < bytes) size *= 2
  return size > bytesMax && bytes <= bytesMax ? bytesMax : size
}
