import type { ReceivedBatch, ReceivedRecord } from "leat/transport"
import { Block } from "./Block.ts"
import type { Segment } from "./Message.ts"

/** Most that one batch gives: bounds what a reader holds, in records and bytes. */
const recordsMax = 500
const bytesMax = 1024 * 1024

/**
 * Stretches of a partition that follow each other, as the batches that readers get: small ones together, large ones in parts, and
 * what is missing by itself. A block is opened when it is its turn; records are views of blocks that nobody else uses.
 */
export function* batchesOf(segments: Iterable<Segment>): Generator<ReceivedBatch, void> {
  let records: Array<ReceivedRecord> = []
  let bytes = 0
  let next = 0
  const taken = (position: number, isSparse: boolean): ReceivedBatch => {
    const batch = { records, next: BigInt(position) }
    records = []
    bytes = 0
    return isSparse ? { ...batch, gap: "compacted" } : batch
  }
  for (const segment of segments) {
    // The worker has verified it; what arrives is what it had.
    const block = segment.kind === "block" ? Block.of(segment.bytes) : undefined
    if ((block === undefined || block.isSparse) && records.length > 0) yield taken(next, false)
    next = segment.to
    if (block === undefined) {
      yield { records: [], next: BigInt(next), gap: segment.kind === "gap" ? segment.reason : "corrupt" }
      continue
    }
    const end = block.indexAt(segment.to)
    for (let index = block.indexAt(segment.from); index < end; index++) {
      if (records.length >= recordsMax || bytes >= bytesMax) yield taken(block.position(index), block.isSparse)
      bytes += block.recordBytes(index)
      records.push(block.record(index))
    }
    if (block.isSparse) yield taken(next, true)
  }
  if (records.length > 0) yield taken(next, false)
}
