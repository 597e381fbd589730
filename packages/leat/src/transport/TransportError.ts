/**
 * The one error of every transport. A driver classifies its client's errors by code into a `reason`; the layer above reads
 * only `isRetryable` and `mayBeStored`, and policies match the reason's name.
 */
import { TaggedError } from "../given/TaggedError.ts"
import { reasons, type TransportReason } from "../reasons.ts"

export { reasons, type TransportReason } from "../reasons.ts"

/**
 * Why a transport could not do what was asked of it.
 *
 * @example
 * ```ts
 * new TransportError({ reason: "Timeout", transport: "memory", operation: "send", detail: "no answer within 30000 ms" })
 * ```
 */
export class TransportError extends TaggedError("TransportError")<{
  /** What kind of failure it is; see `reasons`. */
  readonly reason: TransportReason
  /** Name of the transport: `memory`. */
  readonly transport: string
  /** The SPI operation that failed: `send`, `fence`, `subscribe`, ... */
  readonly operation: string
  /** One sentence for a person; never read by code. */
  readonly detail: string
  /** The client's own error, where there is one. */
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.transport} ${this.operation}: ${this.reason}: ${this.detail}`
  }
  /** Whether trying the same again may succeed without anybody changing anything. */
  get isRetryable(): boolean {
    return known(this.reason)?.isRetryable ?? false
  }
  /** Whether the records of the failed request may nevertheless be stored. */
  get mayBeStored(): boolean {
    return known(this.reason)?.mayBeStored ?? true
  }
}

/** Undefined for a reason that leat has not: a driver without types may say any. */
function known(reason: TransportReason) {
  return Object.hasOwn(reasons, reason) ? reasons[reason] : undefined
}
