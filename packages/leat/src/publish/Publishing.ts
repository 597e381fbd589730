/**
 * The publishing half of a stream: what `publish` and `publishAll` wait for, which is room first and then a level. What is
 * synchronous about an event is the `Publisher`'s.
 */
import { Effect, Exit, Option, type Scheduler } from "effect"
import type { EventId } from "../record/EventId.ts"
import type { EventContext } from "../record/Wire.ts"
import { type Outcome, Waiter } from "../ledger/Waiter.ts"
import { NotStored, Rejected } from "./Admission.ts"
import type { Publisher } from "./Publisher.ts"
import type { Level, Receipt, ReceiptAll } from "./Receipt.ts"
import type { Sink } from "./Sink.ts"

export interface PublishingParts<T> {
  readonly publisher: Publisher<T>
  readonly incarnation: string
  /** The level of the route in force. */
  readonly level: () => Level
  readonly scheduler: Scheduler.Scheduler
}

export class Publishing<T> {
  readonly #publisher: Publisher<T>
  readonly #incarnation: string
  readonly #level: () => Level
  readonly #schedule: (task: () => void) => void

  constructor({ publisher, incarnation, level, scheduler }: PublishingParts<T>) {
    this.#publisher = publisher
    this.#incarnation = incarnation
    this.#level = level
    const dispatcher = scheduler.makeDispatcher()
    this.#schedule = (task) => dispatcher.scheduleTask(task, 0)
  }

