/**
 * Compaction of one partition, in steps: first find the last position of each key, then rewrite batches without superseded records, a few
 * at a time. Tombstones stay, for readers that begin at the start.
 */
import { Buffer } from "node:buffer"
import { type Block, mergeBlocks } from "../Block.ts"
import { monotonicMs } from "../clock.ts"
import type { Stamp } from "./tables/AgeClock.ts"
import type { BatchRow } from "./tables/Batches.ts"
import type { Store } from "./tables/Store.ts"

/** Most keys of one pass: bounds its memory. The next pass does the rest. */
const keysMax = 500_000

/** Most bytes of one step: bounds the wait of appends for it. */
const stepBytes = 2 * 1024 * 1024

/** Bytes for each batch that one step may rewrite: as many as are deleted in one write are such a step. */
const rowBytes = 8 * 1024

/** Small batches are merged up to about this many bytes. */
const mergedBytes = 256 * 1024

/** The survey of a pass: the last position of each key before `end`. */
export interface Survey {
  readonly last: Map<string, number>
  /** Everything before it is surveyed. */
  end: number
  /** A batch stays as it is, because there was no room for what is left of it: the partition is not clean then. */
  isLeft?: boolean
}

/** Continues the survey; returns false at its end, or at its limit of keys. */
export function survey(store: Store, partition: number, known: Survey): boolean {
  const { end } = store.heads.get(partition)
  for (let bytes = 0; bytes < stepBytes;) {
    if (known.end >= end || known.last.size >= keysMax) return false
    const row = store.batches.next(partition, known.end, end)
    if (row === undefined) {
      known.end = end
      return false
    }
    const block = store.batches.block(row)
    known.end = row.end
    bytes += row.length
    for (let index = 0; index < (block?.count ?? 0); index++) {
      const key = block?.key(index) ?? null
      if (block !== undefined && key !== null) known.last.set(keyText(key), block.position(index))
    }
  }
  return true
}

/**
 * Rewrites some batches from `from` on, inside a write: about `rowsMax` of them, for a volume may have no room for more. Returns the next position;
 * undefined at the end.
 */
export function rewrite(
  store: Store,
  partition: number,
  known: Survey,
  from: number,
  rowsMax: number
): number | undefined {
  const { start, end } = store.heads.get(partition)
  let at = Math.max(start, from)
  for (let bytes = 0; bytes < Math.min(stepBytes, rowsMax * rowBytes) && at < known.end;) {
    const group = gather(store, partition, at, Math.min(end, known.end), rowsMax)
    if (group === undefined) return undefined
    if (group.batches.length > 0 && !replace(store, partition, known, group.batches)) known.isLeft = true
    bytes += group.bytes
    at = group.next
  }
  return at < known.end ? at : undefined
}

/** Marks the surveyed positions as clean, inside a write, unless superseded records are left there. */
export function finish(store: Store, partition: number, known: Survey): void {
  if (known.isLeft === true) return
  const head = store.heads.get(partition)
  store.heads.save({ ...head, cleaned: Math.max(head.cleaned, Math.min(known.end, head.end)) })
}

/** Where the log is nearly full, this part of what stands in a partition is worth a pass; less than it, a pass now and then, in milliseconds. */
const shortShare = 1 / 8
const shortPauseMs = 60_000
/** There, the pause between two passes as a multiple of what the last one took: passes that gain little must not take the process's time. */
const pausePerPass = 20

/** What a partition had at its last pass: from where, up to where, and how many bytes stood there. */
interface Cleaned {
  readonly start: number
  readonly position: number
  readonly bytes: number
}

/** The last pass that this process knows of. */
interface Pass {
  readonly endedAtMs: number
  readonly tookMs: number
}

/**
 * Which partitions are worth a pass: half of what stands there has come since the last one. By bytes and not by positions, which say what was ever
 * written: a partition of few keys would be due when that has doubled. Where the log is nearly full, anything is worth one: who keeps more than half of
 * what fits alive would be full for good otherwise. But a log that is full of live values is not rewritten all the time.
 */
export class Dirt {
  readonly #store: Store
  readonly #nowMs: () => number
  readonly #cleaned = new Map<number, Cleaned>()
  readonly #passes = new Map<number, Pass>()
  readonly #openedAtMs: number

  constructor(store: Store, nowMs = monotonicMs) {
    this.#store = store
    this.#nowMs = nowMs
    this.#openedAtMs = nowMs()
  }

