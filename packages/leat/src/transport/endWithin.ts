/** Waits for what a driver may keep from ending: its client may not let itself be interrupted. */
import { Effect, type Exit, Fiber, Option } from "effect"

/** How it has ended, within so many milliseconds; undefined: it has not, and nobody waits for it any longer. */
export function endWithin<A, E>(ending: Effect.Effect<A, E>, ms: number): Effect.Effect<Exit.Exit<A, E> | undefined> {
  // At once: what ends without waiting has ended then.
  return Effect.flatMap(Effect.forkDetach(Effect.exit(ending), { startImmediately: true }), (fiber) => {
    const ended = fiber.pollUnsafe()
    if (ended !== undefined) return ended
    return Effect.map(Effect.timeoutOption(Fiber.join(fiber), ms), Option.getOrUndefined)
  })
}

/** A call that is left with its driver when whoever waits for it is interrupted: it may not let itself be. What it opens later belongs to a scope that has ended. */
export function leaving<A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> {
  return Effect.acquireUseRelease(
    Effect.forkDetach(Effect.interruptible(call), { startImmediately: true }),
    (fiber) => Fiber.join(fiber),
    (fiber) => Effect.sync(() => fiber.interruptUnsafe())
  )
}
