/**
 * What one stream in one epoch writes to one partition, as a synchronous state machine: no I/O, timers or fibers. Records go in with
 * `begin` and `appended`; `take` gives the next range that is due, and `settled` says what became of it. The rules it keeps:
 *
 * - ranges leave in order, and a retry is the same range again: everything later waits behind it;
 * - of one batch one range is on its way at a time, because a batch announces drops in one place;
 * - what is on its way to the dead letters is passed over, with its place kept: what stands behind it goes on, until too much is;
 * - every record that was appended ends in exactly one place of the ledger, and its waiters are told once.
 *
 * What all lanes of a partition share (ranges on their way, the fence) is the `WritePartition`'s. A lane can be gated (it fills, and
 * nothing is sent), sealed (it takes no more), and is idle when nothing of it is left.
 *
 * @example
 * ```ts
 * const range = lane.take(nowMs)
 * const facts = { nowMs, random, isBehind: false }
 * if (range !== undefined) lane.settled(range, [{ from: range.from, to: range.to, fate: "stored" }], facts)
 * ```
 */
import { countReason } from "../ledger/Counts.ts"
import type { PendingPlace, Place, WriteAccount } from "../ledger/Ledger.ts"
import { decide } from "../Policy.ts"
import type { DroppedRange } from "../record/DropNotice.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Run } from "../transport/index.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import { countEnded, countMovedIn, type Ending, isKept, journalMove, tellEnded } from "./countEnded.ts"
import { DropsToTell } from "./DropsToTell.ts"
import { type Fate, worstOf } from "./Fate.ts"
import type { AnswerFacts, Halted, LaneHome } from "./LaneHome.ts"
import { type IsStored, LaneQueue } from "./LaneQueue.ts"
import { heldOf } from "./held.ts"
import { isForStandIn } from "./isForStandIn.ts"
import { endingWhileFull, spillAgainMs, spillFull } from "./spillIsFull.ts"
import { waitMsOf } from "./waitMsOf.ts"
import { halvesOf, isInFlight, isQueued, partsOf, Queued, type QueueOwner, type Span } from "./Span.ts"

export class WriteLane implements QueueOwner {
  account: WriteAccount
  /** Whether it takes no more. */
  isSealed = false
  /** Why the lane stands still; undefined while it runs. */
  halted: Halted | undefined
  /** Whether nothing is sent for the time being; of all lanes of a leg at once, see `LegLanes.gate`. */
  isGated = false
  /** Whether it stands in the line of its partition. */
  isReady = false
  /** When `take` may have something, in milliseconds of the monotonic clock; infinite: when something happens. */
  dueMs = Number.POSITIVE_INFINITY
  #home: LaneHome
  readonly #queue = new LaneQueue()
  readonly #drops = new DropsToTell()
  #open: RecordBatch | undefined
  #openedAtMs = 0
  #notBeforeMs = 0
  /** Records on their way to the dead letters. */
  #aside = 0

  constructor(home: LaneHome, account: WriteAccount) {
    this.#home = home
    this.account = account
  }

  /** Begins anew for another stream: of what it was nothing is left. */
  serve(home: LaneHome, account: WriteAccount): void {
    this.#home = home
    this.account = account
    this.tryNow()
    this.isGated = false
    this.dueMs = Number.POSITIVE_INFINITY
    this.#open = undefined
    this.isSealed = false
  }

  /** The batch that takes the next record; undefined when a new one has to be opened. */
  get open(): RecordBatch | undefined {
    return this.#open
  }

  /** Whether it holds no records. */
  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  /** Whether nothing of it is left: no records, and no drop to announce. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#drops.ranges.length === 0
  }

  /** Starts the batch for the next records. The last one, if any, takes no more. */
  begin(batch: RecordBatch, nowMs: number): Queued {
    const unused = this.#open?.count === 0 ? this.#queue.at(this.#queue.length - 1) : undefined
    if (unused !== undefined) this.#queue.remove(unused)
    const queued = new Queued(batch, this)
    this.#open = batch
    this.#openedAtMs = nowMs
    this.#queue.push(queued)
    if (unused !== undefined) this.#home.recycle(this, unused)
    return queued
  }

