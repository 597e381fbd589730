import { TaggedError } from "../given/TaggedError.ts"

/** One event of a batch that failed. */
export interface FailedPart {
  /** Index in what the handler was given, from 0. */
  readonly index: number
  /** What it failed with; the policy judges its `_tag` or name. */
  readonly error: unknown
}

/**
 * What a handler of batches fails with when it knows which events failed: those are judged by the policy one by one, in order, and the
 * others are done.
 *
 * @example
 * ```ts
 * yield* orders.handleBatch("billing", (deliveries) =>
 *   Effect.flatMap(chargeAll(deliveries), (failures) => (failures.length === 0 ? Effect.void : new PartlyFailed({ failures })))
 * )
 * ```
 */
export class PartlyFailed extends TaggedError("PartlyFailed")<{ readonly failures: ReadonlyArray<FailedPart> }> {
  override get message(): string {
    return `${this.failures.length} of the events of a batch failed`
  }
}
