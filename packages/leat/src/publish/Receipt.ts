/** What the caller of a publish says, and what it is told. */
import type { Effect } from "effect"
import type { EventId } from "../record/EventId.ts"
import type { Outcome } from "../ledger/Waiter.ts"
import type { EventContext } from "../record/ContextHeaders.ts"
import type { Rejected } from "./Admission.ts"

/**
 * What `publish` completes at: admitted to the buffer; on disk, in the cluster of every required leg or in its spill; or acknowledged by every
 * required leg's cluster.
 */
export type Level = "queued" | "durable" | "stored"

/** How one call publishes, and what the event carries besides its value. */
export interface PublishOptions extends EventContext {
  /** Instead of the level that the route names. */
  readonly level?: Level | undefined
}

/** What `publish` says when the level is reached. */
export interface Receipt {
  /** The same on every leg, and what a handler sees as `delivery.id`. */
  readonly id: EventId
  /** What became of the required legs, when all of them have ended. */
  readonly outcome: Effect.Effect<Outcome>
}

/** What `publishAll` says when the level is reached. */
export interface ReceiptAll {
  /** Events that were admitted. */
  readonly admitted: number
  /** The events that were not admitted, by their index in the input. Those in a row with the same reason have the same error. */
  readonly rejected: ReadonlyArray<{ readonly index: number; readonly error: Rejected }>
  /** What became of the required legs of all of them, when all have ended. */
  readonly outcome: Effect.Effect<Outcome>
}
