/** A handler that gives a promise, as an effect that can be interrupted: its signal is aborted, and what it does then is waited for. */
import { AsyncLocalStorage } from "node:async_hooks"
import { Effect, Exit, Fiber } from "effect"
import { type DeliveryInfo, RecordDelivery } from "../consume/DeliveryInfo.ts"
import type { EventCause } from "../record/ContextHeaders.ts"
import type { Logging } from "./logging.ts"
import { traceparentOf } from "../Telemetry.ts"

/** Whose handler it is. */
export interface HandlerOwner {
  /** One for each subscription. */
  readonly subscription: object
  /** One for each leat. */
  readonly leat: object
  /** What its handlers have done is done when it is committed, and not when they resolve. */
  readonly hasInbox: boolean
  readonly logging: Logging
}

/** What is being handled here and now, and in which trace, so that whatever a handler publishes carries its cause. */
interface Handled {
  /** The first one of a batch. */
  readonly delivery: DeliveryInfo
  readonly cause: EventCause
  /** Of the span that runs. */
  readonly traceparent: string | undefined
  readonly owner: HandlerOwner
  /** Until the handler ends: what it leaves behind (a timer, a connection) goes on in its context. */
  isRunning: boolean
}

const current = new AsyncLocalStorage<Handled>()

export function currentDelivery(): Handled | undefined {
  return current.getStore()
}

/** Whether a handler of this subscription or leat runs here and now: whoever waits for its end there waits for himself. */
export function isHandledBy(one: object): boolean {
  const handling = current.getStore()
  if (handling?.isRunning !== true) return false
  return handling.owner.subscription === one || handling.owner.leat === one
}

/**
 * Calls a handler. What returns without a promise has ended already; what it throws keeps its `_tag` or name, which is what policies
 * match. A promise cannot be interrupted, so its fiber ends with it: the handler hears of it by its signal. `cause`: what it hands on to
 * what it publishes.
 */
export function handled(
  info: DeliveryInfo,
  owner: HandlerOwner,
  run: () => unknown,
  cause: EventCause = info
): Effect.Effect<void, unknown> {
  const handling = contextOf(info, cause, owner)
  try {
    const answer = current.run(handling, run)
    // As `await` does: whatever a thenable does then, it is answered once.
    if (isThenable(answer)) return Effect.uninterruptible(settled(Promise.resolve(answer), handling))
    handling.isRunning = false
    return Effect.void
  } catch (error) {
    handling.isRunning = false
    return Exit.fail(error)
  }
}

function contextOf(delivery: DeliveryInfo, cause: EventCause, owner: HandlerOwner): Handled {
  const fiber = Fiber.getCurrent()
  const traceparent = fiber === undefined ? undefined : traceparentOf(fiber)
  return { delivery, cause, traceparent, owner, isRunning: true }
}

function isThenable(answer: unknown): answer is PromiseLike<unknown> {
  if (answer === null || (typeof answer !== "object" && typeof answer !== "function")) return false
  return "then" in answer && typeof answer.then === "function"
}

function settled(promise: Promise<unknown>, handling: Handled): Effect.Effect<void, unknown> {
  return Effect.callback((resume) => {
    promise.then(
      () => {
        handling.isRunning = false
        const { delivery, owner } = handling
        if (!owner.hasInbox && delivery instanceof RecordDelivery) delivery.hasSucceeded = true
        resume(Effect.void)
      },
      (error: unknown) => {
        handling.isRunning = false
        resume(Effect.fail(error))
      }
    )
  })
}
