/** The end of everything that a test has set in motion. */
import { Effect } from "effect"
import type { NotCaughtUp } from "../consume/NotCaughtUp.ts"
import type { Subscription } from "../consume/Subscription.ts"
import type { OpenLeat } from "../OpenLeat.ts"
import type { TransportError } from "../transport/index.ts"
import { takes } from "../given/takes.ts"
import { failedSince, HandlersFailed, stillFails } from "./HandlersFailed.ts"
import { NotInTime } from "./waitUntil.ts"

/** How long a test waits for quiet. */
export interface QuietOptions {
  /** Milliseconds; 10,000 when absent. */
  readonly withinMs?: number | undefined
  /**
   * What handlers may fail with, by the `_tag` or the name of the error, without that the wait fails: what is dead-lettered or dropped for it is what
   * the test wants to see. `any`: whatever it is. None when absent.
   */
  readonly expectedFailures?: "any" | ReadonlyArray<string> | undefined
}

/** A leat of `leat/promise`. */
interface LeatOfPromises {
  readonly effect: OpenLeat
}

type BecameQuiet = Effect.Effect<void, NotCaughtUp | TransportError | NotInTime | HandlersFailed>

function wait(leat: OpenLeat, options?: QuietOptions): BecameQuiet
function wait(leat: LeatOfPromises, options?: QuietOptions): Promise<void>
function wait(leat: OpenLeat | LeatOfPromises, options: QuietOptions = {}): BecameQuiet | Promise<void> {
  return "effect" in leat ? Effect.runPromise(quiet(leat.effect, options)) : quiet(leat, options)
}

/**
 * Waits until nothing is left to do in a leat: everything that was published is stored or dropped, and all its subscriptions have caught
 * up; also with what their handlers have published meanwhile. What a handler leaves behind without waiting for it (a timer) is not seen.
 * An effect for a leat of `leat`, a promise for one of `leat/promise`.
 *
 * Fails with `HandlersFailed` where something was dead-lettered or dropped meanwhile because a handler failed, or a record could not be decoded, unless
 * `expectedFailures` names it: since the leat was opened, or since this was called last. Fails as `caughtUp` does (`NotCaughtUp` where a lane has
 * halted), and with `NotInTime` after `withinMs`.
 *
 * @example
 * ```ts
 * yield* orders.publish(order)
 * yield* waitUntilQuiet(leat)
 * expect(invoices).toEqual([{ order: "o1", cents: 1200n }])
 * ```
 */
export const waitUntilQuiet = wait

function quiet(leat: OpenLeat, { withinMs = 10_000, expectedFailures = [] }: QuietOptions): BecameQuiet {
  const what = `the leat ${leat.source} becoming quiet`
  const isList = expectedFailures === "any" || Array.isArray(expectedFailures)
  const wanted = 'expectedFailures: "any", or a list of names'
  const checked = Effect.sync(() => takes("waitUntilQuiet", wanted, isList, expectedFailures))
  return Effect.timeoutOrElse(Effect.andThen(checked, becomesQuiet(leat)), {
    duration: withinMs,
    orElse: () => Effect.fail(new NotInTime({ what, ms: withinMs, ...stillFails(leat) }))
  }).pipe(
    Effect.flatMap(() => {
      const failures = failedSince(leat).filter(
        ({ name }) => expectedFailures !== "any" && !expectedFailures.includes(name)
      )
      const [first] = failures
      return first === undefined ? Effect.void : Effect.fail(new HandlersFailed({ failures, cause: first.error }))
    })
  )
}

const becomesQuiet = Effect.fnUntraced(function* (leat: OpenLeat) {
  for (;;) {
    const before = motionOf(leat)
    yield* leat.flush
    yield* Effect.forEach(leat.subscriptions(), awaited, { concurrency: "unbounded", discard: true })
    const after = motionOf(leat)
    if (after.waiting === 0 && after.offered === before.offered && after.running === before.running) return
    yield* Effect.sleep(1)
  }
})

/** One that is stopped meanwhile has nothing left to do. */
function awaited({ caughtUp }: Subscription): Effect.Effect<void, NotCaughtUp | TransportError> {
  return Effect.catchIf(
    caughtUp,
    (error) => error._tag === "NotCaughtUp" && error.reason === "Stopped",
    () => Effect.void
  )
}

/** What changes when a handler, or anybody else, publishes or subscribes. */
function motionOf(leat: OpenLeat) {
  const { streams } = leat.ledger.snapshot()
  return {
    offered: streams.reduce((sum, { offered }) => sum + offered, 0),
    waiting: streams.reduce((sum, { waiting }) => sum + waiting, 0),
    running: leat.subscriptions().length
  }
}