  /** A record was committed to the open batch. Returns whether the batch is full, or begins to linger. */
  appended(): boolean {
    const batch = this.#open
    if (batch === undefined) return false
    const { count, bucket, seq } = batch
    this.account.admitted++
    this.#home.ledger.journal?.moved(this.account, bucket[count - 1] ?? 0, seq[count - 1] ?? 0, undefined, "queued")
    const { batchBytes, batchRecords } = this.#home.rules
    if (batch.bytes < batchBytes && count < batchRecords) return count === 1
    this.#open = undefined
    return true
  }

  /** A record of the lane's own, which announces drops and is no event, is all of the open batch. */
  marked(): void {
    this.#open = undefined
  }

  /** An event of this lane was admitted for which there was no room: it is a counted, announced drop. */
  refused(bucket: number, seq: number, reason: string): void {
    const { account } = this
    account.admitted++
    countReason(account.dropped, reason)
    this.#home.ledger.journal?.moved(account, bucket, seq, undefined, "dropped", reason)
    this.#drops.note(bucket, seq, reason)
  }

  /** Drops that were counted before the lane was there, for its next record to announce. */
  announce(ranges: ReadonlyArray<DroppedRange>): void {
    this.#drops.putBack(ranges)
  }

  /** When the batch that takes records is due, in milliseconds of the monotonic clock; 0 when there is none. */
  get lingerDueMs(): number {
    return this.#open === undefined ? 0 : this.#openedAtMs + this.#home.rules.lingerMs
  }

