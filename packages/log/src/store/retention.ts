import type { Head } from "./tables/Heads.ts"
import type { Store } from "./tables/Store.ts"
import type { Topic } from "./tables/Topics.ts"

/** Retention of topics without a setting of their own. */
export interface RetentionDefaults {
  readonly retentionMs: number | undefined
  readonly retentionBytes: number | undefined
}

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
