/**
 * What one batch is on disk: a header, columns, and the records' bytes as they stood in the arena they were encoded into.
 * Little endian throughout; every byte behind the checksum is under it, so a block says for itself whether it is whole and
 * where it belongs.
 *
 * ```
 * 0 crc32c of all that follows   4 format  6 flags   8 records  12 positions  16 partition  20 bytes  24 base
 * 32 first time  40 last time  48 stored at  56 origin  60 zero
 * 64 time f64 per record | offset u32 (flag 1: compacted) | headers at u32 | value at u32 | end u32 | flags u8 | bytes
 * ```
 */
import { crc32c, readHeaders, type RecordColumns } from "leat/record"
import type { ReceivedRecord } from "leat/transport"

/** Version of the layout; a reader refuses one that it does not know. */
const blockFormat = 1

const headerBytes = 64
const sparse = 1
const noKey = 1
const isNull = 2

/** Bytes per record beside its own: time, three offsets, flags; and one more offset in a compacted batch. */
const columnBytes = 21
const sparseColumnBytes = 25

/** Fields that the store gives a batch when it takes it. */
export interface Placement {
  readonly partition: number
  readonly base: number
  /** Positions that the batch covers: as many as records, until compaction takes some away. */
  readonly span: number
  readonly storedAtMs: number
}

/** A batch as bytes, and its columns as views of them. */
export class Block {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly count: number
  /** What the offsets count from. */
  readonly origin: number
  readonly timeMs: Float64Array
  readonly headersAt: Int32Array
  readonly valueAt: Int32Array
  readonly end: Int32Array
  readonly flags: Uint8Array
  /** The records' bytes. */
  readonly data: Uint8Array
  readonly #view: DataView
  readonly #offset: Int32Array | undefined

  /** Views of a block whose header is known to fit its length; `of` checks that. */
  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    const { buffer, byteOffset } = bytes
    this.bytes = bytes
    this.#view = new DataView(buffer, byteOffset, bytes.length)
    const isSparse = (this.#view.getUint16(6, true) & sparse) !== 0
    const count = this.#view.getUint32(8, true)
    this.count = count
    this.origin = this.#view.getUint32(56, true)
    let at = byteOffset + headerBytes
    const column = () => {
      const start = at
      at += count * 4
      return new Int32Array(buffer, start, count)
    }
    this.timeMs = new Float64Array(buffer, at, count)
    at += count * 8
    this.#offset = isSparse ? column() : undefined
    this.headersAt = column()
    this.valueAt = column()
    this.end = column()
    this.flags = new Uint8Array(buffer, at, count)
    this.data = new Uint8Array(buffer, at + count, this.#view.getUint32(20, true))
  }

  /** A new block of these columns; everything is copied once. Its place in a partition is still open. */
  static pack(columns: RecordColumns, offsets?: Int32Array): Block {
    const count = columns.end.length
    const perRecord = offsets === undefined ? columnBytes : sparseColumnBytes
    const bytes = new Uint8Array(headerBytes + count * perRecord + columns.bytes.length)
    const view = new DataView(bytes.buffer)
    view.setUint16(4, blockFormat, true)
    view.setUint16(6, offsets === undefined ? 0 : sparse, true)
    view.setUint32(8, count, true)
    view.setUint32(20, columns.bytes.length, true)
    view.setUint32(56, columns.origin, true)
    const block = new Block(bytes)
    block.timeMs.set(columns.timeMs)
    if (offsets !== undefined) block.#offset?.set(offsets)
    block.headersAt.set(columns.headersAt)
    block.valueAt.set(columns.valueAt)
    block.end.set(columns.end)
    block.flags.set(columns.flags)
    block.data.set(columns.bytes)
    return block
  }

  /** The block that stands in `bytes`; undefined when its lengths contradict each other, or its place is no position. The checksum is `isWhole`. */
  static of(bytes: Uint8Array<ArrayBuffer>): Block | undefined {
    if (bytes.length < headerBytes) return undefined
    // The columns need an aligned start, which SQLite's own buffers have and a slice may not.
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
    const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.length)
    if (view.getUint16(4, true) !== blockFormat || !Number.isSafeInteger(view.getFloat64(24, true))) return undefined
    const perRecord = (view.getUint16(6, true) & sparse) === 0 ? columnBytes : sparseColumnBytes
    const expected = headerBytes + view.getUint32(8, true) * perRecord + view.getUint32(20, true)
    return expected === aligned.length ? new Block(aligned) : undefined
  }

