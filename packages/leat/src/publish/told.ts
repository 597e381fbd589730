/** Who is told of records that move from one place of the ledger to another, and of those that end. */
import type { Journal, Place, WriteAccount } from "../ledger/Ledger.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Span } from "./Span.ts"

export type Ended = "stored" | "deadLettered" | "dropped"

interface Move {
  readonly batch: RecordBatch
  readonly span: Span
  readonly place: Place
  readonly into: Place
  /** Of a dead letter or a drop. */
  readonly reason: string | undefined
}

/** Each record but the markers, which are no events. */
export function journalMove(journal: Journal, account: WriteAccount, { batch, span, place, into, reason }: Move): void {
  for (let index = span.from; index < span.to; index++) {
    if (batch.isMarker(index)) continue
    journal.moved(account, batch.bucket[index] ?? 0, batch.seq[index] ?? 0, place, into, reason)
  }
}

/** Those that wait for the fate of the records. */
export function tellWaiters(batch: RecordBatch, span: Span, ending: Ended, reason: string, deadLetters: string): void {
  const { from, to, mayBeStored } = span
  batch.awaited(from, to, (waiter, count) => {
    if (ending === "stored") waiter.tellStored(count)
    else if (ending === "deadLettered") waiter.tellDeadLettered(count, reason, deadLetters, mayBeStored)
    else waiter.tellDropped(count, reason, mayBeStored)
  })
}
