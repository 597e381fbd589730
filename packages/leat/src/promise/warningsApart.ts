import { Effect, Logger } from "effect"

/** What leat warns of goes to standard error: what a program prints on standard output is its own. */
export function warningsApart<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.provideService(effect, Logger.LogToStderr, true)
}
