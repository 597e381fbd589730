/**
 * Announced commits that are missing: the write-ahead log was truncated or damaged, and SQLite takes the rest for the whole. The loss
 * cannot be undone here; it is reported, the file is kept, and no position is assigned twice.
 */
import { copyFileSync, existsSync } from "node:fs"
import type { LogPaths } from "./tables/Directory.ts"
import type { Store } from "./tables/Store.ts"
import type { Reach } from "./tables/WakeFile.ts"

/** Number of missing positions; 0 if the log reaches as far as announced. */
export function missingPositions(store: Store, announced: Reach | undefined): number {
  if (announced === undefined) return 0
  const reached = store.look(() => store.heads.reach())
  return announced.lastId > reached.lastId ? Math.max(1, announced.positions - reached.positions) : 0
}

/** Copies the write-ahead log before it is overwritten, so that its records can be salvaged. */
export function keepWriteAheadLog({ database }: LogPaths, nowMs: number): void {
  const wal = `${database}-wal`
  if (existsSync(wal)) copyFileSync(wal, `${database}-damaged-${nowMs}.wal`)
}

/** Skips in every partition as many positions as are missing in total. Inside a write. */
export function stepOver(store: Store, missing: number): void {
  for (const topic of store.topics.all) {
    for (let number = 0; number < topic.partitions; number++) {
      const head = store.heads.get(topic.firstPartition + number)
      store.heads.save({ ...head, end: head.end + missing })
    }
  }
}
