/** How a loss objective stands: plain data. */
import type { Ended } from "./Windows.ts"

/** What a person has to do: nothing, look at it in the next days, look at it now. */
export type LossState = "ok" | "ticket" | "page"

/** What was lost within one window. */
export interface Burn extends Ended {
  readonly windowMs: number
  /** The lost share over the share that may be lost. */
  readonly burn: number
}

/** The loss objective of one stream in the sink of one required leg, and how fast it is used up now. */
export interface ObjectiveRow {
  readonly stream: string
  /** `cluster/topic`. */
  readonly sink: string
  readonly epoch: number
  /** The share of the events that may be lost. */
  readonly loss: number
  /** Within what time, in milliseconds. */
  readonly windowMs: number
  readonly state: LossState
  /** Windows that decide about the state, the shortest first. */
  readonly burns: ReadonlyArray<Burn>
}