  /** Whether compaction has taken positions away. */
  get isSparse(): boolean {
    return this.#offset !== undefined
  }
  get partition(): number {
    return this.#view.getUint32(16, true)
  }
  get base(): number {
    return this.#view.getFloat64(24, true)
  }
  get span(): number {
    return this.#view.getUint32(12, true)
  }
  get firstTimeMs(): number {
    return this.#view.getFloat64(32, true)
  }
  get lastTimeMs(): number {
    return this.#view.getFloat64(40, true)
  }
  get storedAtMs(): number {
    return this.#view.getFloat64(48, true)
  }
  get crc(): number {
    return this.#view.getUint32(0, true)
  }

  /** Whether every byte is as it was sealed. */
  get isWhole(): boolean {
    return crc32c(this.bytes, 4) === this.crc
  }

  /** Gives the block its place, and the checksum over all of it. */
  seal({ partition, base, span, storedAtMs }: Placement): void {
    const view = this.#view
    let first = Number.POSITIVE_INFINITY
    let last = Number.NEGATIVE_INFINITY
    for (const timeMs of this.timeMs) {
      if (timeMs < first) first = timeMs
      if (timeMs > last) last = timeMs
    }
    view.setUint32(12, span, true)
    view.setUint32(16, partition, true)
    view.setFloat64(24, base, true)
    view.setFloat64(32, this.count === 0 ? 0 : first, true)
    view.setFloat64(40, this.count === 0 ? 0 : last, true)
    view.setFloat64(48, storedAtMs, true)
    view.setUint32(0, crc32c(this.bytes, 4), true)
  }

  /** Position of a record. */
  position(index: number): number {
    return this.base + (this.#offset === undefined ? index : (this.#offset[index] ?? 0))
  }

  /** First record at `position` or later; `count` when there is none. */
  indexAt(position: number): number {
    if (this.#offset === undefined) return Math.min(this.count, Math.max(0, position - this.base))
    let index = 0
    while (index < this.count && this.position(index) < position) index++
    return index
  }

  /** Bytes of key, headers and value together. */
  recordBytes(index: number): number {
    return (this.end[index] ?? 0) - this.#start(index)
  }

  /** Where the headers block of a record stands in `data`. */
  headersStart(index: number): number {
    return (this.headersAt[index] ?? 0) - this.origin
  }

  /** Key bytes, a view; null: no key. */
  key(index: number): Uint8Array | null {
    if (((this.flags[index] ?? 0) & noKey) !== 0) return null
    return this.data.subarray(this.#start(index) - this.origin, this.headersStart(index))
  }

  /** The record as readers get it; its bytes are views of this block, which nobody else uses. */
  record(index: number): ReceivedRecord {
    const end = (this.end[index] ?? 0) - this.origin
    const isTombstone = ((this.flags[index] ?? 0) & isNull) !== 0
    return {
      position: BigInt(this.position(index)),
      key: this.key(index),
      value: isTombstone ? null : this.data.subarray((this.valueAt[index] ?? 0) - this.origin, end),
      headers: readHeaders(this.data, this.headersStart(index)),
      timeMs: this.timeMs[index] ?? 0
    }
  }

  #start(index: number): number {
    return index === 0 ? this.origin : (this.end[index - 1] ?? 0)
  }
}

/** One block of the kept records of several, which follow each other: what compaction leaves, or a batch without its duplicates. */
export function mergeBlocks(
  blocks: ReadonlyArray<Block>,
  isKept: (block: Block, index: number) => boolean,
  base?: number
): Block {
  const kept = blocks.flatMap((block) =>
    Array.from({ length: block.count }, (_, index) => ({ block, index })).filter(({ index }) => isKept(block, index))
  )
  const bytes = new Uint8Array(kept.reduce((total, { block, index }) => total + block.recordBytes(index), 0))
  const column = () => new Int32Array(kept.length)
  const columns = { headersAt: column(), valueAt: column(), end: column() }
  const flags = new Uint8Array(kept.length)
  const timeMs = new Float64Array(kept.length)
  let at = 0
  for (const [into, { block, index }] of kept.entries()) {
    const end = (block.end[index] ?? 0) - block.origin
    const start = end - block.recordBytes(index)
    bytes.set(block.data.subarray(start, end), at)
    columns.headersAt[into] = block.headersStart(index) - start + at
    columns.valueAt[into] = (block.valueAt[index] ?? 0) - block.origin - start + at
    at += end - start
    columns.end[into] = at
    flags[into] = block.flags[index] ?? 0
    timeMs[into] = block.timeMs[index] ?? 0
  }
  const offsets =
    base === undefined ? undefined : Int32Array.from(kept, ({ block, index }) => block.position(index) - base)
  return Block.pack({ bytes, origin: 0, flags, timeMs, ...columns }, offsets)
}