  isDue(partition: number, isNearlyFull: boolean): boolean {
    const { start, bytes, end, cleaned } = this.#store.heads.get(partition)
    if (end <= cleaned) return false
    const found = this.#cleaned.get(partition)
    // Summed once for each pass, whichever process has made it; and again where retention or a trim has taken some away.
    const isSame = found?.position === cleaned && found.start === start
    const known = isSame ? found : this.#look(partition, start, cleaned, bytes)
    const dirty = bytes - Math.min(known.bytes, bytes)
    if (!isNearlyFull) return dirty * 2 >= bytes
    if (dirty === 0) return false
    const { endedAtMs, tookMs } = this.#passes.get(partition) ?? { endedAtMs: this.#openedAtMs, tookMs: 0 }
    const sinceMs = this.#nowMs() - endedAtMs
    return sinceMs >= tookMs * pausePerPass && (dirty >= bytes * shortShare || sinceMs >= shortPauseMs)
  }

  /** A pass over a partition has ended. */
  passed(partition: number, tookMs: number): void {
    this.#passes.set(partition, { endedAtMs: this.#nowMs(), tookMs })
  }

  #look(partition: number, start: number, position: number, bytes: number): Cleaned {
    const since = this.#store.batches.bytesFrom(partition, position) ?? bytes
    const known = { start, position, bytes: Math.max(0, bytes - since) }
    this.#cleaned.set(partition, known)
    return known
  }
}

interface Batch {
  readonly row: BatchRow
  readonly block: Block
}

/** Adjacent batches; an unreadable one is skipped and stays. */
function gather(store: Store, partition: number, from: number, end: number, rowsMax: number) {
  const batches: Array<Batch> = []
  let bytes = 0
  let next = from
  while (bytes < Math.min(mergedBytes, rowsMax * rowBytes) && batches.length < rowsMax) {
    const row = next < end ? store.batches.next(partition, next, end) : undefined
    if (row === undefined) return batches.length === 0 ? undefined : { batches, bytes, next }
    const block = store.batches.block(row)
    const follows = batches.length === 0 || row.base === next
    if (!follows) break
    next = row.end
    if (block === undefined) break
    batches.push({ row, block })
    bytes += row.length
  }
  return { batches, bytes, next }
}

/** Returns false where there is no room for it. */
function replace(store: Store, partition: number, { last }: Survey, batches: ReadonlyArray<Batch>): boolean {
  const isKept = (block: Block, index: number) => {
    const key = block.key(index)
    return key === null || (last.get(keyText(key)) ?? -1) <= block.position(index)
  }
  const first = batches[0]?.row
  const final = batches.at(-1)?.row
  if (first === undefined || final === undefined) return true
  const records = batches.reduce((total, { block }) => total + block.count, 0)
  const merged = mergeBlocks(
    batches.map(({ block }) => block),
    isKept,
    first.base
  )
  // Small batches are merged; a large one that loses nothing is not rewritten.
  if (merged.count === records && batches.length < 8) return true
  if (!store.room.fits(merged.bytes.length)) return false
  const stored = youngestOf(store, final, batches)
  merged.seal({ partition, base: first.base, span: final.end - first.base, storedAtMs: stored.ms })
  for (const { row } of batches) store.batches.remove(row)
  const id = store.heads.takeId()
  store.batches.put(
    {
      partition,
      base: first.base,
      end: final.end,
      firstMs: merged.firstTimeMs,
      lastMs: merged.lastTimeMs,
      highMs: final.highMs,
      stored,
      length: merged.bytes.length,
      id
    },
    merged
  )
  const head = store.heads.get(partition)
  const before = batches.reduce((total, { row }) => total + row.length, 0)
  store.heads.save({ ...head, bytes: head.bytes - before + merged.bytes.length, lastId: Math.max(head.lastId, id) })
  return true
}

/** Of all that are merged, so that nothing is deleted before its time. */
function youngestOf({ ages }: Store, final: BatchRow, batches: ReadonlyArray<Batch>): Stamp {
  const { ageOf } = ages
  let { stored } = final
  let youngestMs = ageOf(stored) ?? 0
  for (const { row } of batches) {
    const ageMs = ageOf(row.stored) ?? 0
    if (ageMs >= youngestMs) continue
    stored = row.stored
    youngestMs = ageMs
  }
  return stored
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1")
}
