/** What is deleted from the start of a partition: by its retention, or because a reader asks for it. In writes of bounded size. */
import type { Head } from "./tables/Heads.ts"
import type { Store } from "./tables/Store.ts"
import type { RetentionDefaults, Topic } from "./tables/Topics.ts"

/** Most rows that one write deletes. */
export const retainedPerWrite = 256

/**
 * Deletes whole batches from the start of a partition: those older than the retention time, then the oldest beyond the retention bytes, at
 * most `rowsMax` of them. Inside a write; the caller saves the returned head.
 */
export function retain(
  store: Store,
  topic: Topic,
  head: Head,
  defaults: RetentionDefaults,
  nowMs: number,
  rowsMax: number
): Head {
  // A compacted topic has no retention, unless its own spec sets one.
  const retentionMs = topic.retentionMs ?? (topic.compacted ? undefined : defaults.retentionMs)
  const retentionBytes = topic.retentionBytes ?? (topic.compacted ? undefined : defaults.retentionBytes)
  if (retentionMs === undefined && (retentionBytes === undefined || head.bytes <= retentionBytes)) return head
  let { start, bytes } = head
  for (let rows = 0; rows < rowsMax && start < head.end; rows++) {
    const row = store.batches.next(head.partition, start, head.end)
    if (row === undefined) break
    const isOld = retentionMs !== undefined && row.storedMs < nowMs - retentionMs
    if (!isOld && (retentionBytes === undefined || bytes <= retentionBytes)) break
    store.batches.remove(row)
    start = row.end
    bytes = Math.max(0, bytes - row.length)
  }
  return start === head.start ? head : { ...head, start, bytes: start === head.end ? 0 : bytes }
}

/**
 * Deletes the batches before a position, inside a write. Returns the position for the next write, if batches are left for one. It is at most the
 * end of the first write: what is stored between two writes is kept.
 *
 * A batch that reaches past the position stays, and the head says that the partition starts inside of it. A head that no longer verifies is
 * rebuilt from its batches; the start is that of the batch then.
 */
export function trim(store: Store, partition: number, before: number): number | undefined {
  const head = store.heads.get(partition)
  const to = Math.min(before, head.end)
  let { start, bytes } = head
  for (let rows = 0; start < to && rows < retainedPerWrite; rows++) {
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
