/**
 * What `offer` says, at once and without allocating: the answers are shared constants. The id of an admitted event is read
 * from the stream (`lastId`), because an object per event is what the publish path does not pay for.
 */
import { TaggedError } from "../given/TaggedError.ts"
import type { EventId } from "../record/EventId.ts"
import type { Outcome } from "../ledger/Waiter.ts"

/**
 * Why an event was not admitted.
 *
 * - `overflow`: a required sink's buffer is full and its rule is not to wait, or `offer` cannot.
 * - `buffersFull`: as `overflow`, for want of room in the buffers of all sinks together (`buffers.bytes` of the options).
 * - `invalid`: a value that would not come back as it was; `detail` of the error, and `lastFault` of the stream, name the field. Also a tombstone on a
 *   contract that is not compacted, and the level `durable` where a destination keeps nothing.
 * - `emptyKey`, `keyTooLarge`: a keyed contract needs 1 to 4096 bytes of key.
 * - `tooLarge`: the record is over what a required sink's transport takes.
 * - `timeout`, `interrupted`: a blocked publish that gave up waiting.
 * - `closed`: leat is closing.
 */
export type RejectReason =
  | "overflow"
  | "buffersFull"
  | "invalid"
  | "emptyKey"
  | "keyTooLarge"
  | "tooLarge"
  | "timeout"
  | "interrupted"
  | "closed"

/**
 * Whether an event is in the buffer of every required destination, or in none and why. Admitted is not stored: `publish`
 * waits for that.
 *
 * @example
 * ```ts
 * const told = sightings.offer(sighting)
 * if (!told.admitted) console.warn(told.reason) // "overflow"
 * ```
 */
export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly reason: RejectReason }

/**
 * What `offer` says of every event that is admitted: one frozen object.
 *
 * @example
 * ```ts
 * sightings.offer(sighting) === admitted // true
 * ```
 */
export const admitted: Admission = Object.freeze({ admitted: true })

/**
 * What `offer` says of an event that is not admitted, by reason: frozen objects, so that they can be compared.
 *
 * @example
 * ```ts
 * if (sightings.offer(sighting) === rejection.overflow) yield* sightings.flush
 * ```
 */
export const rejection: { readonly [R in RejectReason]: { readonly admitted: false; readonly reason: R } } = {
  overflow: Object.freeze({ admitted: false, reason: "overflow" }),
  buffersFull: Object.freeze({ admitted: false, reason: "buffersFull" }),
  invalid: Object.freeze({ admitted: false, reason: "invalid" }),
  emptyKey: Object.freeze({ admitted: false, reason: "emptyKey" }),
  keyTooLarge: Object.freeze({ admitted: false, reason: "keyTooLarge" }),
  tooLarge: Object.freeze({ admitted: false, reason: "tooLarge" }),
  timeout: Object.freeze({ admitted: false, reason: "timeout" }),
  interrupted: Object.freeze({ admitted: false, reason: "interrupted" }),
  closed: Object.freeze({ admitted: false, reason: "closed" })
}

/**
 * The event was not admitted: nothing of it will ever be stored. `publish` fails with it, and `publishAll` lists it;
 * `detail` is one sentence for a person.
 *
 * @example
 * ```ts
 * yield* sightings.publish(sighting).pipe(
 *   Effect.catchTag("Rejected", ({ reason, detail }) => Effect.logWarning(`not published: ${reason}, ${detail}`))
 * )
 * ```
 */
export class Rejected extends TaggedError("Rejected")<{
  /** Why. */
  readonly reason: RejectReason
  /** Logical stream of the contract. */
  readonly stream: string
  /** Where the fault is, in one sentence for a person; never read by code. */
  readonly detail: string
}> {
  override get message(): string {
    return `${this.stream}: the event was rejected (${this.reason}): ${this.detail}`
  }
}

/**
 * Why a leg counts as dropped that stood in a spill which another process then had, and sent on: nobody here knows what became of it. Each of
 * them may be stored.
 *
 * @example
 * ```ts
 * const taken = leat.ledger.snapshot().legs.map(({ dropped }) => dropped[takenOver] ?? 0)
 * ```
 */
export const takenOver = "takenOver"

/**
 * The event was admitted, and then given up or set aside as a dead letter by a policy, so the level asked for was not reached on every required
 * leg. `publish` and `publishAll` fail with it; `outcome` counts the legs. Of a `publishAll` it names
 * no event.
 *
 * @example
 * ```ts
 * yield* sightings.publish(sighting).pipe(
 *   Effect.catchTag("NotStored", ({ message, outcome }) => Effect.logError(message, outcome.dropped)) // { Unauthorized: 1 }
 * )
 * ```
 */
export class NotStored extends TaggedError("NotStored")<{
  /** Logical stream of the contract. */
  readonly stream: string
  /** The event; undefined where it was one of many. */
  readonly id: EventId | undefined
  /** How the required legs ended. */
  readonly outcome: Outcome
}> {
  override get message(): string {
    const { dropped: given, deadLettered, deadLetters, spilled } = this.outcome
    const { [takenOver]: taken = 0, ...dropped } = given
    const ends = [
      ...(taken === 0 ? [] : [`taken over by another process (${taken}), and what became of it is not known here`]),
      ...(Object.keys(dropped).length === 0 ? [] : [`dropped by policy (${textOf(dropped)})`]),
      ...(deadLetters.length === 0 ? [] : [`dead-lettered to ${deadLetters.join(", ")} (${textOf(deadLettered)})`]),
      ...(spilled === 0 ? [] : [`left in the spill when leat was closed (${spilled}), for the next process to send`])
    ]
    return `${this.stream}: the event was admitted, then ${ends.join(", and ")}`
  }
}

function textOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(", ")
}