  /**
   * The next range, when one is due: it is on its way now, and `settled` is its answer. Otherwise `dueMs` says when to ask again. What goes to
   * the spill has nothing to do with the budget of the destination.
   */
  take(nowMs: number, isOfSpill = false): Span | undefined {
    this.dueMs = Number.POSITIVE_INFINITY
    if (this.halted !== undefined || this.isGated || this.#aside >= this.#home.lettersMax) return undefined
    const queue = this.#queue
    let isFirst = true
    for (let at = queue.passed; at < queue.length; at++) {
      const queued = queue.at(at)
      if (queued === undefined) return undefined
      const { batch, spans } = queued
      if (spans?.some(isInFlight) === true) {
        // What is left of this batch comes before the next one.
        if (spans.some(isQueued) || this.#home.rules.budget?.isBehind(spans) === true) return undefined
        isFirst = false
        continue
      }
      if (queue.passes(at)) continue
      if (batch.count === 0) return undefined
      if (this.#notBeforeMs > nowMs) return this.#wait(this.#notBeforeMs)
      if (batch === this.#open && !this.isSealed && this.lingerDueMs > nowMs) return this.#wait(this.lingerDueMs)
      return this.#take(queued, nowMs, isOfSpill, isFirst)
    }
    return undefined
  }

  /** Whether a range of it may stand in the spill, whose answer was lost. */
  get isOwed(): boolean {
    return this.#queue.owed !== undefined
  }

  /** As `take`, of the range that may stand in the spill: it goes there again, whatever keeps the lane from going on. */
  takeOwed(nowMs: number): Span | undefined {
    this.dueMs = Number.POSITIVE_INFINITY
    const span = this.#queue.owed
    if (span === undefined || !isQueued(span)) return undefined
    return this.#notBeforeMs > nowMs ? this.#wait(this.#notBeforeMs) : this.#begin(span, nowMs)
  }

  /** The answer to a range that was taken; returns the worst of it. One that was given up meanwhile is not looked at. */
  settled(span: Span, runs: ReadonlyArray<Run>, facts: AnswerFacts): Fate {
    const { queued } = span
    if (queued.spans === undefined || span.state !== "inFlight") return worstOf(runs)
    const at = queued.spans.indexOf(span)
    span.state = "ended"
    const [only] = runs
    if (runs.length === 1 && only?.fate === "stored") {
      this.#stored(queued.batch, span, only, facts)
      if (queued.spans.length === 1) queued.spans.pop()
      else queued.spans.splice(at, 1)
      this.#removeEnded(queued)
      return "stored"
    }
    const left: Array<Span> = []
    const isExplained = runs.some(({ fate, error }) => fate !== "stored" && error !== undefined)
    for (const run of runs) {
      const said = run.from === span.from ? span.said : []
      const part: Span = { ...span, from: run.from, to: run.to, state: "inFlight", said }
      const isBehind = facts.isBehind || (isExplained && run.fate === "notStored" && run.error === undefined)
      if (run.fate === "stored") this.#stored(queued.batch, part, run, facts)
      else left.push(...this.#failed(queued, part, run, { ...facts, isBehind }))
    }
    this.#replace(queued, at, left)
    return worstOf(runs)
  }

  /**
   * What became of the dead letters of a range that was set aside, for each record: undefined when it is stored, else why it never will be. Of
   * one that has ended meanwhile nothing is looked at.
   */
  letterAnswered(span: Span, failure: Halted, faults: ReadonlyArray<string | undefined>): void {
    const { queued } = span
    if (queued.spans === undefined || span.state !== "deadLettering") return
    const at = queued.spans.indexOf(span)
    span.state = "ended"
    const left: Array<Span> = []
    for (const part of partsOf(span, (index) => faults[index - span.from])) {
      const fault = faults[part.from - span.from]
      part.state = "queued"
      if (fault === undefined) this.#ending(queued.batch, part, "deadLettering", "deadLettered", failure.tag)
      else {
        this.#move(queued.batch, part, "deadLettering", "queued")
        left.push(part)
        const detail = `${failure.detail}; and ${this.#home.deadLetters} refuses it too: ${fault}`
        this.halted ??= { ...failure, detail }
      }
    }
    if (left.length > 0) this.#queue.lookAgain()
    this.#replace(queued, at, left)
  }

  /** Whether something of it is on its way to the dead letters. */
  get isDeadLettering(): boolean {
    return this.#queue.isDeadLettering
  }

  /** The fence has returned: what was in doubt did not land, or has landed for good, and may be sent again. */
  clearDoubt(): void {
    for (const span of this.#queue.inDoubt) {
      span.state = "queued"
      this.#move(span.queued.batch, span, "inDoubt", "queued")
    }
  }

  /** Gives up what is in doubt. */
  dropDoubt(reason: string): void {
    for (const span of this.#queue.inDoubt) {
      this.#drop(span.queued, span, reason)
      this.#removeEnded(span.queued)
    }
  }

  /** Closes the open batch, so that what is there is sent without waiting for linger. */
  flush(): void {
    if (this.#open !== undefined && this.#open.count > 0) this.#open = undefined
  }

  /** Takes no more. */
  seal(): void {
    this.isSealed = true
  }

  /** Goes on, with the next attempt at once; attempts count on. */
  tryNow(): void {
    this.halted = undefined
    this.#notBeforeMs = 0
  }

  /**
   * Goes on after a halt, with the attempts counted from zero. A time ahead of the wall clock (`wallMs`, epoch milliseconds) came from a
   * clock that was wrong; brokers refuse such records, and without another time they would be refused for ever.
   */
  resume(nowMs: number, wallMs: number): void {
    this.tryNow()
    this.#queue.resume(nowMs, wallMs)
  }

  /** Drops the records of a batch; returns their number. */
  dropBatch(queued: Queued, reason: string): number {
    if (!queued.isDroppable) return 0
    let dropped = 0
    for (const span of queued.sent.slice()) {
      dropped += span.to - span.from
      this.#drop(queued, span, reason)
    }
    if (queued.batch === this.#open) this.#open = undefined
    this.#removeEnded(queued)
    return dropped
  }

  /** Ends whatever is left as dropped. What is on its way may still be stored. */
  abandon(reason: string): void {
    this.#open = undefined
    this.isSealed = true
    this.tryNow()
    for (const queued of this.#queue.all) {
      for (const span of queued.sent.slice()) this.#drop(queued, span, reason)
      this.#removeEnded(queued)
    }
  }

  /**
   * Takes out all that has not ended, for another leg to send: `take` is told of each range, in order, before its arena is used again. What
   * `isStored` knows to be stored ends as that. Returns the drops that are left to announce.
   */
  moveOut(isStored: IsStored, take: (batch: RecordBatch, span: Span) => void): ReadonlyArray<DroppedRange> {
    this.#open = undefined
    for (const [queued, parts] of this.#queue.takeOut(isStored)) {
      for (const { span, place, ending } of parts) {
        // Its answer, or that of its letter, may come when this is another's lane.
        if (place !== "queued" || span.mayBeSpilled) this.isSealed = true
        this.#end(queued.batch, span, place, ending)
        if (ending === "stored") continue
        this.#drops.takeBack(span)
        take(queued.batch, span)
      }
      this.#removeEnded(queued)
    }
    return this.#drops.take()
  }

  /** Takes records of another leg in, in front of its own or behind them. In front only while nothing of it was ever sent: see `isUnsent`. */
  moveIn(batches: ReadonlyArray<RecordBatch>, isInFront: boolean): ReadonlyArray<Queued> {
    if (!isInFront) this.flush()
    const all = batches.map((batch) => new Queued(batch, this))
    // A batch that is open behind the flush is empty, and is to stay the last.
    this.#queue.insertAll(isInFront ? 0 : this.#queue.length - (this.#open === undefined ? 0 : 1), all)
    for (const batch of batches) countMovedIn(this.account, batch, this.#home.ledger.journal)
    return all
  }

  /** Whether nothing that it holds was ever sent. */
  get isUnsent(): boolean {
    return this.#queue.all.every(({ spans }) => spans === undefined)
  }

  /** Number of records that have not ended, markers included. */
  get pending(): number {
    return this.#queue.pending
  }

  /** Calls `visit` for every range of records that has not ended, in order, with where it is. */
  census(visit: (batch: RecordBatch, from: number, to: number, place: PendingPlace) => void): void {
    this.#queue.census(visit)
  }

  /** Has `waiter` told of every record that has not ended. */
  await(waiter: Waiter): void {
    this.#queue.await(waiter)
  }

  /** What was dropped since the last record: what a marker has to say when the lane closes. */
  get unannounced(): ReadonlyArray<DroppedRange> {
    return this.#drops.ranges
  }

  #wait(untilMs: number): undefined {
    this.dueMs = untilMs
  }

  #take(queued: Queued, nowMs: number, isOfSpill: boolean, isFirst: boolean): Span | undefined {
    const { batch } = queued
    if (batch === this.#open) this.#open = undefined
    const span = queued.sent.find(isQueued)
    if (span === undefined) return undefined
    const { breaker } = this.#home.rules
    if (breaker?.isOpen === true && !isOfSpill) {
      if (breaker.admits(this, span, nowMs)) return this.#begin(span, nowMs)
      // What is on its way before it is answered first.
      return isFirst ? this.#held(span, nowMs) : undefined
    }
    const mayMs = isOfSpill ? nowMs : (this.#home.rules.budget?.admit(span, nowMs) ?? nowMs)
    if (mayMs > nowMs) return this.#wait(mayMs)
    return this.#begin(span, nowMs)
  }

  /** An open breaker keeps the range. What ends here is due at once: there may be more. */
  #held(span: Span, nowMs: number): undefined {
    const held = heldOf(this.#home.rules.policy, span, nowMs)
    if ("untilMs" in held) return this.#wait(held.untilMs)
    const { ending, failure } = held
    if (isForStandIn(held) && this.#home.trip?.(this, failure) !== true) return undefined
    if (ending === "halt") this.halted = failure
    if (ending === "drop") this.#drop(span.queued, span, failure.tag)
    this.#home.rules.breaker?.ended(span.to - span.from)
    this.#removeEnded(span.queued)
    return this.#wait(nowMs)
  }

  #begin(span: Span, nowMs: number): Span {
    const { batch } = span.queued
    if (span.attempts === 0) span.firstSentMs = nowMs
    if (span.attempts++ > 0) this.#home.rules.retries += span.to - span.from
    span.state = "inFlight"
    this.#drops.announce(batch, span, this.#home.recordBytesMax)
    this.#move(batch, span, "queued", "inFlight")
    return span
  }

  #stored(batch: RecordBatch, part: Span, run: Run, { nowMs, isOfSpill }: AnswerFacts): void {
    if (isOfSpill === true && this.#home.fallback !== undefined) {
      this.#home.fallback.took(this, part, run.base)
      return this.#end(batch, part, "inFlight", "fellBack")
    }
    if (isOfSpill === true) {
      if (run.base === undefined) {
        // The spill has had it, and it stands nowhere there any more: another process may have sent it on.
        part.mayBeStored = true
        return this.#ending(batch, part, "inFlight", "dropped", "Corrupt")
      }
      this.#move(batch, part, "inFlight", "spilled")
      this.#home.spilled?.(this, part, run.base)
      return
    }
    this.#home.rules.outage?.handled(part.to - part.from, nowMs)
    this.#end(batch, part, "inFlight", "stored")
  }

  /** Returns what of the part is left to try again. */
  #failed(queued: Queued, part: Span, run: Run, facts: AnswerFacts): ReadonlyArray<Span> {
    const { batch } = queued
    const tag = run.error?.reason ?? "Unknown"
    const isUnknown = run.fate === "unknown"
    const announced = part.said.length
    if (isUnknown) {
      part.mayBeStored = true
      queued.isReusable = false
    }
    const { fallback } = this.#home
    if (facts.isOfSpill === true && fallback === undefined) part.mayBeSpilled = isUnknown
    if (!part.mayBeStored) this.#drops.takeBack(part)
    // A spill can fence, whatever its destination can.
    const isInDoubt = isUnknown && (facts.isOfSpill === true ? (fallback?.canFence(this) ?? true) : this.#home.canFence)
    if (facts.isBehind) {
      // It failed because of others: the policy is asked when it fails by itself.
      part.attempts--
      return [this.#again(batch, part, isInDoubt)]
    }
    const isOne = isUnknown || part.to - part.from === 1
    const isOfRecord = tag === "Rejected" || tag === "TooLarge"
    const isRefusedThere = facts.isOfSpill === true && fallback !== undefined && isOfRecord
    if (facts.isOfSpill === true && !isRefusedThere && !(tag === "TooLarge" && !isOne))
      return this.#unspilled(batch, part, run, isInDoubt, facts)
    if (tag === "TooLarge" && !isOne) return this.#halves(batch, part)
    if (tag === "TooLarge" && announced > 0 && !part.mayBeStored) return [this.#shortened(batch, part, announced)]
    const elapsedMs = facts.nowMs - part.firstSentMs
    const decision = decide(this.#home.rules.policy, { tag, attempts: part.attempts, elapsedMs, random: facts.random })
    // Retries are those of the range, once for all of it; the ending is that of each record.
    if ("ending" in decision && tag === "Rejected" && !isOne) return this.#halves(batch, part)
    // A marker is no event that anybody would miss.
    const isMarker = batch.isMarker(part.from)
    if ("ending" in decision && (decision.ending === "drop" || (decision.ending === "deadLetter" && isMarker))) {
      this.#ending(batch, part, "inFlight", "dropped", tag)
      return []
    }
    const failure = { tag, attempts: part.attempts, detail: run.error?.detail ?? "no detail" }
    part.failed = failure
    if (isForStandIn(decision) && !isRefusedThere && this.#home.trip?.(this, failure) === true) {
      // What the spill does not know is fenced before anything is sent from it.
      part.attempts = 0
      return [this.#again(batch, part, false)]
    }
    const waitMs = waitMsOf(part, decision, tag, facts, this.#home.rules.outage)
    if (waitMs !== undefined) this.#notBeforeMs = Math.max(this.#notBeforeMs, facts.nowMs + waitMs)
    else if ("ending" in decision && decision.ending === "deadLetter")
      return [this.#setAside(batch, part, announced, failure)]
    else this.halted = isRefusedThere ? { ...failure, isOfFallback: true } : failure
    return [this.#again(batch, part, isInDoubt)]
  }

  /** The spill, or the fallback, has not taken it. While a spill is full the policy is asked; everything else of it passes. */
  #unspilled(batch: RecordBatch, part: Span, run: Run, isInDoubt: boolean, facts: AnswerFacts): ReadonlyArray<Span> {
    const { error } = run
    if (error?.reason === "Full" && this.#home.fallback === undefined) {
      const ending = endingWhileFull(this.#home.rules.policy, part, facts)
      if (ending === "drop") {
        this.#ending(batch, part, "inFlight", "dropped", spillFull)
        return []
      }
      const failure = { tag: spillFull, attempts: part.attempts, detail: error.detail }
      if (ending === "deadLetter" && !batch.isMarker(part.from))
        return [this.#setAside(batch, part, part.said.length, failure)]
    }
    const failure = { tag: error?.reason ?? "Unknown", attempts: part.attempts, detail: error?.detail ?? "no detail" }
    this.#home.fallback?.goOn(this, failure)
    this.#notBeforeMs = Math.max(this.#notBeforeMs, facts.nowMs + spillAgainMs)
    return [this.#again(batch, part, isInDoubt)]
  }

  /** Where it goes has changed: what waits for its next attempt is due, and its attempts count from zero. */
  turn(): void {
    this.#notBeforeMs = 0
    this.flush()
    for (const span of this.#queue.spans) if (span.state === "queued") span.attempts = 0
  }

  /** From here on the part is passed over. What it was to announce is for a later record to say. */
  #setAside(batch: RecordBatch, part: Span, announced: number, failure: Halted): Span {
    this.#drops.takeBack(part)
    if (announced > 0) batch.withdrawNotice()
    part.state = "deadLettering"
    part.mayBeSpilled = false
    this.#move(batch, part, "inFlight", "deadLettering")
    this.#home.setAside(this, part, failure)
    return part
  }

  #again(batch: RecordBatch, part: Span, isInDoubt: boolean): Span {
    part.state = isInDoubt ? "inDoubt" : "queued"
    this.#move(batch, part, "inFlight", part.state)
    return part
  }

  /** The backend takes less than it has declared: the record says less, down to nothing, before it is judged. It is no attempt. */
  #shortened(batch: RecordBatch, part: Span, announced: number): Span {
    part.saidMax = announced >> 1
    part.attempts--
    return this.#again(batch, part, false)
  }

  /** Halving finds the records that the backend will never take; it is no attempt. */
  #halves(batch: RecordBatch, part: Span): ReadonlyArray<Span> {
    part.state = "queued"
    this.#move(batch, part, "inFlight", "queued")
    return halvesOf(part)
  }

  #drop(queued: Queued, span: Span, reason: string): void {
    const { state } = span
    if (state === "ended") return
    if (state === "inFlight") queued.isReusable = false
    span.state = "ended"
    queued.spans?.splice(queued.spans.indexOf(span), 1)
    if (state === "inFlight") span.mayBeStored = true
    this.#ending(queued.batch, span, state, "dropped", reason)
  }

  /** Ends records that are not stored where they were to be: a gap, which is announced. */
  #ending(batch: RecordBatch, span: Span, from: Place, ending: "deadLettered" | "dropped", reason: string): void {
    this.#drops.takeBack(span)
    this.#drops.noteRange(batch, span, ending === "dropped" ? reason : ending)
    this.#end(batch, span, from, ending, reason)
  }

  /** Ends records: counters, journal, waiters. */
  #end(batch: RecordBatch, span: Span, place: Place, ending: Ending, reason = "Unknown"): void {
    countEnded(this.account, batch, span, ending, reason)
    this.#move(batch, span, place, ending, isKept(ending) ? undefined : reason)
    tellEnded(batch, span, ending, reason, this.#home.deadLetters)
  }

  #move(batch: RecordBatch, span: Span, place: Place, into: Place, reason?: string): void {
    if (place === "deadLettering") this.#aside -= span.to - span.from
    if (into === "deadLettering") this.#aside += span.to - span.from
    const { journal } = this.#home.ledger
    if (journal !== undefined) journalMove(journal, this.account, { batch, span, place, into, reason })
  }

  /** In the place of a span stands what is left of it. */
  #replace(queued: Queued, at: number, left: ReadonlyArray<Span>): void {
    queued.spans?.splice(at, 1, ...left)
    this.#removeEnded(queued)
  }

  #removeEnded(queued: Queued): void {
    if (queued.spans === undefined || queued.spans.length > 0) return
    if (this.#queue.remove(queued)) this.#home.recycle(this, queued)
  }
}
