/**
 * What `offer` says, at once and without allocating: the answers are shared constants. The id of an admitted event is read
 * from the stream (`lastId`), because an object per event is what the publish path does not pay for.
 *
 * @example
 * ```ts
 * const told = sightings.offer(sighting)
 * if (!told.admitted) log.warn(told.reason)
 * ```
 */
import { Data } from "effect"
import type { EventId } from "./EventId.ts"
import type { Outcome } from "./Waiter.ts"

/**
 * Why an event was not admitted.
 *
 * - `overflow`: a required sink's buffer is full and its rule is not to wait, or `offer` cannot.
 * - `invalid`: a value that would not come back as it was; `detail` of the error names the field.
 * - `emptyKey`, `keyTooLarge`: a keyed contract needs 1 to 4096 bytes of key.
 * - `tooLarge`: the record is over what a required sink's transport takes.
 * - `timeout`, `interrupted`: a blocked publish that gave up waiting.
 * - `closed`: leat is closing.
 */
export type RejectReason =
  | "overflow"
  | "invalid"
  | "emptyKey"
  | "keyTooLarge"
  | "tooLarge"
  | "timeout"
  | "interrupted"
  | "closed"

export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly reason: RejectReason }

export const admitted: Admission = Object.freeze({ admitted: true })

export const rejection: { readonly [R in RejectReason]: { readonly admitted: false; readonly reason: R } } = {
  overflow: Object.freeze({ admitted: false, reason: "overflow" }),
  invalid: Object.freeze({ admitted: false, reason: "invalid" }),
  emptyKey: Object.freeze({ admitted: false, reason: "emptyKey" }),
  keyTooLarge: Object.freeze({ admitted: false, reason: "keyTooLarge" }),
  tooLarge: Object.freeze({ admitted: false, reason: "tooLarge" }),
  timeout: Object.freeze({ admitted: false, reason: "timeout" }),
  interrupted: Object.freeze({ admitted: false, reason: "interrupted" }),
  closed: Object.freeze({ admitted: false, reason: "closed" })
}

/** The event was not admitted: nothing of it will ever be stored. */
export class Rejected extends Data.TaggedError("Rejected")<{
  readonly reason: RejectReason
  readonly stream: string
  readonly detail: string
}> {
  override get message(): string {
    return `${this.stream}: the event was rejected (${this.reason}): ${this.detail}`
  }
}

/** The event was admitted and then given up by a policy, so the level asked for was not reached on every required leg. */
export class NotStored extends Data.TaggedError("NotStored")<{
  readonly stream: string
  readonly id: EventId
  readonly outcome: Outcome
}> {
  override get message(): string {
    const reasons = Object.entries(this.outcome.dropped).map(([reason, count]) => `${count} ${reason}`)
    return `${this.stream}: the event was admitted, then dropped by policy (${reasons.join(", ")})`
  }
}
