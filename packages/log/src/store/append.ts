import { Block, mergeBlocks } from "../Block.ts"
import { Refusal } from "../Fault.ts"
import type { AppendResult } from "../Message.ts"
import { retain } from "./retention.ts"
import type { Store } from "./tables/Store.ts"
import type { RetentionDefaults } from "./tables/Topics.ts"

export interface AppendLimits extends RetentionDefaults {
  readonly recordBytesMax: number
}

/** Largest batch in bytes, far under SQLite's limit for one value. */
const batchBytesMax = 512 * 1024 * 1024

/**
 * Most rows that one append deletes; the next append and the maintenance pass delete the rest. Where space is short it is two: each changes a page,
 * and what an append deletes must not be why there is no room for it.
 */
const retainedPerAppend = 64
const retainedWhereShort = 2

/** Most pages of event ids that an append changes, nearly always: those of a stream with events in all buckets. */
const idPagesMax = 64

/** Pages that the event ids of a batch may lie on. */
export function pagesOfIds(bytes: Uint8Array<ArrayBuffer>): number {
  return Math.min(Block.of(bytes)?.count ?? 0, idPagesMax)
}

/** Appends a batch to a partition, without duplicates. Inside a write. */
export function append(
  store: Store,
  limits: AppendLimits,
  topicName: string,
  number: number,
  bytes: Uint8Array<ArrayBuffer>
): AppendResult {
  const topic = store.topics.get(topicName)
  const partition = store.topics.partitionOf(topic, number)
  const sent = Block.of(bytes)
  if (sent === undefined) throw new Refusal("Rejected", "a batch whose columns do not fit its bytes")
  refuseLarge(sent, limits)
  // All refusals come before the first write: an id must not be added for a record that is not stored.
  const head = store.heads.get(partition)
  const stored = store.ages.stamp()
  const duplicates = store.ids.take(partition, sent, stored)
  if (duplicates?.size === sent.count) return { base: head.end, duplicates: [...duplicates] }
  const block = duplicates === undefined ? sent : mergeBlocks([sent], (_, index) => !duplicates.has(index))
  const { count } = block
  const base = head.end
  block.seal({ partition, base, span: count, storedAtMs: stored.ms })
  const { firstTimeMs, lastTimeMs } = block
  const id = store.heads.takeId()
  const highMs = base === 0 ? lastTimeMs : Math.max(head.highMs, lastTimeMs)
  const length = block.bytes.length
  store.batches.put(
    { partition, base, end: base + count, firstMs: firstTimeMs, lastMs: lastTimeMs, highMs, stored, length, id },
    block
  )
  const appended = { ...head, end: base + count, bytes: head.bytes + length, highMs, lastId: id }
  const rowsMax = store.room.isShort ? retainedWhereShort : retainedPerAppend
  store.heads.save(retain(store, topic, appended, limits, rowsMax))
  return { base, duplicates: duplicates === undefined ? [] : [...duplicates] }
}

function refuseLarge(block: Block, { recordBytesMax }: AppendLimits): void {
  if (block.bytes.length > batchBytesMax)
    throw new Refusal("TooLarge", `a batch of ${block.bytes.length} bytes; the limit is ${batchBytesMax}`)
  for (let index = 0; index < block.count; index++) {
    const bytes = block.recordBytes(index)
    if (bytes > recordBytesMax)
      throw new Refusal("TooLarge", `a record of ${bytes} bytes; the limit is ${recordBytesMax} (recordBytesMax)`)
  }
}
