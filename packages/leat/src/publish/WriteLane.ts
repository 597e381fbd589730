/**
 * One ordered lane being written, (sink, topic, partition), as a synchronous state machine: no I/O, timers or fibers. Events
 * go in (appended, settled, fenced, tick), and `next` says what to do. The rules it keeps:
 *
 * - one range of one batch is on its way at a time; a retry is the same range again, and everything later waits behind it;
 * - after an unknown outcome nothing is sent before `fence` has returned, even if the records in doubt are given up;
 * - every record that was appended ends in exactly one place of the ledger, and its waiters are told once.
 *
 * @example
 * ```ts
 * const command = lane.next(nowMs)
 * if (command._tag === "Send") lane.settled(runs, nowMs, random)
 * ```
 */
import { dropNotice, type DroppedRange, DroppedRanges, droppedHeader } from "../record/DropNotice.ts"
import type { Journal, Ledger, Place, WriteAccount } from "../ledger/Ledger.ts"
import { decide, type Policy } from "../Policy.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Run } from "../transport/index.ts"

export type WriteCommand =
  | { readonly _tag: "Send"; readonly batch: RecordBatch; readonly from: number; readonly to: number }
  | { readonly _tag: "Fence" }
  /** Nothing before this time (epoch ms), unless something is appended. */
  | { readonly _tag: "Wait"; readonly untilMs: number }
  /** Nothing until something happens. */
  | { readonly _tag: "Idle" }
  /** Closed and empty. */
  | { readonly _tag: "Done" }

export interface WriteLaneOptions {
  readonly ledger: Ledger
  readonly policy: Policy
  /** A batch is closed when it is this old, in milliseconds, ... */
  readonly lingerMs: number
  /** ... or holds this many bytes ... */
  readonly batchBytes: number
  /** ... or this many records. */
  readonly batchRecords: number
  /** Largest record that the transport takes, in bytes. */
  readonly recordBytesMax: number
  /** Whether the transport can promise that nothing sent earlier still lands. */
  readonly canFence: boolean
  /** Gives an emptied batch back; `reusable` is false when the client may still hold views of its arena. */
  readonly recycle: (batch: RecordBatch, reusable: boolean) => void
}

/** Records [from, to) of a batch that have had the same fate so far. */
interface Range {
  from: number
  to: number
  attempts: number
  firstSentMs: number
  /** Whether any attempt had an unknown outcome: the record may be stored whatever comes later. */
  mayBeStored: boolean
  /** Whether such an attempt could still land, because no fence has returned since. */
  inDoubt: boolean
  /** The drops that its first record announced when it was sent with an unknown outcome: a retry says the same. */
  said: ReadonlyArray<DroppedRange>
}

interface Queued {
  readonly batch: RecordBatch
  /** What of it is not ended yet, in order; undefined until it is first sent. */
  ranges: Array<Range> | undefined
  reusable: boolean
}

/** Why a lane stands still until a person says `resume`. */
export interface Halted {
  /** What the policy was asked about. */
  readonly tag: string
  /** Attempts made so far. */
  readonly attempts: number
  /** One sentence for a person. */
  readonly detail: string
}

export class WriteLane {
  /** Why the lane stands still; undefined while it runs. */
  halted: Halted | undefined
  /** Records sent again so far. */
  retries = 0
  #options: WriteLaneOptions
  readonly #journal: Journal | undefined
  #batchBytes: number
  #batchRecords: number
  readonly #queue: Array<Queued> = []
  #open: RecordBatch | undefined
  #busy: "sending" | "fencing" | undefined
  #fenceDue = false
  #notBeforeMs = 0
  #fenceAttempts = 0
  #fenceSinceMs = 0
  #closing = false
  /** Dropped and not announced yet. */
  readonly #dropped = new DroppedRanges()
  /** What the first record of the range on its way says was dropped. */
  #announcing: ReadonlyArray<DroppedRange> = []

  constructor(options: WriteLaneOptions) {
    this.#options = options
    this.#journal = options.ledger.journal
    this.#batchBytes = options.batchBytes
    this.#batchRecords = options.batchRecords
  }

