/**
 * What a driver opens, in a scope of its own. Closing it never fails and has an end, whatever the driver's client does then: everything else of a
 * leat is closed too, what could not be opened is tried again, and the process ends.
 */
import { Cause, Effect, Exit, Fiber, Option, Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import * as Telemetry from "../Telemetry.ts"

/** How long a driver is waited for that closes something, in milliseconds. */
const patienceMs = 60_000

/** `what` names what is opened, for a person; `textOf` says what the driver's client has thrown, without secrets. */
export function contained<A, E, R>(
  opening: Effect.Effect<A, E, R | Scope.Scope>,
  what: string,
  textOf: (thrown: unknown) => string = textOfThrown
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> {
  return Effect.flatMap(Effect.scope, (outer) =>
    Effect.suspend(() => {
      const own = Scope.makeUnsafe()
      const closed = Effect.flatMap(endOf(own), (exit) => {
        if (Option.isNone(exit))
          return Telemetry.warn(
            `the driver has not closed ${what} within ${patienceMs} ms, and is not waited for any longer`
          )
        if (Exit.isSuccess(exit.value)) return Effect.void
        return Telemetry.warn(`the driver broke while it closed ${what}: ${textOf(Cause.squash(exit.value.cause))}`)
      })
      return Effect.andThen(Scope.addFinalizer(outer, closed), Scope.provide(opening, own))
    })
  )
}

/** In a fiber that nobody waits for longer: a client may not let itself be interrupted. */
function endOf(scope: Scope.Closeable): Effect.Effect<Option.Option<Exit.Exit<void>>> {
  const closing = Effect.exit(Scope.close(scope, Exit.void))
  return Effect.flatMap(Effect.forkDetach(closing), (fiber) => Effect.timeoutOption(Fiber.join(fiber), patienceMs))
}
