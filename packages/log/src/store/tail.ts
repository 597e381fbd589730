/**
 * Commits that were announced and are not there: the write-ahead log was cut, or damaged, and SQLite takes what is left of it for
 * all there was. What is missing cannot be brought back here; but it is reported, the file is kept, and no position is given twice.
 */
import { copyFileSync, existsSync } from "node:fs"
import type { LogPaths } from "./tables/Directory.ts"
import type { Store } from "./tables/Store.ts"
import type { Reach } from "./tables/WakeFile.ts"

/** How many positions are missing; 0 when the log reaches as far as was announced. */
export function missingPositions(store: Store, announced: Reach | undefined): number {
  if (announced === undefined) return 0
  const reached = store.look(() => store.heads.reach())
  return announced.lastId > reached.lastId ? Math.max(1, announced.positions - reached.positions) : 0
}

/** Keeps the write-ahead log as it is now: whoever wants to salvage what is in it must do so before it is written over. */
export function keepWriteAheadLog({ database }: LogPaths, nowMs: number): void {
  const wal = `${database}-wal`
  if (existsSync(wal)) copyFileSync(wal, `${database}-damaged-${nowMs}.wal`)
}

/** Leaves as many positions of every partition out as are missing in all together. Inside a write. */
export function stepOver(store: Store, missing: number): void {
  for (const topic of store.topics.all) {
    for (let number = 0; number < topic.partitions; number++) {
      const head = store.heads.get(topic.firstPartition + number)
      store.heads.save({ ...head, end: head.end + missing })
    }
  }
}
