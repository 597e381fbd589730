/** What an audit tells. */
import type { Counts } from "../ledger/Counts.ts"
import type { EventId } from "../record/EventId.ts"
import type { SequenceRange, Tally } from "./SequenceAudit.ts"

/** The events of one window of time, by the times of the records that show them. */
export interface AuditWindow {
  /** Epoch milliseconds at which it begins. */
  readonly fromMs: number
  readonly events: number
  readonly dropped: number
  readonly missing: number
}

/** How far a group has got. */
export interface GroupAudit {
  readonly group: string
  /** Events that it has settled: handled, dropped by its policy, or set aside. */
  readonly settled: number
  /** Events that are before it. */
  readonly waiting: number
  /** Of the settled: dead letters, by what became of them. */
  readonly deadLetters: { readonly open: number; readonly replayed: number; readonly dropped: number }
}

/** What is not there of what a process that is gone had announced as admitted, of one stream; counts are of events. */
export interface GonePublisher {
  readonly incarnation: string
  readonly stream: string
  /** Of what it had announced: there. */
  readonly stored: number
  /** At most so many are lost with it. */
  readonly crashLost: number
  /** In its spill, or its fallback, as far as is known. */
  readonly spilled: number
  /** Told as stored, and not there. */
  readonly missing: number
  /** There, or dropped, beyond what it has admitted: its ledger and the topic contradict each other. */
  readonly excess: number
  /** Nobody can tell. */
  readonly unauditable: number
}

/** What an audit has found; counts are of events, unless they say otherwise. */
export interface AuditReport extends Tally {
  readonly topic: string
  /** Publishers (incarnations) that have written there, or announced that they have. */
  readonly publishers: number
  /** Neither there nor announced as dropped: lost. */
  readonly missing: number
  readonly missingRanges: ReadonlyArray<SequenceRange>
  /** Dropped by the policy of a publisher, and announced, by reason. `unannounced`: counted in its ledger alone. */
  readonly dropped: Readonly<Counts>
  /** Lost with processes that were killed; known by their ledgers alone. */
  readonly crashLost: number
  /** On their way in processes that run, by their ledgers. */
  readonly pending: number
  /** What became of the events of each process that is gone, by its ledger. */
  readonly gone: ReadonlyArray<GonePublisher>
  /** Nobody can tell: before the first record that is kept, or taken away by compaction. */
  readonly unauditable: number
  /** (missing + dropped + crashLost) / (the same + events), 0 to 1. */
  readonly lossRatio: number
  readonly windows: ReadonlyArray<AuditWindow>
  readonly copyIds: ReadonlyArray<EventId>
  readonly outOfOrderIds: ReadonlyArray<EventId>
  readonly group?: GroupAudit
}
