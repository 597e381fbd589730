import { TaggedError } from "../given/TaggedError.ts"
import type { HaltedReadLane } from "./SourceOptions.ts"

/**
 * A subscription that was waited for (`caughtUp`) will not catch up by itself.
 *
 * - `Halted`: a lane that it holds stands until `resume`; `halted` says which, and why.
 * - `Stopped`: it was stopped, or its leat closed, before the group had settled everything.
 * - `OwnHandler`: one of its own handlers waited for it, and would have waited for itself.
 *
 * @example
 * ```ts
 * yield* subscription.caughtUp.pipe(
 *   Effect.catchTag("NotCaughtUp", ({ halted }) => Effect.forEach(halted, ({ partition, detail }) => Effect.logError(partition, detail)))
 * )
 * ```
 */
export class NotCaughtUp extends TaggedError("NotCaughtUp")<{
  /** Why. */
  readonly reason: "Halted" | "Stopped" | "OwnHandler"
  /** Name of the group. */
  readonly group: string
  /** Logical stream of the contract. */
  readonly stream: string
  /** Lanes that stand; empty for the other reasons. */
  readonly halted: ReadonlyArray<HaltedReadLane>
  /** What the handler failed with for which the first of them stands. */
  readonly cause?: unknown
}> {
  constructor(fields: Pick<NotCaughtUp, "reason" | "group" | "stream" | "halted">) {
    super(fields)
    const failed = fields.halted.find(({ error }) => error !== undefined)
    if (failed !== undefined) Object.defineProperty(this, "cause", { value: failed.error, enumerable: false })
  }

  override get message(): string {
    const who = `the group ${this.group} of ${this.stream}`
    if (this.reason === "Stopped") return `${who} has not caught up: its subscription was stopped`
    if (this.reason === "OwnHandler")
      return `${who} cannot catch up while one of its handlers waits for that: call caughtUp outside of the handler`
    const stands = this.halted.map(
      ({ partition, position, tag, detail }) =>
        `partition ${partition} stands at position ${position} (${tag}: ${detail})`
    )
    return `${who} has not caught up, and does not until it is resumed: ${stands.join("; ")}`
  }
}
