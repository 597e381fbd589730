/**
 * Group commit: all waiting works share one transaction, and are answered once it is on disk. One queue, in order: when a work is answered,
 * every earlier one is in the log or has failed for good.
 */
import { type Fault, faultOf, isBusy, isGlobal, Refusal, sqliteCode } from "../Fault.ts"
import { monotonicMs } from "../clock.ts"
import type { Need } from "./tables/Room.ts"
import type { Store } from "./tables/Store.ts"

export interface Work<A> {
  /** Deadline by `monotonicMs`; after it the work must not run. */
  readonly deadlineMs?: number
  /** Estimate of the bytes that it writes. */
  readonly bytes?: number
  /** Pages of rows that it deletes or rewrites; it is refused where there is no room for them. */
  readonly pages?: number
  /** Processes to wake: readers of records, members of groups, or none. */
  readonly wakes: Wakes
  /** While another process holds the log, this thread goes on instead of waiting: for works that nobody waits for. Default: false. */
  readonly isPatient?: boolean
  /** Runs inside the transaction. A `Refusal` must come before the first write. */
  readonly run: () => A
  /** It is on disk. */
  readonly done: (result: A) => void
  readonly failed: (fault: Fault, mayBeStored: boolean) => void
}

export type Wakes = "readers" | "groups" | "nobody"

/** Hooks of a commit, beside its answers. */
export interface AroundAnswers {
  /** The transaction is on disk, and no work is answered yet. */
  readonly before: (wakes: ReadonlySet<Wakes>) => void
  readonly after: (wakes: ReadonlySet<Wakes>) => void
}

interface Job {
  readonly deadlineMs: number
  readonly bytes: number
  readonly pages: number
  readonly wakes: Wakes
  readonly isPatient: boolean
  readonly pushedAtMs: number
  /** Whoever waits for it has been told. */
  readonly isTold: () => boolean
  /** Does the work; what it returns tells of it. */
  readonly run: () => () => void
  readonly failed: (fault: Fault, mayBeStored: boolean) => void
}

/** Limits of one transaction: they bound the wait of its first work for the last. */
const groupBytesMax = 16 * 1024 * 1024
const groupJobsMax = 4096

/** Pause between two tries of patient works, and how old they become before the thread waits for them after all, in milliseconds. */
const retryMs = 1
const patienceMs = 100

/** Longest wait of a work without a deadline for other processes, in milliseconds. */
const busyMsMax = 30_000

export class GroupCommit {
  readonly #store: Store
  readonly #answers: AroundAnswers
  #queue: Array<Job> = []
  #isScheduled = false
  /** The last begin was that of patient works, and another process held the log. */
  #isRefused = false
  #retry: NodeJS.Timeout | undefined
  #isDraining = false
  /** A commit failed, and a recovery may still find it: another commit must overwrite it before a fence can hold. */
  #isUnclear = false

  constructor(store: Store, answers: AroundAnswers) {
    this.#store = store
    this.#answers = answers
  }

