/**
 * Periodic maintenance, by one process at a time: retention of partitions without appends and of event ids, and compaction. The process holds a row with a
 * heartbeat; if the heartbeat stops, another process takes over.
 */
import type { Answer } from "./groups/Holding.ts"
import { monotonicMs } from "../clock.ts"
import { Beats } from "./groups/Beats.ts"
import { Dirt, finish, rewrite, survey, type Survey } from "./compaction.ts"
import type { Deleting } from "./Deleting.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import { retain } from "./retention.ts"
import type { Store } from "./tables/Store.ts"
import type { RetentionDefaults, Topic } from "./tables/Topics.ts"

/** Interval of the passes, in milliseconds. */
const everyMs = 5000

export interface MaintenanceOptions extends RetentionDefaults {
  readonly owner: string
  readonly leaseMs: number
  /** How long the event ids of an incarnation are kept after its last append, in milliseconds. */
  readonly idsMs: number
}

export class Maintenance {
  readonly #store: Store
  readonly #commit: GroupCommit
  readonly #deleting: Deleting
  readonly #options: MaintenanceOptions
  readonly #beats = new Beats()
  readonly #dirt
  readonly #get
  readonly #put
  readonly #remove
  readonly #timer: NodeJS.Timeout
  #isRunning = false
  #isClosed = false

  constructor(store: Store, commit: GroupCommit, deleting: Deleting, options: MaintenanceOptions) {
    this.#store = store
    this.#commit = commit
    this.#deleting = deleting
    this.#dirt = new Dirt(store)
    this.#options = options
    this.#get = store.db.prepare("SELECT owner, beat FROM owner WHERE task = 'maintenance'")
    this.#put = store.db.prepare("INSERT OR REPLACE INTO owner VALUES ('maintenance', ?, ?)")
    this.#remove = store.db.prepare("DELETE FROM owner WHERE task = 'maintenance' AND owner = ?")
    this.#timer = setInterval(() => void this.#pass(), everyMs)
  }

