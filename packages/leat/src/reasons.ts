/** The kinds of failures that transports have, as data: what policies and the layer above read of a `TransportError`. */

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
  /** The request was written and no answer came in time, neither to it nor to one before it on its connection. */
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

/**
 * What the policy of a leg is asked about an event that its open breaker keeps from being sent. It is no failure of a transport: only a rule that
 * names it is for it, and `passing` and `*` are not, because they are for what was tried.
 */
export const breakerOpen = "BreakerOpen"

/**
 * What the policy of a leg is asked about an event that has waited in its spill for longer than `spill.age`. Nobody has refused it: only a rule that
 * names it is for it.
 */
export const spillExpired = "SpillExpired"

/** Name of a reason; what `on` of a policy's rule matches. */
export type TransportReason = keyof typeof reasons

/** Every name of a reason. */
export const reasonNames: ReadonlyArray<string> = Object.keys(reasons)

/** Whether a tag is that of a reason that passes: what `passing` in a policy's `on` stands for. */
export function isPassing(tag: string): boolean {
  return Object.hasOwn(reasons, tag) && reasons[tag as TransportReason].isRetryable
}
