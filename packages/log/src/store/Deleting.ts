/**
 * Writes that delete rows, and so free space, but need some themselves before they do: each changes a page for every few of its rows. On a volume that
 * is full the whole of one may not fit, and nothing else would ever free it. So less and less is deleted in one write, down to a single row.
 */
import type { GroupCommit, Work } from "./GroupCommit.ts"
import type { Store } from "./tables/Store.ts"

/** Most rows that one write deletes. */
const rowsPerWrite = 256

/** Pages that a row changes which is deleted, and those that what is put in place of it takes (`rowBytes` of compaction). */
const pagesOfRow = 1
const pagesOfPut = 2

/** A deletion: `run` is told how many rows it may delete. */
export interface Deletion<A> extends Pick<Work<A>, "done" | "failed"> {
  readonly run: (rowsMax: number) => A
  /** It also puts rows, which needs room for good: a single row is not tried where there is none. */
  readonly puts?: boolean
}

export class Deleting {
  readonly #store: Store
  readonly #commit: GroupCommit
  /** As many as the last write had room for, and then more again. */
  #rows = rowsPerWrite

  constructor(store: Store, commit: GroupCommit) {
    this.#store = store
    this.#commit = commit
  }

  push<A>({ run, done, failed, puts = false }: Deletion<A>): void {
    const rows = this.#rows
    this.#commit.push({
      wakes: "nobody",
      pages: rows === 1 && !puts ? 0 : rows * (pagesOfRow + (puts ? pagesOfPut : 0)),
      run: () => run(rows),
      done: (result) => {
        this.#rows = Math.min(rowsPerWrite, rows * 2)
        done(result)
      },
      failed: (fault, mayBeStored) => {
        if (fault.reason !== "Full" || rows === 1) return failed(fault, mayBeStored)
        this.#rows = Math.max(1, rows >> 2)
        // What earlier writes have left in the write-ahead log is room for the next one.
        this.#store.db.checkpoint()
        this.push({ run, done, failed, puts })
      }
    })
  }
}
