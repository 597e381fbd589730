import { TaggedError } from "../given/TaggedError.ts"
import type { EventId } from "../record/EventId.ts"
import type { Outcome } from "../ledger/Waiter.ts"

/**
 * The signal of a `publish` or `publishAll` was aborted after events had been admitted: they go their way, and may be stored. When
 * nothing was admitted, the promise rejects with the reason of the signal itself.
 *
 * @example
 * ```ts
 * await sightings.publish(sighting, { signal: AbortSignal.timeout(500) }).catch(async (error) => {
 *   if (!(error instanceof NotAwaited)) throw error // not admitted: nothing of it will ever be stored
 *   const { stored } = await error.outcome()
 * })
 * ```
 */
export class NotAwaited extends TaggedError("NotAwaited")<{
  /** Logical stream of the contract. */
  readonly stream: string
  /** The event; undefined where there were many. */
  readonly id: EventId | undefined
  /** Events that were admitted. */
  readonly admitted: number
  /** What became of their required legs, when all of them have ended. */
  readonly outcome: () => Promise<Outcome>
  /** Reason of the signal. */
  readonly cause: unknown
}> {
  override get message(): string {
    const what = this.id === undefined ? `${this.admitted} events were` : "the event was"
    return `${this.stream}: the signal was aborted after ${what} admitted; leat goes on sending, and outcome() tells how it ends`
  }
}
