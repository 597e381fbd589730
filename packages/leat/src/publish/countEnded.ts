import { countReason } from "../ledger/Counts.ts"
import type { Journal, Place, WriteAccount } from "../ledger/Ledger.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Span } from "./Span.ts"

/** How records end that a lane holds: what is counted, and who is told. */
export type Ending = "stored" | "fellBack" | "movedOut" | "deadLettered" | "dropped"

export function isKept(ending: Ending): ending is "stored" | "fellBack" | "movedOut" {
  return ending === "stored" || ending === "fellBack" || ending === "movedOut"
}

/** Counts records that have ended. */
export function countEnded(
  account: WriteAccount,
  batch: RecordBatch,
  { from, to, mayBeStored }: Span,
  ending: Ending,
  reason: string
): void {
  let events = to - from
  for (let index = from; index < to; index++) if (batch.isMarker(index)) events--
  if (ending === "movedOut" && account.movedOut === 0) account.moveBegan?.(account)
  if (isKept(ending)) account[ending] += events
  else if (events > 0) {
    countReason(account[ending], reason, events)
    if (mayBeStored || batch.isDoubtful) account.droppedMayBeStored += events
  }
}

/** Counts the records of a batch that was another leg's. */
export function countMovedIn(account: WriteAccount, batch: RecordBatch, journal: Journal | undefined): void {
  if (account.movedIn === 0) account.moveBegan?.(account)
  account.movedIn += batch.count
  if (journal === undefined) return
  for (let index = 0; index < batch.count; index++)
    journal.moved(account, batch.bucket[index] ?? 0, batch.seq[index] ?? 0, "movedOut", "queued")
}

/** Tells whoever waits for them, but for those that have moved out: who waits for these waits on. `topic`: that of dead letters. */
export function tellEnded(batch: RecordBatch, span: Span, ending: Ending, reason: string, topic: string): void {
  if (!batch.isAwaited || ending === "movedOut") return
  const { from, to } = span
  const mayBeStored = span.mayBeStored || batch.isDoubtful
  batch.awaited(from, to, (waiter, count) => {
    if (ending === "stored") waiter.tellStored(count)
    else if (ending === "fellBack") waiter.tellFellBack(count)
    else if (ending === "deadLettered") waiter.tellDeadLettered(count, reason, topic, mayBeStored)
    else waiter.tellDropped(count, reason, mayBeStored)
  })
}

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
