/**
 * The one error of every transport. A driver classifies its client's errors by code into a `reason`; the layer above reads
 * only `isRetryable` and `mayBeStored`, and policies match the reason's name.
 */
// Not from "effect": drivers load this module in workers, and all of effect takes 300 ms where this takes 15.
import * as Data from "effect/Data"

interface ReasonFacts {
  /** Whether trying the same again may succeed without anybody changing anything. */
  readonly isRetryable: boolean
  /** Whether the records of the failed request may nevertheless be stored. */
  readonly mayBeStored: boolean
}

/**
 * Every reason, and why it is, or is not, tried again.
 *
 * @example
 * ```ts
 * reasons.Timeout // { isRetryable: true, mayBeStored: true }
 * ```
 */
export const reasons = {
  /** The backend cannot be reached; nothing was written to it. Passes. */
  Unavailable: { isRetryable: true, mayBeStored: false },
  /** The request was written and no answer came in time. */
  Timeout: { isRetryable: true, mayBeStored: true },
  /** The connection broke, or the leader behind it gave up its office, after the request was written. */
  Disconnected: { isRetryable: true, mayBeStored: true },
  /** The backend asks for less. Passes. */
  Throttled: { isRetryable: true, mayBeStored: false },
  /** Fewer replicas than the declared durability needs. Passes. */
  NotEnoughReplicas: { isRetryable: true, mayBeStored: false },
  /** As above, but the leader had appended when it noticed. */
  NotEnoughReplicasAfterAppend: { isRetryable: true, mayBeStored: true },
  /** The topic or partition does not exist. May pass: metadata travels slowly, an operator creates it. */
  UnknownTopic: { isRetryable: true, mayBeStored: false },
  /** A record, or the batch around it, is over the limit. The layer above splits the batch; one record alone never fits. */
  TooLarge: { isRetryable: false, mayBeStored: false },
  /** The backend judged the record itself wrong. It would again. */
  Rejected: { isRetryable: false, mayBeStored: false },
  /** Who we are is not accepted. An operator has to act, and may: policies decide how long to wait. */
  Unauthenticated: { isRetryable: false, mayBeStored: false },
  /** We are known, and may not. */
  Unauthorized: { isRetryable: false, mayBeStored: false },
  /** Another writer took over; this one must never write again. */
  Fenced: { isRetryable: false, mayBeStored: false },
  /** The lane was given to another member. */
  LaneLost: { isRetryable: false, mayBeStored: false },
  /** The disk, quota or memory of the backend is full. */
  Full: { isRetryable: true, mayBeStored: false },
  /** Bytes read back are not the bytes written. */
  Corrupt: { isRetryable: false, mayBeStored: false },
  /** The transport cannot do what was asked of it. A programming or configuration fault. */
  Unsupported: { isRetryable: false, mayBeStored: false },
  /** The transport was closed. */
  Closed: { isRetryable: false, mayBeStored: false },
  /** A code the driver does not know. Unknown means: assume the worst of both. */
  Unknown: { isRetryable: true, mayBeStored: true }
} as const satisfies Record<string, ReasonFacts>

/** Name of a reason; what `on` of a policy's rule matches. */
export type TransportReason = keyof typeof reasons

/**
 * Why a transport could not do what was asked of it.
 *
 * @example
 * ```ts
 * new TransportError({ reason: "Timeout", transport: "memory", operation: "send", detail: "no answer within 30000 ms" })
 * ```
 */
export class TransportError extends Data.TaggedError("TransportError")<{
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
    return reasons[this.reason].isRetryable
  }
  /** Whether the records of the failed request may nevertheless be stored. */
  get mayBeStored(): boolean {
    return reasons[this.reason].mayBeStored
  }
}
