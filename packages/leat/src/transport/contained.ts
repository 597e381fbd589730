/**
 * What a driver opens, in a scope of its own. What it has acquired for an opening that fails is closed at once. Closing it never fails and has an
 * end, whatever the driver's client does then: everything else of a leat is closed too, what could not be opened is tried again, and the process
 * ends.
 */
import { Cause, Effect, Exit, Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import * as Telemetry from "../Telemetry.ts"
import { endWithin } from "./endWithin.ts"

/** How long a driver is waited for that closes something, in milliseconds. */
export const patienceMs = 60_000

/** `what` names what is opened, for a person; `textOf` says what the driver's client has thrown, without secrets. */
export function contained<A, E, R>(
  opening: Effect.Effect<A, E, R | Scope.Scope>,
  what: string,
  textOf: (thrown: unknown) => string = textOfThrown
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> {
  const end = (own: Scope.Closeable) =>
    Effect.flatMap(endWithin(Scope.close(own, Exit.void), patienceMs), (exit) => {
      if (exit === undefined)
        return Telemetry.warn(
          `the driver has not closed ${what} within ${patienceMs} ms, and is not waited for any longer`
        )
      if (Exit.isSuccess(exit)) return Effect.void
      return Telemetry.warn(`the driver broke while it closed ${what}: ${textOf(Cause.squash(exit.cause))}`)
    })
  return allOrNothing(opening, end)
}

/** In a scope of its own, which ends with the outer one, or at once where the opening fails: it is tried anew as a whole. */
export function allOrNothing<A, E, R>(
  opening: Effect.Effect<A, E, R | Scope.Scope>,
  end: (own: Scope.Closeable) => Effect.Effect<void> = (own) => Scope.close(own, Exit.void)
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> {
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (outer) => {
      const own = Scope.makeUnsafe()
      const opened = restore(
        Scope.provide(
          Effect.suspend(() => opening),
          own
        )
      )
      const ending = endingOf(own, end)
      // Not `addFinalizer`, which keeps an effect for each.
      return Effect.onExit(opened, (exit) => (Exit.isSuccess(exit) ? Scope.addFinalizerExit(outer, ending) : ending()))
    })
  )
}

/** Kept for each thing that is open: made when it is needed, and without whatever the opening needs. */
function endingOf(own: Scope.Closeable, end: (own: Scope.Closeable) => Effect.Effect<void>): () => Effect.Effect<void> {
  return () => end(own)
}
