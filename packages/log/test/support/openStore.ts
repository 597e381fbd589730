import { batchOf, type PlainRecord } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type ClockSource, machineClock } from "../../src/clock.js"
import { batchesOf } from "../../src/batchesOf.js"
import { Block } from "../../src/Block.js"
import { append, type AppendLimits } from "../../src/store/append.js"
import { pathsOf } from "../../src/store/tables/Directory.js"
import { read } from "../../src/store/read.js"
import { Store } from "../../src/store/tables/Store.js"
import type { ReceivedBatch } from "leat/transport"

export const noLimits: AppendLimits = { recordBytesMax: 2 ** 20, retentionBytes: undefined, retentionMs: undefined }

/** A store in this thread, without a worker: for what is decided inside it. */
export class OpenStore {
  readonly directory: string
  store: Store
  #isOpen = true

  readonly #clock: ClockSource

  constructor(directory = mkdtempSync(join(tmpdir(), "leat-store-")), clock = machineClock) {
    this.directory = directory
    this.#clock = clock
    this.store = new Store({ paths: pathsOf(directory), isReadOnly: false }, clock)
  }

  write<A>(work: (store: Store) => A): A {
    const { db } = this.store
    db.begin()
    try {
      this.store.refresh()
      const result = work(this.store)
      db.commit()
      return result
    } catch (error) {
      db.rollback()
      this.store.forget()
      throw error
    }
  }

  append(records: ReadonlyArray<PlainRecord>, limits = noLimits, topic = "t") {
    const { bytes } = Block.pack(batchOf(records).columns(0, records.length))
    return this.write((store) => append(store, limits, topic, 0, bytes))
  }

  /** Everything of a partition of the log from a position on. */
  read(from = 0, partition = 0): ReadonlyArray<ReceivedBatch> {
    return this.store.look(() => {
      const batches: Array<ReceivedBatch> = []
      for (let at = from; ;) {
        const found = read(this.store, partition, at, Number.MAX_SAFE_INTEGER)
        if (found === undefined) return batches
        batches.push(...batchesOf(found.segments))
        at = found.next
      }
    })
  }

  /** Closes the file, so that a test may change it. */
  close(): void {
    if (this.#isOpen) this.store.db.close()
    this.#isOpen = false
  }

  reopen(bytesMax?: number): this {
    this.close()
    this.store = new Store({ paths: pathsOf(this.directory), isReadOnly: false, bytesMax }, this.#clock)
    this.#isOpen = true
    return this
  }

  [Symbol.dispose](): void {
    this.close()
    rmSync(this.directory, { recursive: true })
  }
}

/** A store with the topic `t` of one partition. */
export function storeWithTopic(compacted = false, clock = machineClock): OpenStore {
  const open = new OpenStore(undefined, clock)
  open.write((store) => store.topics.create({ topic: "t", partitions: 1, compacted }))
  return open
}
