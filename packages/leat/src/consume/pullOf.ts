/** What a consumer of deliveries pulls: one at a time, each when he asks for it. */
import { type Cause, Effect, Exit, type Fiber, Queue } from "effect"
import { RecordDelivery } from "./DeliveryInfo.ts"
import type { Delivery } from "./Subscription.ts"
import type { TransportError } from "../transport/index.ts"

type Ended = TransportError | Cause.Done

/** A delivery for a consumer, and whether he has ended it. */
export interface HandedOver<T> {
  readonly delivery: Delivery<T>
  readonly isEnded: () => boolean
}

/** What was pulled last, and the fiber that pulled it. */
interface Pulled<T> {
  readonly handed: HandedOver<T>
  readonly by: Fiber.Fiber<unknown, unknown>
}

/**
 * What is taken back while the consumer is busy comes again, here or to another member, and is not for him. What a fiber pulled that was interrupted
 * before it could be ended is for the next pull: it counts as in his hands, and nobody but him could end it.
 */
export function pullOf<T>(queue: Queue.Dequeue<HandedOver<T>, Ended>): Effect.Effect<readonly [Delivery<T>], Ended> {
  let last: Pulled<T> | undefined
  const pull: Effect.Effect<readonly [Delivery<T>], Ended> = Effect.withFiber((by) => {
    if (last !== undefined && isLeft(last)) {
      last = { handed: last.handed, by }
      return Exit.succeed([last.handed.delivery] as const)
    }
    // Taken and noted in one step: between two of them a fiber may be interrupted.
    for (let exit = Queue.takeUnsafe(queue); exit !== undefined; exit = Queue.takeUnsafe(queue)) {
      if (Exit.isFailure(exit)) return Exit.failCause(exit.cause)
      if (!isHis(exit.value.delivery)) continue
      last = { handed: exit.value, by }
      return Exit.succeed([exit.value.delivery] as const)
    }
    return Effect.andThen(Queue.peek(queue), pull)
  })
  return pull
}

/** Whether nobody has it in his hands who could end it. */
function isLeft<T>({ handed: { delivery, isEnded }, by }: Pulled<T>): boolean {
  const exit = by.pollUnsafe()
  if (exit === undefined || !Exit.hasInterrupts(exit)) return false
  return !isEnded() && !delivery.info.signal.aborted
}

/** Whether he has it from now on. */
function isHis<T>({ info }: Delivery<T>): boolean {
  return info instanceof RecordDelivery ? info.take() : !info.signal.aborted
}
