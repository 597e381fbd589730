import type { ReceivedBatch, ReceivedRecord } from "leat/transport"
import { Block } from "./Block.ts"
import type { Segment } from "./Message.ts"

/** Most that one batch gives: bounds what a reader holds, in records and bytes. */
const recordsMax = 500
const bytesMax = 1024 * 1024

/** A stretch of a partition as the batches that readers get. Records are views of blocks that nobody else uses. */
export function batchesOf(segment: Segment): ReadonlyArray<ReceivedBatch> {
  if (segment.kind === "gap") return [{ records: [], next: BigInt(segment.to), gap: segment.reason }]
  const block = Block.of(segment.bytes)
  // The worker has verified it; what arrives is what it had.
  if (block === undefined) return [{ records: [], next: BigInt(segment.to), gap: "corrupt" }]
  const batches: Array<ReceivedBatch> = []
  const end = block.indexAt(segment.to)
  let index = block.indexAt(segment.from)
  do {
    const records: Array<ReceivedRecord> = []
    for (let bytes = 0; index < end && records.length < recordsMax && bytes < bytesMax; index++) {
      bytes += block.recordBytes(index)
      records.push(block.record(index))
    }
    const next = BigInt(index < end ? block.position(index) : segment.to)
    batches.push(block.isSparse ? { records, next, gap: "compacted" } : { records, next })
  } while (index < end)
  return batches
}
