import { Clock, Effect } from "effect"
import { monotonicMs } from "../Wake.ts"
import { TaggedError } from "../given/TaggedError.ts"

/** Whoever waits in a test is not misled by a wall clock that the test sets. */
const nowOf = Effect.map(Clock.Clock, monotonicMs)

/**
 * A condition did not come true in time.
 *
 * @example
 * ```ts
 * yield* Effect.catchTag(waitUntil("the lane is back", isBack), "NotInTime", ({ message }) => Effect.logWarning(message))
 * ```
 */
export class NotInTime extends TaggedError("NotInTime")<{
  /** As it was given. */
  readonly what: string
  /** How long it was waited for, in milliseconds. */
  readonly ms: number
  /** What has failed meanwhile, in words. */
  readonly fails?: string
  /** Its error. */
  readonly cause?: unknown
}> {
  override get message(): string {
    const fails = this.fails === undefined ? "" : `; ${this.fails}`
    return `${this.what} did not happen within ${this.ms} ms${fails}`
  }
}

/**
 * Waits until a condition holds, looking every `everyMs` milliseconds, 5 when absent. Fails with `NotInTime` after
 * `withinMs`, 10,000 when absent.
 *
 * @example
 * ```ts
 * yield* waitUntil("a lane halts", Effect.sync(() => subscription.halted().length > 0))
 * ```
 */
export const waitUntil = <E, R>(
  what: string,
  condition: Effect.Effect<boolean, E, R>,
  { withinMs = 10_000, everyMs = 5 }: { readonly withinMs?: number; readonly everyMs?: number } = {}
): Effect.Effect<void, E | NotInTime, R> =>
  Effect.flatMap(nowOf, (startMs) => {
    const look: Effect.Effect<void, E | NotInTime, R> = Effect.flatMap(condition, (holds) => {
      if (holds) return Effect.void
      return Effect.flatMap(nowOf, (nowMs) =>
        nowMs - startMs >= withinMs
          ? Effect.fail(new NotInTime({ what, ms: withinMs }))
          : Effect.andThen(Effect.sleep(everyMs), look)
      )
    })
    return look
  })
