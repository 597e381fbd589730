/** Reads of a range of positions in whole blocks, without those that do not verify. On one snapshot of the log. */
import type { ReadResult, Segment } from "../Message.ts"
import type { BatchRow } from "./tables/Batches.ts"
import type { Store } from "./tables/Store.ts"

/** Bytes of one read; the last block may exceed them. */
const recordsMax = 500
const bytesMax = 1024 * 1024

/** The records in [from, to) of a partition, up to the size of one read; undefined if there are none yet. */
export function read(store: Store, partition: number, from: number, to: number): ReadResult | undefined {
  const head = store.heads.get(partition)
  const end = Math.min(to, head.end)
  if (from >= end) return undefined
  const segments: Array<Segment> = []
  let at = from
  if (at < head.start) {
    at = Math.min(head.start, end)
    segments.push({ kind: "gap", reason: "expired", from, to: at })
  }
  let bytes = 0
  let records = 0
  while (at < end && records < recordsMax && bytes < bytesMax) {
    const row = store.batches.next(partition, at, end)
    const base = Math.min(row?.base ?? end, end)
    if (base > at) {
      segments.push(lost(store, partition, at, base, "index"))
      at = base
      continue
    }
    if (row === undefined) break
    const last = Math.min(row.end, end)
    const block = store.batches.block(row)
    if (block === undefined) {
      store.quarantine.report({ partition, base: row.base, end: row.end, what: "block" })
      segments.push({ kind: "gap", reason: "corrupt", from: at, to: last })
    } else {
      segments.push({ kind: "block", bytes: block.bytes, from: at, to: last })
      bytes += block.bytes.length
      records += last - at
    }
    at = last
  }
  return { segments, next: at }
}

function lost(store: Store, partition: number, from: number, to: number, what: "index"): Segment {
  store.quarantine.report({ partition, base: from, end: to, what })
  return { kind: "gap", reason: "corrupt", from, to }
}

/** Position of the first record at `timeMs` or later; the end if there is none. Found by binary search. */
export function positionAt(store: Store, partition: number, timeMs: number): number {
  const { start, end, highMs } = store.heads.get(partition)
  if (start === end || highMs < timeMs) return end
  let low = start
  let high = end
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const row = store.batches.next(partition, middle, end)
    if (row === undefined) high = middle
    else if (row.highMs >= timeMs) high = Math.min(middle, Math.max(low, row.base))
    else low = row.end
  }
  // The running maximum may come from a deleted batch: then the first matching record is in a later batch.
  for (let row = store.batches.next(partition, low, end); row !== undefined;) {
    const position = row.lastMs < timeMs ? undefined : positionIn(store, row, timeMs, low)
    if (position !== undefined) return position
    row = row.end < end ? store.batches.next(partition, row.end, end) : undefined
  }
  return end
}

/** `from`: what a trim has deleted may stand before it in the same batch. */
function positionIn(store: Store, row: BatchRow, timeMs: number, from: number): number | undefined {
  const block = store.batches.block(row)
  if (block === undefined) return Math.max(row.base, from)
  const index = block.timeMs.findIndex((one, at) => one >= timeMs && block.position(at) >= from)
  return index < 0 ? undefined : block.position(index)
}
