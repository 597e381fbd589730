/** A handler that gives a promise, as an effect that can be interrupted: its signal is aborted, and what it does then is waited for. */
import { AsyncLocalStorage } from "node:async_hooks"
import { Effect, Exit, Fiber } from "effect"
import type { DeliveryInfo } from "../consume/DeliveryInfo.ts"
import { traceparentOf } from "../Telemetry.ts"

/** What is being handled here and now, and in which trace, so that whatever a handler publishes carries its cause. */
interface Handled {
  readonly delivery: DeliveryInfo
  readonly traceparent: string | undefined
}

const current = new AsyncLocalStorage<Handled>()

export function currentDelivery(): Handled | undefined {
  return current.getStore()
}

/**
 * Calls a handler. What returns without a promise has ended already; what it throws keeps its `_tag` or name, which is what policies
 * match. A promise cannot be interrupted, so its fiber ends with it: the handler hears of it by its signal.
 */
export function handled(info: DeliveryInfo | undefined, run: () => void | Promise<void>): Effect.Effect<void, unknown> {
  try {
    const answer = info === undefined ? run() : current.run(contextOf(info), run)
    // As `await` does: whatever a thenable does then, it is answered once.
    return isThenable(answer) ? Effect.uninterruptible(settled(Promise.resolve(answer))) : Effect.void
  } catch (error) {
    return Exit.fail(error)
  }
}

function contextOf(delivery: DeliveryInfo): Handled {
  const fiber = Fiber.getCurrent()
  const own = fiber === undefined ? undefined : traceparentOf(fiber)
  return { delivery, traceparent: own ?? delivery.traceparent }
}

function isThenable(answer: unknown): answer is PromiseLike<void> {
  if (answer === null || (typeof answer !== "object" && typeof answer !== "function")) return false
  return "then" in answer && typeof answer.then === "function"
}

function settled(promise: Promise<void>): Effect.Effect<void, unknown> {
  return Effect.callback((resume) => {
    promise.then(
      () => resume(Effect.void),
      (error: unknown) => resume(Effect.fail(error))
    )
  })
}