  push<A>({ run, done, failed, wakes, ...more }: Work<A>): void {
    const { deadlineMs = Number.POSITIVE_INFINITY, bytes = 0, pages = 0, isPatient = false } = more
    let isTold = false
    const once = (tell: () => void) => {
      if (isTold) return
      isTold = true
      tell()
    }
    this.#queue.push({
      deadlineMs,
      bytes,
      pages,
      wakes,
      isPatient,
      pushedAtMs: monotonicMs(),
      isTold: () => isTold,
      run: () => {
        const result = run()
        return () => once(() => done(result))
      },
      failed: (fault, mayBeStored) =>
        once(() => {
          this.#store.room.wasRefused ||= bytes > 0 && fault.reason === "Full"
          failed(fault, mayBeStored)
        })
    })
    if (!isPatient) this.#hurry()
    this.#schedule()
  }

  /** Commits the queue without waiting for more, for at most `withinMs`. */
  drain(withinMs: number): void {
    const untilMs = monotonicMs() + withinMs
    this.#isDraining = true
    while (this.#queue.length > 0 && monotonicMs() < untilMs) this.#flush()
    this.#isDraining = false
  }

  #schedule(): void {
    if (this.#isScheduled || this.#queue.length === 0) return
    this.#isScheduled = true
    const run = () => {
      this.#retry = undefined
      this.#isScheduled = false
      this.#flush()
      this.#schedule()
    }
    // After the messages that have arrived already: their works share the transaction.
    if (this.#isRefused) this.#retry = setTimeout(run, retryMs)
    else setImmediate(run)
  }

  /** A work that is not patient does not wait for the next try of those that are. */
  #hurry(): void {
    this.#isRefused = false
    if (this.#retry === undefined) return
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#isScheduled = false
  }

  #flush(): void {
    const group = this.#take()
    if (group.length === 0) return
    try {
      if (!this.#commit(group)) this.#queue = [...group, ...this.#queue]
      this.#store.room.settle()
    } catch (error) {
      // Nobody catches it above, and the worker would end: a fault that passes would close the log for good.
      this.#isUnclear = true
      for (const { failed } of group) failed(faultOf(error, this.#store.db.paths.database), true)
    }
  }

  #take(): Array<Job> {
    const nowMs = monotonicMs()
    const group: Array<Job> = []
    let bytes = 0
    let taken = 0
    for (const job of this.#queue) {
      if (group.length >= groupJobsMax || (bytes > 0 && bytes + job.bytes > groupBytesMax)) break
      taken++
      if (job.isTold()) continue
      if (job.deadlineMs <= nowMs) job.failed(expired, false)
      else if (nowMs - job.pushedAtMs > busyMsMax) job.failed(this.#busy(), false)
      else {
        group.push(job)
        bytes += job.bytes
      }
    }
    this.#queue = this.#queue.slice(taken)
    return group
  }

  /**
   * False if another process holds the log: nothing was done, and the caller retries. Room is asked for inside the transaction: all processes that ask
   * outside of theirs find the same free space. What is refused is done again behind a checkpoint.
   */
  #commit(group: ReadonlyArray<Job>, isCheckpointed = false): boolean {
    const { db, quarantine, room } = this.#store
    const told: Array<() => void> = []
    try {
      this.#begin(group)
      db.presence.check()
      if (!room.has(needOf(group), isCheckpointed)) return this.#commitTidy(group, isCheckpointed)
      this.#store.refresh()
      if (this.#isUnclear) db.prepare("UPDATE header SET barrier = barrier + 1").run()
      quarantine.save()
      // The wait for another process may have exceeded some deadlines.
      const nowMs = monotonicMs()
      for (const job of group) told.push(job.deadlineMs <= nowMs ? () => job.failed(expired, false) : attempt(job))
      if (!room.stillHas()) return this.#commitTidy(group, isCheckpointed)
    } catch (error) {
      const isLess = this.#store.giveUp(error)
      this.#undo()
      if (isBusy(error)) return false
      // As often as there is more to give up.
      if (isLess) return this.#commit(group)
      const rest = withoutAppends(group, error)
      if (rest !== undefined) return this.#commitRest(group, rest, error)
      // One work failed, on damage for example: the others run without it.
      if (group.length > 1 && !(error instanceof Refusal) && !isGlobal(error)) return this.#commitEach(group)
      for (const { failed } of group) failed(faultOf(error, db.paths.database), false)
      return true
    }
    try {
      db.commit()
    } catch (error) {
      this.#undo()
      if (isBusy(error)) return false
      const rest = withoutAppends(group, error)
      if (rest !== undefined) return this.#commitRest(group, rest, error)
      // On a full volume the commit record is not written; any other fault may come after the commit.
      const isClear = isFull(error)
      this.#isUnclear ||= !isClear
      for (const { failed } of group) failed(faultOf(error, db.paths.database), !isClear)
      return true
    }
    this.#isUnclear = false
    quarantine.saved()
    const wakes = new Set(group.map((job) => job.wakes))
    this.#answers.before(wakes)
    // Looked at again: committed to files that nobody can find is not stored.
    const missing = db.presence.missing()
    if (missing === undefined) for (const tell of told) tell()
    else {
      const { reason, message: detail } = db.presence.lost(missing)
      for (const { failed } of group) failed({ reason, detail }, true)
    }
    this.#answers.after(wakes)
    return true
  }

  /** Waiting for another process keeps this thread from serving reads. */
  #begin(group: ReadonlyArray<Job>): void {
    const { db } = this.#store
    const untilMs = monotonicMs() - patienceMs
    const isPatient = !this.#isDraining && group.every((job) => job.isPatient && job.pushedAtMs > untilMs)
    this.#isRefused = isPatient
    if (isPatient) db.begin(0)
    else db.begin()
    this.#isRefused = false
  }

  /** The log is full: works that grow it fail, and the others (commits of positions, heartbeats) run without them. */
  #commitRest(group: ReadonlyArray<Job>, rest: ReadonlyArray<Job>, error: unknown): boolean {
    const fault = faultOf(error, this.#store.db.paths.database)
    for (const job of group) if (job.bytes > 0) job.failed(fault, false)
    if (!this.#commit(rest)) this.#queue = [...rest, ...this.#queue]
    return true
  }

  /** There is no room, unless a checkpoint makes some. */
  #commitTidy(group: ReadonlyArray<Job>, isCheckpointed: boolean): boolean {
    this.#undo()
    if (isCheckpointed) return this.#commitLess(group)
    this.#store.room.checkpoint()
    return this.#commit(group, true)
  }

  /** There is no room for the whole group. */
  #commitLess(group: ReadonlyArray<Job>): boolean {
    const [job] = group
    if (job === undefined) return true
    if (group.length === 1) {
      job.failed(this.#noRoom(), false)
      return true
    }
    const half = group.length >> 1
    if (!this.#commit(group.slice(0, half))) return false
    const rest = group.slice(half)
    if (!this.#commit(rest)) this.#queue = [...rest, ...this.#queue]
    return true
  }

  #commitEach(group: ReadonlyArray<Job>): boolean {
    for (const [index, job] of group.entries()) {
      if (this.#commit([job])) continue
      this.#queue = [...group.slice(index), ...this.#queue]
      break
    }
    return true
  }

  #undo(): void {
    this.#store.forget()
    try {
      this.#store.db.rollback()
    } catch {
      // The next begin tries again; what it was to undo is told already.
    }
  }

  #noRoom(): Fault {
    const { db, room } = this.#store
    const detail =
      `${db.paths.directory}: its volume has ${room.volume()?.freeBytes ?? 0} bytes left, and a log needs some to stay usable; ` +
      "free space on the volume, or keep less (retention)"
    return { reason: "Full", detail }
  }

  #busy(): Fault {
    const { database } = this.#store.db.paths
    const detail = `${database}: other processes have held the log for ${busyMsMax} ms; look for one that is stopped inside a write`
    return { reason: "Unavailable", detail }
  }
}

/** The works of a group without its appends, after the log was too full for all; undefined if there are no appends, or nothing else. */
function withoutAppends(group: ReadonlyArray<Job>, error: unknown): ReadonlyArray<Job> | undefined {
  if (!isFull(error)) return undefined
  const rest = group.filter(({ bytes }) => bytes === 0)
  return rest.length === 0 || rest.length === group.length ? undefined : rest
}

function needOf(group: ReadonlyArray<Job>): Need {
  return {
    works: group.length,
    bytes: group.reduce((sum, { bytes }) => sum + bytes, 0),
    pages: group.reduce((sum, { pages }) => sum + pages, 0)
  }
}

function isFull(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 255) === 13
}

const expired: Fault = { reason: "Timeout", detail: "its deadline passed before it was written; it was taken back" }

/** Runs a job; a refusal is answered in order, once the works before it are on disk. */
function attempt(job: Job): () => void {
  try {
    return job.run()
  } catch (error) {
    if (error instanceof Refusal) return () => job.failed({ reason: error.reason, detail: error.message }, false)
    throw error
  }
}
