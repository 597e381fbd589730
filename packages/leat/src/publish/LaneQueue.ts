/**
 * The batches of a lane, in order. Those in front that are on their way to the dead letters, all of them, are passed over: while their topic cannot
 * be written there may be a thousand, and each range that is sent comes behind them.
 */
import type { PendingPlace } from "../ledger/Ledger.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { Fifo } from "./Fifo.ts"
import { isDeadLettering, isInFlight, isOwed, partsOf, type Queued, type Span, wholeOf } from "./Span.ts"

/** Whether an event that may be stored is, as somebody has read. */
export type IsStored = (bucket: number, seq: number) => boolean

/** A range that has left its lane. */
interface TakenOut {
  readonly span: Span
  /** Where it was. */
  readonly place: PendingPlace
  readonly ending: "stored" | "movedOut"
}

export class LaneQueue extends Fifo<Queued> {
  #passed = 0

  /** Where to begin to look for what is to be sent. */
  get passed(): number {
    return this.#passed
  }

  /** What the spill may hold. */
  get owed(): Span | undefined {
    for (let at = 0; at < this.length; at++) {
      const span = this.at(at)?.spans?.find(isOwed)
      if (span !== undefined) return span
    }
    return undefined
  }

  /** Ranges that were sent and have not ended, in order, in a list of its own. */
  get spans(): ReadonlyArray<Span> {
    return this.all.flatMap(({ spans }) => spans ?? [])
  }

  get isDeadLettering(): boolean {
    return this.all.some(({ spans }) => spans?.some(isDeadLettering) === true)
  }

  get inDoubt(): ReadonlyArray<Span> {
    return this.spans.filter(({ state }) => state === "inDoubt")
  }

  /** What was tried counts from now on. */
  resume(nowMs: number, wallMs: number): void {
    for (const { batch, spans } of this.all) {
      if (spans === undefined) batch.limitTime(0, batch.count, wallMs)
      for (const span of spans ?? []) {
        // The attempt that runs has begun: it is the first.
        span.attempts = isInFlight(span) ? 1 : 0
        span.firstSentMs = nowMs
        // The driver may still read what is on its way or in doubt.
        if (span.state === "queued") batch.limitTime(span.from, span.to, wallMs)
      }
    }
  }

  /** Ends all that has not ended, batch by batch: a range of it has moved out, or is stored as somebody has read. */
  takeOut(isStored: IsStored): ReadonlyArray<readonly [Queued, ReadonlyArray<TakenOut>]> {
    return this.all.map((queued) => {
      const { batch, spans = [wholeOf(queued)] } = queued
      queued.spans = []
      const parts = spans.flatMap((span) => {
        const place = span.state
        if (place === "ended") return []
        // Whoever has its answer asks whether it is still waited for.
        span.state = "ended"
        if (place === "inFlight") {
          span.mayBeStored = true
          queued.isReusable = false
        }
        const isThere = (index: number) => span.mayBeStored && isStored(batch.bucket[index] ?? 0, batch.seq[index] ?? 0)
        return partsOf(span, isThere).map((part): TakenOut => {
          return { span: part, place, ending: isThere(part.from) ? "stored" : "movedOut" }
        })
      })
      return [queued, parts] as const
    })
  }

  /** Calls `visit` for every range of records that has not ended, in order, with where it is. */
  census(visit: (batch: RecordBatch, from: number, to: number, place: PendingPlace) => void): void {
    for (const { batch, spans } of this.all) {
      if (spans === undefined) visit(batch, 0, batch.count, "queued")
      else for (const { from, to, state } of spans) if (state !== "ended") visit(batch, from, to, state)
    }
  }

  /** Number of records that have not ended. */
  get pending(): number {
    let total = 0
    this.census((_, from, to) => (total += to - from))
    return total
  }

  /** Has `waiter` told of every event that has not ended. What only announces drops is none, and a spill does not note it. */
  await(waiter: Waiter): void {
    this.census((batch, from, to) => {
      if (batch.isMarker(from)) return
      waiter.pending += to - from
      batch.await(from, to, waiter)
    })
  }

  /** Whether all of the batch at this place is on its way to the dead letters. */
  passes(at: number): boolean {
    const queued = this.at(at)
    if (queued?.spans?.every(isDeadLettering) !== true) return false
    if (at === this.#passed) {
      queued.isPassed = true
      this.#passed++
    }
    return true
  }

  /** Something that was passed over is to be sent after all. */
  lookAgain(): void {
    for (let at = 0; at < this.#passed; at++) {
      const queued = this.at(at)
      if (queued !== undefined) queued.isPassed = false
    }
    this.#passed = 0
  }

  override remove(queued: Queued): boolean {
    if (queued.isPassed) this.#passed--
    return super.remove(queued)
  }
}
