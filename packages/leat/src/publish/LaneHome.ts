/** What a lane needs of its sink, is told with an answer, and says when it stands. */
import type { Ledger } from "../ledger/Ledger.ts"
import type { Position } from "../transport/index.ts"
import type { LaneRules } from "./LaneRules.ts"
import type { Queued, Span } from "./Span.ts"
import type { WriteLane } from "./WriteLane.ts"

/** What all lanes of a sink share. */
export interface LaneHome {
  readonly ledger: Ledger
  readonly rules: LaneRules
  /** Largest record that the transport takes, in bytes. */
  readonly recordBytesMax: number
  /** Whether the destination can promise that nothing sent earlier still lands. */
  readonly canFence: boolean
  /** Records that may wait for their letters at once; from then on the lane waits too. */
  readonly lettersMax: number
  /** Where dead letters go, as `cluster/topic`. */
  readonly deadLetters: string
  /** Has a copy of the records stored there; never answers (`letterAnswered`) before it returns. */
  readonly setAside: (lane: WriteLane, span: Span, failure: Halted) => void
  /** The policy spills, or falls back: from now on what the partition of the lane is sent goes there. False, or absent: there is no such place. */
  readonly trip?: (lane: WriteLane, failure: Halted) => boolean
  /** Records are in the spill, one behind the other from a position on. */
  readonly spilled?: (lane: WriteLane, span: Span, base: Position) => void
  /** What takes the place of the destination while a partition is on, where that is a fallback; absent: it is a spill, or nothing. */
  readonly fallback?: LaneFallback | undefined
  /** Nothing of the batch is left. */
  readonly recycle: (lane: WriteLane, queued: Queued) => void
}

/** Where what is sent has ended once it is stored. */
export interface LaneFallback {
  /** Whether the place that the partition of a lane is at can promise that nothing sent earlier still lands. */
  readonly canFence: (lane: WriteLane) => boolean
  /** That place has failed: from now on what the partition is sent goes to another one, where there is one. */
  readonly goOn: (lane: WriteLane, failure: Halted) => void
  /** It has stored records, one behind the other from a position on; undefined: it does not say where. */
  readonly took: (lane: WriteLane, span: Span, base: Position | undefined) => void
}

/** Why a lane stands still until a person says `resume`, or a record is set aside. */
export interface Halted {
  /** What the policy was asked about. */
  readonly tag: string
  /** Attempts made so far. */
  readonly attempts: number
  /** One sentence for a person. */
  readonly detail: string
  /** It is the fallback that refuses it: where its partition goes back, the destination is asked. */
  readonly isOfFallback?: true
}

/** Why and where a lane stands still until `resume`. */
export interface HaltedLane extends Halted {
  /** `cluster/topic`. */
  readonly sink: string
  readonly partition: number
  readonly stream: string
}

/** When an answer came, chance, and whether a range that was handed over earlier had failed. */
export interface AnswerFacts {
  readonly nowMs: number
  /** In [0, 1). */
  readonly random: number
  readonly isBehind: boolean
  /** Whether it is the answer of the spill, or of the fallback, and not of the destination; no when absent. */
  readonly isOfSpill?: boolean
}