  /** Publishes one event at a level, that of the route when undefined. */
  publish(
    event: T,
    context: EventContext | undefined,
    level: Level | undefined
  ): Effect.Effect<Receipt, Rejected | NotStored> {
    return Effect.suspend(() => {
      const waiter = new Waiter()
      return Effect.flatMap(this.#admit(event, context, waiter), (id) => {
        const receipt = { id, outcome: this.#outcome(waiter) }
        if ((level ?? this.#level()) === "queued") return Effect.succeed(receipt)
        return Effect.as(this.#reached(waiter, id), receipt)
      })
    })
  }

  /** Publishes many with one wait. */
  publishAll(
    events: Iterable<T>,
    context: EventContext | undefined,
    level: Level | undefined
  ): Effect.Effect<ReceiptAll, NotStored> {
    return Effect.suspend(() => {
      const waiter = new Waiter()
      const rejected: Array<{ readonly index: number; readonly error: Rejected }> = []
      let index = 0
      let admitted = 0
      const iterator = events[Symbol.iterator]()
      const next = (): Effect.Effect<void> => {
        for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
          const at = index++
          const event = step.value
          if (this.#mustQueue) {
            const waited = Effect.match(this.#wait(event, context, waiter), {
              onSuccess: () => void admitted++,
              onFailure: (error) => void rejected.push({ index: at, error })
            })
            return Effect.flatMap(waited, next)
          }
          this.#publisher.account.offered++
          const told = this.#publisher.admit(event, undefined, context, waiter)
          if (!told.admitted && told.reason === "overflow" && this.#blocking !== undefined) {
            this.#publisher.account.offered--
            const waited = Effect.match(this.#wait(event, context, waiter), {
              onSuccess: () => void admitted++,
              onFailure: (error) => void rejected.push({ index: at, error })
            })
            return Effect.flatMap(waited, next)
          }
          this.#publisher.count(told)
          if (told.admitted) admitted++
          else rejected.push({ index: at, error: this.#rejected(told.reason) })
        }
        return Effect.void
      }
      return Effect.suspend(next).pipe(
        Effect.flatMap(() => {
          const isQueued = (level ?? this.#level()) === "queued"
          return isQueued || admitted === 0 ? Effect.void : this.#reached(waiter)
        }),
        Effect.map(() => ({ admitted, rejected, outcome: this.#outcome(waiter) }))
      )
    })
  }

  /** Sends what is buffered without waiting for linger; completes when all of it has ended. */
  get flush(): Effect.Effect<Outcome> {
    return Effect.suspend(() => {
      const waiter = new Waiter()
      for (const { sink } of this.#publisher.outlets) sink.flush(waiter)
      return this.#outcome(waiter)
    })
  }

  /** The sink for whose room a publish may wait. */
  get #blocking(): Sink | undefined {
    return this.#publisher.outlets.find(({ isRequired, sink }) => isRequired && sink.leg.overflow === "block")?.sink
  }

  /** Whether others wait already: who comes later waits behind them. */
  get #mustQueue(): boolean {
    return this.#publisher.account.waiting > 0 && this.#blocking !== undefined
  }

  #admit(event: T, context: EventContext | undefined, waiter: Waiter): Effect.Effect<EventId, Rejected> {
    if (this.#mustQueue) return this.#wait(event, context, waiter)
    const publisher = this.#publisher
    const told = publisher.admit(event, undefined, context, waiter)
    if (!told.admitted && told.reason === "overflow" && this.#blocking !== undefined)
      return this.#wait(event, context, waiter)
    publisher.account.offered++
    publisher.count(told)
    return told.admitted ? Effect.succeed(this.#idNow) : Effect.fail(this.#rejected(told.reason))
  }

  /** Id of the event that was admitted in this same turn. */
  get #idNow(): EventId {
    const id = this.#publisher.lastId(this.#incarnation)
    if (id === undefined) throw new Error("no event was admitted")
    return id
  }

  /** Waits for room until the leg's time-out. Counted as waiting; giving up, or being interrupted, is a rejection. */
  #wait(event: T, context: EventContext | undefined, waiter: Waiter): Effect.Effect<EventId, Rejected> {
    const publisher = this.#publisher
    const { account } = publisher
    const attempt: Effect.Effect<EventId, Rejected> = Effect.suspend(() => {
      const told = publisher.admit(event, undefined, context, waiter)
      if (told.admitted) return Effect.succeed(this.#idNow)
      const sink = this.#blocking
      if (told.reason !== "overflow" || sink === undefined) return Effect.fail(this.#rejected(told.reason))
      const turn = sink.roomTurn
      const room = Effect.callback<void>((resume) => {
        // The fiber may have given way since it looked.
        if (sink.roomTurn !== turn) return resume(Effect.void)
        // Never inside the stack of the lane that gives the room back.
        const cancel = sink.whenRoom(() => this.#schedule(() => resume(Effect.void)))
        return Effect.sync(cancel)
      })
      return Effect.andThen(room, attempt)
    })
    return Effect.suspend(() => {
      account.offered++
      account.waiting++
      return attempt.pipe(
        Effect.timeoutOrElse({
          duration: this.#blocking?.leg.timeoutMs ?? 0,
          orElse: () => Effect.fail(this.#rejected("timeout"))
        }),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            account.waiting--
            if (Exit.isSuccess(exit)) account.admitted++
            else publisher.reject(Option.getOrUndefined(Exit.findErrorOption(exit))?.reason ?? "interrupted")
          })
        )
      )
    })
  }

  #rejected(reason: Rejected["reason"]): Rejected {
    return new Rejected({ reason, stream: this.#publisher.contract.stream, detail: this.#publisher.detail })
  }

  #outcome(waiter: Waiter): Effect.Effect<Outcome> {
    return Effect.callback((resume) => {
      if (waiter.pending === 0) resume(Effect.succeed(waiter))
      else waiter.whenDone((outcome) => this.#schedule(() => resume(Effect.succeed(outcome))))
    })
  }

  #reached(waiter: Waiter, id?: EventId): Effect.Effect<void, NotStored> {
    return Effect.flatMap(this.#outcome(waiter), (outcome) => {
      for (const _ in outcome.dropped)
        return Effect.fail(new NotStored({ stream: this.#publisher.contract.stream, id, outcome }))
      return Effect.void
    })
  }
}
