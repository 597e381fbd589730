/**
 * The events of a group for `for await`. No async generator: that would answer `return` only after the `next` that waits, which may wait
 * for ever. Who asks stands in line; asking says that what was given before is done.
 */
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import type { DeliveryInfo } from "../consume/DeliveryInfo.ts"
import type { Delivery } from "../consume/Subscription.ts"
import type { Logging } from "./logging.ts"

/** One event, and what is known of it. */
export interface GivenEvent<T> {
  readonly event: T
  readonly info: DeliveryInfo
}

type Step<T> = IteratorResult<GivenEvent<T>, void>

interface Asking<T> {
  readonly resolve: (step: Step<T>) => void
  readonly reject: (error: unknown) => void
}

const end = { done: true, value: undefined } as const

export class DeliveryIterator<T> implements AsyncGenerator<GivenEvent<T>, void, void> {
  readonly #deliveries: Stream.Stream<Delivery<T>, unknown>
  readonly #signal: AbortSignal | undefined
  readonly #logging: Logging
  readonly #asking: Array<Asking<T>> = []
  /** What came for one who asks, until it is given. */
  #ready: Delivery<T> | undefined
  /** Has the next one taken: only when somebody asks, because from then on its time runs. */
  #takeNext: (() => void) | undefined
  /** The one that was given last, and is not said to be done. */
  #given: Delivery<T> | undefined
  #fiber: Fiber.Fiber<void, unknown> | undefined
  #isEnded = false
  /** What ended the subscription, for the next who asks. */
  #failure: { readonly error: unknown } | undefined

  /** Subscribes when it is first asked. `deliveries` end by themselves when the signal is aborted, and what was given last is done. */
  constructor(deliveries: Stream.Stream<Delivery<T>, unknown>, signal: AbortSignal | undefined, logging: Logging) {
    this.#logging = logging
    this.#deliveries = deliveries
    this.#signal = signal
  }

  next(): Promise<Step<T>> {
    return new Promise((resolve, reject) => {
      this.#asking.push({ resolve, reject })
      if (this.#fiber === undefined && !this.#isEnded) this.#start()
      this.#serve()
    })
  }

  /** Ends it: who waits is told so at once. What was given last is not done, and comes again. Waits until the lanes are given back. */
  async return(): Promise<Step<T>> {
    await this.#stop()
    return end
  }

  /** As `return`; rejects with the error. */
  async throw(error: unknown): Promise<Step<T>> {
    await this.#stop()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }

  #start(): void {
    if (this.#signal?.aborted === true) return this.#end()
    this.#signal?.addEventListener("abort", this.#abort, { once: true })
    const take = (delivery: Delivery<T>) =>
      Effect.callback<void>((resume) => {
        this.#ready = delivery
        this.#takeNext = () => resume(Effect.void)
        this.#serve()
      })
    const fiber = Effect.runFork(this.#logging(Stream.runForEach(this.#deliveries, take)))
    this.#fiber = fiber
    fiber.addObserver((exit) => {
      if (!this.#isEnded && Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause))
        this.#failure = { error: Cause.squash(exit.cause) }
      this.#end()
    })
  }

  /** Who has nothing in his hands is told at once. */
  readonly #abort = () => {
    if (this.#given === undefined) void this.#stop()
  }

  async #stop(): Promise<void> {
    this.#end()
    if (this.#fiber !== undefined) await Effect.runPromise(Fiber.interrupt(this.#fiber))
  }

  #end(): void {
    this.#isEnded = true
    this.#given = undefined
    this.#ready = undefined
    this.#takeNext = undefined
    this.#signal?.removeEventListener("abort", this.#abort)
    this.#serve()
  }

  #serve(): void {
    for (let first = this.#asking[0]; first !== undefined; first = this.#asking[0]) {
      if (this.#given !== undefined) Effect.runFork(this.#given.done)
      this.#given = undefined
      const delivery = this.#ready
      this.#ready = undefined
      if (delivery === undefined && !this.#isEnded) return this.#takeNext?.()
      this.#asking.shift()
      if (delivery === undefined) this.#tellEnd(first)
      else {
        this.#given = delivery
        first.resolve({ done: false, value: { event: delivery.event, info: delivery.info } })
      }
    }
  }

  #tellEnd({ resolve, reject }: Asking<T>): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure === undefined) resolve(end)
    else reject(failure.error)
  }
}