  /** Compacts every compacted topic now, whichever process holds the row: each step is a write of its own, so two passes do no harm. */
  compact(answer: Answer<null>): void {
    this.#compactAll(() => true).then(
      () => answer.done(null),
      (error: unknown) => answer.failed({ reason: "Unavailable", detail: String(error) }, false)
    )
  }

  /** Starts no more passes; releases the row. */
  close(): void {
    clearInterval(this.#timer)
    this.#isClosed = true
    this.#commit.push({
      wakes: "nobody",
      run: () => this.#remove.run(this.#options.owner),
      done: () => undefined,
      failed: () => undefined
    })
  }

  async #pass(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      this.#store.room.keep()
      if (!this.#hasWork() || !(await this.#write(() => this.#claim()))) return
      const retained = this.#store.topics.all.flatMap((topic) =>
        partitionsOf(topic).map((one) => [topic, one] as const)
      )
      await each(retained, ([topic, partition]) => this.#retain(topic, partition)).catch(() => undefined)
      await this.#forgetAllIds()
      const { room } = this.#store
      const isNearlyFull = room.wasRefused || room.isNearlyFull()
      room.wasRefused = false
      await this.#compactAll((partition) => this.#dirt.isDue(partition, isNearlyFull))
    } catch {
      // Damage, or a full or busy volume: sends and reads report it. The next pass retries.
    } finally {
      this.#isRunning = false
    }
  }

  /** Whether any topic has retention or compaction, or there are ids to delete; without any of it, maintenance never writes. */
  #hasWork(): boolean {
    const { retentionBytes, retentionMs, idsMs } = this.#options
    const { ids } = this.#store
    return this.#store.look(
      () =>
        ids.hasOld(idsMs) ||
        retentionBytes !== undefined ||
        retentionMs !== undefined ||
        this.#store.topics.all.some(
          ({ compacted, retentionBytes: bytes = Infinity, retentionMs: ms = Infinity }) =>
            compacted || Number.isFinite(bytes) || Number.isFinite(ms)
        )
    )
  }

  #claim(): boolean {
    const { owner, leaseMs } = this.#options
    const row = this.#get.get()
    const holder = row?.["owner"]
    const beat = Number(row?.["beat"] ?? 0)
    const isFree =
      row === undefined || holder === owner || this.#beats.isStill(String(holder), beat, Math.max(leaseMs, 2 * everyMs))
    if (isFree) this.#put.run(owner, beat + 1)
    // A log that nobody appends to learns of its clocks here.
    if (isFree) this.#store.ages.stamp()
    return isFree
  }

  async #retain(topic: Topic, partition: number): Promise<void> {
    for (let isMore = true; isMore && !this.#isClosed;) {
      isMore = await this.#delete((rowsMax) => {
        const head = this.#store.heads.get(partition)
        const after = retain(this.#store, topic, head, this.#options, rowsMax)
        if (after !== head) this.#store.heads.save(after)
        return after !== head
      })
    }
  }

  /** Ids on a damaged page stay, and must not keep the pass from what comes after them. */
  async #forgetAllIds(): Promise<void> {
    try {
      while (!this.#isClosed && (await this.#delete((rowsMax) => this.#forgetIds(rowsMax))));
    } catch {
      // The next pass retries.
    }
  }

  #forgetIds(rowsMax: number): boolean {
    const { ids, topics } = this.#store
    const partitions = topics.all.flatMap(partitionsOf)
    return ids.forgetOld(partitions, this.#options.idsMs, rowsMax)
  }

  async #compactAll(isDue: (partition: number) => boolean): Promise<void> {
    const partitions = this.#store.look(() =>
      this.#store.topics.all
        .filter(({ compacted }) => compacted)
        .flatMap(partitionsOf)
        .filter(isDue)
    )
    await each(partitions, (partition) => this.#compactOne(partition))
  }

  async #compactOne(partition: number): Promise<void> {
    const startMs = monotonicMs()
    try {
      await this.#rewriteAll(partition)
    } finally {
      this.#dirt.passed(partition, monotonicMs() - startMs)
    }
  }

  async #rewriteAll(partition: number): Promise<void> {
    const known = this.#store.look((): Survey => {
      const { start, cleaned } = this.#store.heads.get(partition)
      return { last: new Map(), end: Math.max(start, cleaned) }
    })
    while (!this.#isClosed && this.#store.look(() => survey(this.#store, partition, known))) await turn()
    for (let at: number | undefined = 0; at !== undefined && !this.#isClosed;) {
      const from: number = at
      at = await this.#rewrite((rowsMax) => rewrite(this.#store, partition, known, from, rowsMax))
    }
    if (!this.#isClosed) await this.#write(() => finish(this.#store, partition, known))
  }

  #delete<A>(run: (rowsMax: number) => A, puts = false): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#deleting.push({ run, puts, done: resolve, failed: ({ detail }) => reject(new Error(detail)) })
    })
  }

  /** What is left of the rows is put elsewhere before the pages of the old ones are free. */
  #rewrite<A>(run: (rowsMax: number) => A): Promise<A> {
    return this.#delete(run, true)
  }

  #write<A>(run: () => A): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#commit.push({
        wakes: "nobody",
        run,
        done: resolve,
        failed: ({ detail }) => reject(new Error(detail))
      })
    })
  }
}

function partitionsOf({ firstPartition, partitions }: Topic): ReadonlyArray<number> {
  return Array.from({ length: partitions }, (_, number) => firstPartition + number)
}

/** One after the other; one that fails, for damage or for want of room, keeps no other from its turn. Fails as the first that did. */
async function each<A>(all: ReadonlyArray<A>, work: (one: A) => Promise<void>): Promise<void> {
  const errors: Array<unknown> = []
  for (const one of all) await work(one).catch((error: unknown) => void errors.push(error))
  if (errors.length > 0) throw errors[0]
}

/** Yields to waiting work. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
