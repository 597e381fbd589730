/** What is deleted from the start of a partition: by its retention, or because a reader asks for it. In writes of bounded size. */
import type { BatchRow } from "./tables/Batches.ts"
import type { Head } from "./tables/Heads.ts"
import type { Store } from "./tables/Store.ts"
import type { RetentionDefaults, Topic } from "./tables/Topics.ts"

/**
 * Deletes whole batches from the start of a partition: those older than the retention time, then the oldest beyond the retention bytes, at
 * most `rowsMax` of them, and never the newest for its size. Inside a write; the caller saves the returned head. A batch of unknown age is at least as old as those behind it.
 */
export function retain(store: Store, topic: Topic, head: Head, defaults: RetentionDefaults, rowsMax: number): Head {
  // A compacted topic has no retention, unless its own spec sets one.
  const retentionMs = topic.retentionMs ?? (topic.compacted ? undefined : defaults.retentionMs)
  const retentionBytes = topic.retentionBytes ?? (topic.compacted ? undefined : defaults.retentionBytes)
  if (retentionMs === undefined && (retentionBytes === undefined || head.bytes <= retentionBytes)) return head
  let { start, bytes } = head
  const ageOf = retentionMs === undefined ? undefined : store.ages.ageOf
  const doubtful: Array<BatchRow> = []
  for (let rows = 0, at = start; rows < rowsMax && at < head.end; rows++) {
    const row = store.batches.next(head.partition, at, head.end)
    if (row === undefined) break
    at = row.end
    const ageMs = ageOf === undefined ? 0 : ageOf(row.stored)
    doubtful.push(row)
    // The newest stays, however large it is: what was told to be stored would be gone before anybody can read it.
    const isTooMuch = retentionBytes !== undefined && bytes > retentionBytes && row.end < head.end
    if (ageMs === undefined && !isTooMuch) continue
    if ((ageMs ?? 0) <= (retentionMs ?? Number.POSITIVE_INFINITY) && !isTooMuch) break
    for (const one of doubtful.splice(0)) {
      store.batches.remove(one)
      start = one.end
      bytes = Math.max(0, bytes - one.length)
    }
  }
  return start === head.start ? head : { ...head, start, bytes: start === head.end ? 0 : bytes }
}

/**
 * Deletes the batches before a position, at most `rowsMax` of them, inside a write. Returns the position for the next write, if batches are left for one. It is at most the
 * end of the first write: what is stored between two writes is kept.
 *
 * A batch that reaches past the position stays, and the head says that the partition starts inside of it. A head that no longer verifies is
 * rebuilt from its batches; the start is that of the batch then.
 */
export function trim(store: Store, partition: number, before: number, rowsMax: number): number | undefined {
  const head = store.heads.get(partition)
  const to = Math.min(before, head.end)
  let { start, bytes } = head
  for (let rows = 0; start < to && rows < rowsMax; rows++) {
    const row = store.batches.next(partition, start, head.end)
    if (row === undefined || row.end > to) start = to
    else {
      store.batches.remove(row)
      start = row.end
      bytes = Math.max(0, bytes - row.length)
    }
  }
  if (start === head.start) return undefined
  store.heads.save({ ...head, start, bytes: start === head.end ? 0 : bytes })
  return start < to ? to : undefined
}
