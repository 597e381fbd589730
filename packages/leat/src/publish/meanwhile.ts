import { Effect } from "effect"

/**
 * Notes something while work is done, and takes it back whatever ends that. A note that is made in one step, with `Effect.ensuring` in the next, stays for
 * ever where the fiber is interrupted between the two.
 */
export function meanwhile<A, E, R>(
  noted: () => unknown,
  work: Effect.Effect<A, E, R>,
  over: () => unknown
): Effect.Effect<A, E, R> {
  return Effect.acquireUseRelease(
    Effect.sync(noted),
    () => work,
    () => Effect.sync(over)
  )
}
