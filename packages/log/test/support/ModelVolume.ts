import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Store } from "../../src/store/tables/Store.js"

const blockBytes = 4096

/** A volume of a test's own size around the directory of a log, as far as the log asks for it: what stands there is taken from it. */
export class ModelVolume {
  readonly #directory: string
  readonly #totalBytes: number
  /** What other programs have on it. */
  foreignBytes = 0

  constructor(directory: string, totalBytes: number) {
    this.#directory = directory
    this.#totalBytes = totalBytes
  }

  /** Less than nothing where a real volume had refused what was written. */
  get freeBytes(): number {
    let used = this.foreignBytes
    for (const name of readdirSync(this.#directory)) {
      const { size } = statSync(join(this.#directory, name))
      used += Math.ceil(size / blockBytes) * blockBytes
    }
    return this.#totalBytes - used
  }

  /** By how much the next checkpoint lets the database grow. */
  unwrittenBytes({ db }: Store): number {
    const pages = Number(db.prepare("PRAGMA page_count").get()?.["page_count"])
    return Math.max(0, pages * blockBytes - statSync(db.paths.database).size)
  }

  /** The log believes that it stands on it, and no checkpoint is possible for which there is no room. */
  put(store: Store): void {
    const { db, room } = store
    room.volume = () => ({ freeBytes: Math.max(0, this.freeBytes), totalBytes: this.#totalBytes })
    const checkpoint = db.checkpoint.bind(db)
    db.checkpoint = (mode) => {
      if (this.unwrittenBytes(store) <= Math.max(0, this.freeBytes)) checkpoint(mode)
    }
  }
}