  /** Other rules from the next decision on. */
  configure(settings: Pick<WriteLaneOptions, "policy" | "lingerMs" | "batchBytes" | "batchRecords">): void {
    this.#options = { ...this.#options, ...settings }
    this.#batchBytes = settings.batchBytes
    this.#batchRecords = settings.batchRecords
  }

  /** The batch that takes the next record; undefined when a new one has to be opened. */
  get open(): RecordBatch | undefined {
    return this.#open
  }

  /** Starts the batch for the next records. The last one, if any, takes no more. */
  begin(batch: RecordBatch): void {
    const unused = this.#open
    if (unused !== undefined && unused.count === 0) {
      this.#queue.pop()
      this.#options.recycle(unused, true)
    }
    this.#open = batch
    this.#queue.push({ batch, ranges: undefined, reusable: true })
  }

  /**
   * An event was committed to the open batch of the account `row`. Returns whether there may now be something to do at once, or
   * a linger to start.
   */
  appended(row: WriteAccount): boolean {
    const batch = this.#open
    if (batch === undefined) return false
    const { count } = batch
    const first = count === 1
    if (first) batch.openedAtMs = batch.timeMs(0)
    row.admitted++
    if (this.#journal !== undefined)
      this.#journal.moved(row, batch.bucket[count - 1] ?? 0, batch.seq[count - 1] ?? 0, undefined, "queued")
    if (batch.bytes >= this.#batchBytes || count >= this.#batchRecords) {
      this.#open = undefined
      return true
    }
    return first
  }

  /** An event of this lane was admitted for which there was no room: it is a counted, announced drop. */
  refused(account: number, bucket: number, seq: number, reason: string): void {
    const { journal, accounts } = this.#options.ledger
    const row = accounts[account]
    if (row === undefined) return
    row.admitted++
    row.dropped[reason] = (row.dropped[reason] ?? 0) + 1
    journal?.moved(row, bucket, seq, undefined, "dropped", reason)
    this.#dropped.add(bucket, seq, reason)
  }

  /** Drops that were counted before the lane was there, for its next record to announce. */
  announce(ranges: ReadonlyArray<DroppedRange>): void {
    this.#dropped.putBack(ranges)
  }

  /** What to do now. `Send` and `Fence` are to be answered with `settled` and `fenced`; until then there is nothing else. */
  next(nowMs: number): WriteCommand {
    if (this.#busy !== undefined || this.halted !== undefined) return idle
    if (this.#notBeforeMs > nowMs) return { _tag: "Wait", untilMs: this.#notBeforeMs }
    if (this.#fenceDue) {
      this.#busy = "fencing"
      if (this.#fenceAttempts++ === 0) this.#fenceSinceMs = nowMs
      return { _tag: "Fence" }
    }
    const head = this.#queue[0]
    if (head === undefined || head.batch.count === 0) return this.#closing ? { _tag: "Done" } : idle
    if (head.batch === this.#open && !this.#closing) {
      const dueMs = head.batch.openedAtMs + this.#options.lingerMs
      if (dueMs > nowMs) return { _tag: "Wait", untilMs: dueMs }
    }
    return this.#send(head, nowMs)
  }

  /** The answer to `Send`. Runs may come in any number, as long as they cover what was sent. */
  settled(runs: ReadonlyArray<Run>, nowMs: number, random: number): void {
    const head = this.#queue[0]
    const range = head?.ranges?.[0]
    if (head?.ranges === undefined || range === undefined || this.#busy !== "sending") return
    this.#busy = undefined
    head.ranges.shift()
    const left: Array<Range> = []
    const said = this.#announcing
    this.#announcing = []
    for (const run of complete(runs, range.from, range.to)) {
      const part = { ...range, from: run.from, to: run.to, said: run.from === range.from ? said : [] }
      if (run.fate === "stored") this.#stored(head.batch, part)
      else left.push(...this.#failed(head, part, run, nowMs, random))
    }
    head.ranges.unshift(...left)
    this.#popWhenEnded(head)
  }

  /** The answer to `Fence`: undefined when it returned, else why it failed. */
  fenced(failure: { readonly tag: string; readonly detail: string } | undefined, nowMs: number, random: number): void {
    if (this.#busy !== "fencing") return
    this.#busy = undefined
    if (failure !== undefined) {
      const decision = decide(this.#options.policy, {
        tag: failure.tag,
        attempts: this.#fenceAttempts,
        elapsedMs: nowMs - this.#fenceSinceMs,
        random
      })
      if ("retryAfterMs" in decision) this.#notBeforeMs = nowMs + decision.retryAfterMs
      // The policy may give records up, never the fence: what is in doubt could still land behind whatever is sent next.
      else if (decision.ending === "drop") this.#dropInDoubt(failure.tag, nowMs)
      else this.halted = { tag: failure.tag, attempts: this.#fenceAttempts, detail: failure.detail }
      return
    }
    this.#fenceDue = false
    this.#fenceAttempts = 0
    this.#clearDoubt()
  }

  /** Closes the open batch, so that what is there is sent without waiting for linger. */
  flush(): void {
    if (this.#open !== undefined && this.#open.count > 0) this.#open = undefined
  }

  /** Takes no more batches, and is `Done` when what it has is ended. */
  close(): void {
    this.#closing = true
  }

  /** Goes on after a halt, with the attempts counted from zero. */
  resume(nowMs: number): void {
    this.halted = undefined
    this.#notBeforeMs = 0
    this.#fenceAttempts = 0
    for (const range of this.#queue[0]?.ranges ?? []) {
      range.attempts = 0
      range.firstSentMs = nowMs
    }
  }

  /** Epoch ms at which the oldest batch that may be dropped was opened; undefined when every batch is sent or in doubt. */
  get oldestDroppableMs(): number | undefined {
    return this.#droppable()?.batch.openedAtMs
  }

  /** Bytes that dropping all of them would give back. */
  get droppableBytes(): number {
    return this.#queue.reduce(
      (total, queued, index) => total + (this.#mayDrop(queued, index) ? queued.batch.arena.length : 0),
      0
    )
  }

  /** Drops the records of the oldest batch that was not sent, or is known not to be stored; returns their number. */
  dropOldest(reason: string): number {
    const queued = this.#droppable()
    if (queued === undefined) return 0
    const dropped = this.#dropQueued(queued, reason)
    this.#queue.splice(this.#queue.indexOf(queued), 1)
    this.#release(queued)
    return dropped
  }

  /** Ends whatever is left as dropped: the drain deadline has passed. What is on its way may still be stored. */
  abandon(reason: string): void {
    for (const queued of this.#queue.splice(0)) {
      if (queued.ranges === undefined) this.#dropQueued(queued, reason)
      else for (const range of queued.ranges) this.#drop(queued.batch, range, this.#placeOf(queued, range), reason)
      queued.reusable &&= this.#busy !== "sending"
      this.#release(queued)
    }
    this.#open = undefined
    this.#closing = true
    this.#fenceDue = false
    this.#notBeforeMs = 0
    this.halted = undefined
  }

  /** Number of records that have not ended, markers included. */
  get pending(): number {
    let total = 0
    for (const { batch, ranges } of this.#queue)
      total += ranges?.reduce((sum, { from, to }) => sum + to - from, 0) ?? batch.count
    return total
  }

  /** Calls `visit` for every range of records that has not ended, in order, with where it is. */
  census(
    visit: (batch: RecordBatch, from: number, to: number, place: "queued" | "inFlight" | "inDoubt") => void
  ): void {
    for (const queued of this.#queue) {
      if (queued.ranges === undefined) visit(queued.batch, 0, queued.batch.count, "queued")
      else for (const range of queued.ranges) visit(queued.batch, range.from, range.to, this.#placeOf(queued, range))
    }
  }

  /** What was dropped since the last stored record: what a marker has to say when the lane closes. */
  get unannounced(): ReadonlyArray<DroppedRange> {
    return this.#dropped.all
  }

  #send(head: Queued, nowMs: number): WriteCommand {
    const { batch } = head
    if (batch === this.#open) this.#open = undefined
    head.ranges ??= [wholeOf(batch, nowMs)]
    const range = head.ranges[0]
    if (range === undefined) return idle
    if (range.attempts === 0) range.firstSentMs = nowMs
    if (range.attempts++ > 0) this.retries += range.to - range.from
    this.#busy = "sending"
    this.#announce(batch, range)
    this.#move(batch, range.from, range.to, "queued", "inFlight")
    return { _tag: "Send", batch, from: range.from, to: range.to }
  }

  #stored(batch: RecordBatch, { from, to }: Range): void {
    this.#end(batch, from, to, "inFlight", "stored", undefined, false)
  }

  /** Returns what of the part is left to try again. */
  #failed(head: Queued, part: Range, run: Run, nowMs: number, random: number): ReadonlyArray<Range> {
    const { batch } = head
    const tag = run.error?.reason ?? "Unknown"
    const unknown = run.fate === "unknown"
    if (unknown) {
      part.mayBeStored = true
      head.reusable = false
      if (this.#options.canFence) {
        this.#fenceDue = true
        part.inDoubt = true
      }
    }
    if (!part.mayBeStored) this.#takeBack(part)
    const size = part.to - part.from
    if (tag === "TooLarge" && !unknown && size > 1) {
      this.#move(batch, part.from, part.to, "inFlight", "queued")
      const middle = part.from + (size >> 1)
      // Halving finds the record that is too large by itself; it is no attempt of the others.
      return [
        { ...part, to: middle, attempts: part.attempts - 1 },
        { ...part, from: middle, attempts: part.attempts - 1, said: [] }
      ]
    }
    const elapsedMs = nowMs - part.firstSentMs
    const decision = decide(this.#options.policy, { tag, attempts: part.attempts, elapsedMs, random })
    if ("ending" in decision && decision.ending === "drop") {
      this.#drop(batch, part, "inFlight", tag)
      return []
    }
    this.#move(batch, part.from, part.to, "inFlight", part.inDoubt ? "inDoubt" : "queued")
    if ("retryAfterMs" in decision) this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + decision.retryAfterMs)
    else this.halted = { tag, attempts: part.attempts, detail: run.error?.detail ?? "no detail" }
    return [part]
  }

  #placeOf(queued: Queued, range: Range): "queued" | "inFlight" | "inDoubt" {
    if (queued !== this.#queue[0] && this.#queue.length > 0) return "queued"
    if (this.#busy === "sending" && range === queued.ranges?.[0]) return "inFlight"
    return range.inDoubt ? "inDoubt" : "queued"
  }

  #droppable(): Queued | undefined {
    return this.#queue.find((queued, index) => this.#mayDrop(queued, index))
  }

  #mayDrop({ batch, ranges }: Queued, index: number): boolean {
    if (batch.count === 0 || (index === 0 && this.#busy === "sending")) return false
    return ranges === undefined || ranges.every((range) => !range.mayBeStored)
  }

  #dropQueued(queued: Queued, reason: string): number {
    let dropped = 0
    for (const range of queued.ranges ?? [wholeOf(queued.batch, 0)]) {
      this.#drop(queued.batch, range, "queued", reason)
      dropped += range.to - range.from
    }
    if (queued.batch === this.#open) this.#open = undefined
    return dropped
  }

  #dropInDoubt(reason: string, nowMs: number): void {
    const head = this.#queue[0]
    if (head?.ranges !== undefined) {
      for (const range of head.ranges.filter((one) => one.inDoubt)) this.#drop(head.batch, range, "inDoubt", reason)
      head.ranges = head.ranges.filter((range) => !range.inDoubt)
      this.#popWhenEnded(head)
    }
    this.#fenceAttempts = 1
    this.#fenceSinceMs = nowMs
    this.#notBeforeMs = nowMs + fenceRetryMs
  }

  #drop(batch: RecordBatch, range: Range, from: Place, reason: string): void {
    const mayBeStored = range.mayBeStored || (from === "inFlight" && this.#busy === "sending")
    this.#takeBack(range)
    for (let index = range.from; index < range.to; index++) {
      if (batch.isMarker(index)) continue
      this.#dropped.add(batch.bucket[index] ?? 0, batch.seq[index] ?? 0, reason)
    }
    this.#end(batch, range.from, range.to, from, "dropped", reason, mayBeStored)
  }

  /**
   * Puts what was dropped into the headers of the first record. One that would become too large by it leaves it to the next;
   * one that may be stored already is sent again as it was, so that a transport can know it again and no drop goes unsaid.
   */
  #announce(batch: RecordBatch, range: Range): void {
    if (range.mayBeStored) {
      this.#announcing = range.said
      if (range.said.length === 0) batch.withdrawNotice()
      return
    }
    this.#announcing = []
    batch.withdrawNotice()
    if (this.#dropped.all.length === 0) return
    const notice = dropNotice(this.#dropped.all)
    if (batch.recordBytes(range.from) + notice.length + noticeHeaderBytes > this.#options.recordBytesMax) return
    batch.notice(range.from, droppedHeader, notice)
    this.#announcing = this.#dropped.take()
  }

  /** What a record was to announce and did not, or perhaps not, is for a later one to say. */
  #takeBack(range: Range): void {
    this.#dropped.putBack(range.said)
    range.said = []
  }

  /** Ends records: counters, journal, waiters. */
  #end(
    batch: RecordBatch,
    from: number,
    to: number,
    place: Place,
    ending: "stored" | "dropped",
    reason: string | undefined,
    mayBeStored: boolean
  ): void {
    const { accounts } = this.#options.ledger
    for (let index = from; index < to;) {
      const number = batch.account[index] ?? 0
      const start = index
      while (index < to && batch.account[index] === number) index++
      const account = accounts[number]
      // A marker has no account, and is no event.
      if (account === undefined) continue
      if (ending === "stored") account.stored += index - start
      else {
        account.dropped[reason ?? "Unknown"] = (account.dropped[reason ?? "Unknown"] ?? 0) + index - start
        if (mayBeStored) account.droppedMayBeStored += index - start
      }
    }
    this.#move(batch, from, to, place, ending, reason)
    batch.awaited(from, to, (waiter, count) => {
      if (ending === "stored") waiter.tellStored(count)
      else waiter.tellDropped(count, reason ?? "Unknown", mayBeStored)
    })
  }

  #move(batch: RecordBatch, from: number, to: number, place: Place, into: Place, reason?: string): void {
    const { journal, accounts } = this.#options.ledger
    if (journal === undefined || place === into) return
    for (let index = from; index < to; index++) {
      const account = accounts[batch.account[index] ?? 0]
      if (account === undefined || batch.isMarker(index)) continue
      journal.moved(account, batch.bucket[index] ?? 0, batch.seq[index] ?? 0, place, into, reason)
    }
  }

  #clearDoubt(): void {
    const head = this.#queue[0]
    if (head?.ranges === undefined) return
    for (const range of head.ranges) {
      if (!range.inDoubt) continue
      range.inDoubt = false
      this.#move(head.batch, range.from, range.to, "inDoubt", "queued")
    }
  }

  #popWhenEnded(head: Queued): void {
    if (head.ranges === undefined || head.ranges.length > 0) return
    this.#queue.shift()
    this.#release(head)
  }

  #release({ batch, reusable }: Queued): void {
    this.#options.recycle(batch, reusable)
  }
}

/** Bytes of a notice's header beside its text: name and two lengths. */
const noticeHeaderBytes = droppedHeader.length + 10

const idle: WriteCommand = { _tag: "Idle" }

function wholeOf({ count }: RecordBatch, firstSentMs: number): Range {
  return { from: 0, to: count, attempts: 0, firstSentMs, mayBeStored: false, inDoubt: false, said: [] }
}

/** How long a lane waits before it asks again for a fence that the policy has given up waiting for, in milliseconds. */
const fenceRetryMs = 1000

/** Whatever a driver has not said of a record, or said in a way that makes no sense, is unknown. */
export function complete(runs: ReadonlyArray<Run>, from: number, to: number): ReadonlyArray<Run> {
  const result: Array<Run> = []
  let at = from
  for (const run of Array.isArray(runs) ? (runs as ReadonlyArray<Run>) : []) {
    if (!isRun(run)) continue
    const start = Math.max(run.from, at)
    const end = Math.min(run.to, to)
    if (end <= start) continue
    if (start > at) result.push({ from: at, to: start, fate: "unknown" })
    result.push(start === run.from && end === run.to ? run : { ...run, from: start, to: end })
    at = end
  }
  if (at < to) result.push({ from: at, to, fate: "unknown" })
  return result
}

const fates: ReadonlyArray<unknown> = ["stored", "notStored", "unknown"]

function isRun(run: Run | undefined | null): run is Run {
  return (
    run !== undefined &&
    run !== null &&
    Number.isInteger(run.from) &&
    Number.isInteger(run.to) &&
    fates.includes(run.fate)
  )
}
