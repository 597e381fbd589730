import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Queued } from "./Span.ts"

/**
 * All batches of a sink that hold records, in the order in which they were begun. A list that runs through the batches themselves: of ten
 * thousand sinks each has one batch at a time, and a map for each would cost more than the batch.
 */
export class Backlog {
  #oldest: Queued | undefined
  #newest: Queued | undefined

  /** The batch was begun. */
  add(queued: Queued): void {
    const newest = this.#newest
    queued.older = newest
    if (newest === undefined) this.#oldest = queued
    else newest.newer = queued
    this.#newest = queued
  }

  /** The batch was begun before all others, in another place. */
  addOldest(queued: Queued): void {
    const oldest = this.#oldest
    queued.newer = oldest
    if (oldest === undefined) this.#newest = queued
    else oldest.older = queued
    this.#oldest = queued
  }

  /** Nothing of the batch is left. */
  remove(queued: Queued): void {
    const { older, newer } = queued
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    queued.older = undefined
    queued.newer = undefined
  }

  /** Drops the oldest batch that may be dropped, but not `kept`; returns whether there was one. */
  dropOldest(reason: string, kept?: RecordBatch): boolean {
    for (let one = this.#oldest; one !== undefined; one = one.newer)
      if (one.batch !== kept && one.isDroppable) return one.owner.dropBatch(one, reason) > 0
    return false
  }

  /** Calls `take` for what may be dropped, oldest first and without `kept`, until it says that it has enough; returns whether it did. */
  findDroppable(take: (bytes: number) => boolean, kept?: RecordBatch): boolean {
    for (let one = this.#oldest; one !== undefined; one = one.newer)
      if (one.batch !== kept && one.isDroppable && take(one.batch.arena.length)) return true
    return false
  }
}
