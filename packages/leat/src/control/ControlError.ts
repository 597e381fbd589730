/** What goes wrong with a control stream. */
import { TaggedError } from "../given/TaggedError.ts"

/** Why something could not be said in the control stream, or why it could not be followed. */
export type ControlReason =
  /** It is out of bounds, or says what cannot be: nothing was written. */
  | "Refused"
  /** Somebody else was first: it was written, and does not count. */
  | "Overtaken"
  /** The cluster did not store it in time: nothing was written. Publishing and consuming go on. */
  | "Unreachable"
  /** It may be written, and may come to count later: read the state before saying it again. */
  | "InDoubt"
  /** What was before the beginning of the stream is gone, and no snapshot has it. */
  | "Lost"
  /** The topic or its transport cannot be a control stream. */
  | "Unfit"

/**
 * Something could not be said in the control stream of a fleet, or it could not be followed. Publishing and consuming go on.
 *
 * @example
 * ```ts
 * Effect.catchTag("ControlError", ({ reason, detail }) => Effect.logWarning(`${reason}: ${detail}`))
 * ```
 */
export class ControlError extends TaggedError("ControlError")<{
  /** What kind of failure it is. */
  readonly reason: ControlReason
  /** One sentence for a person. */
  readonly detail: string
}> {
  override get message(): string {
    return `control stream: ${this.reason}: ${this.detail}`
  }
}
