/**
 * The publishing half of a stream: what `publish` and `publishAll` wait for, which is room first and then a level. What is
 * synchronous about an event is the `Publisher`'s. An Effect and a promise wait for the same calls.
 */
import { Effect, type Scheduler } from "effect"
import type { Key } from "../contract/Contract.ts"
import { isIterable, kindOf } from "../given/takes.ts"
import type { EventContext, Surroundings } from "../record/ContextHeaders.ts"
import type { EventId } from "../record/EventId.ts"
import { type Outcome, outcomeOf, Waiter } from "../ledger/Waiter.ts"
import { type Admission, NotStored, Rejected } from "./Admission.ts"
import { flushed, whenEnded } from "./flushed.ts"
import { type Publication, Published } from "./Published.ts"
import type { Publisher } from "./Publisher.ts"
import { PublishingAll } from "./PublishingAll.ts"
import type { Level, PublishOptions, Receipt, ReceiptAll } from "./Receipt.ts"
import { tasksOf } from "./tasksOf.ts"
import { WaitForRoom } from "./WaitForRoom.ts"

/** One call of `publish`, seen from its side: the event waits for room, or is admitted. */
export interface PublishCall {
  /** The event is admitted, and what it was told by; undefined while it waits for room, or when it was rejected. */
  readonly receipt: Receipt | undefined
  /** Waits for room no longer. An event that is admitted goes its way. */
  readonly giveUp: () => void
}

/** One call of `publishAll`. */
export interface PublishAllCall {
  /** What has been admitted and rejected so far. */
  readonly receipt: ReceiptAll
  /** Offers no more events, and waits for room no longer. What is admitted goes its way. */
  readonly giveUp: () => void
}

/** How a `publishAll` ends. `thrown`: what the iterable threw; no more events were offered. */
export type PublishAllDone = (told: ReceiptAll | NotStored | { readonly thrown: unknown }) => void

export class Publishing<T> implements Publication {
  readonly stream: string
  readonly incarnation: string
  readonly #publisher: Publisher<T>
  readonly #schedule: (task: () => void) => void

  constructor(publisher: Publisher<T>, incarnation: string, scheduler: Scheduler.Scheduler) {
    this.#publisher = publisher
    this.stream = publisher.contract.stream
    this.incarnation = incarnation
    this.#schedule = tasksOf(scheduler)
  }

  offer(event: T, context?: EventContext, around?: Surroundings): Admission {
    return this.#publisher.offer(event, context, around)
  }

  offerTombstone(key: Key, context?: EventContext, around?: Surroundings): Admission {
    return this.#publisher.offerTombstone(key, context, around)
  }

  /** Id of the event admitted last; undefined before the first. */
  get lastId(): EventId | undefined {
    const bucket = this.#publisher.lastBucket
    if (bucket < 0) return undefined
    return { incarnation: this.incarnation, stream: this.stream, bucket, seq: this.#publisher.lastSeq }
  }

  /** Why the event that was rejected last was, in words; undefined before the first. */
  get lastFault(): string | undefined {
    const { fault } = this.#publisher
    return fault === "" ? undefined : fault
  }

  /** Offers the event now; the effect waits for room and for the level. */
  publish(
    event: T,
    options: PublishOptions | undefined,
    around: Surroundings | undefined
  ): Effect.Effect<Receipt, Rejected | NotStored> {
    const level = this.#levelOf(options)
    const published = new Published(this, level === "durable")
    const told = this.#publisher.offerNow(event, options, around, published)
    if (told === undefined)
      return Effect.flatMap(this.#patiently(event, options, around, published), (receipt) => this.#at(level, receipt))
    if (!told.admitted) return Effect.fail(this.#rejected(told, this.#publisher.fault))
    return this.#at(level, this.#numbered(published))
  }

  /** As `publish`, for whoever has no fiber: `done` is called once, perhaps before this returns. */
  start(
    event: T,
    options: PublishOptions,
    around: Surroundings | undefined,
    done: (told: Receipt | Rejected | NotStored) => void
  ): PublishCall {
    const level = this.#levelOf(options)
    const published = new Published(this, level === "durable")
    const call = new Calling(published)
    const answer = (told: Admission, fault: string) => {
      if (!told.admitted) return done(this.#rejected(told, fault))
      call.receipt = this.#numbered(published)
      if (level === "queued") return done(published)
      const reached = () => done(this.#notStored(published, published.id, level) ?? published)
      call.told = this.#whenAt(level, published, reached)
    }
    const told = this.#publisher.offerOrWait(event, options, around, published, true)
    if (told instanceof WaitForRoom) {
      told.told = answer
      call.wait = told
    } else answer(told, this.#publisher.fault)
    return call
  }

  /** Offers the events now, as far as there is room; the effect waits for the others and for the level. */
  publishAll(
    events: Iterable<T>,
    options: PublishOptions | undefined,
    around: Surroundings | undefined
  ): Effect.Effect<ReceiptAll, NotStored> {
    return Effect.callback((resume) => {
      const call = this.startAll(events, options, around, (told) => {
        if (told instanceof NotStored) resume(Effect.fail(told))
        else if ("thrown" in told) resume(Effect.die(told.thrown))
        else resume(Effect.succeed(told))
      })
      return Effect.sync(call.giveUp)
    })
  }

  /**
   * As `publishAll`, for whoever has no fiber. `isGivenUp`: whether whoever begins it gives it up as soon as it is there, for the iterable may say so
   * before that.
   */
  startAll(
    events: Iterable<T>,
    options: PublishOptions | undefined,
    around: Surroundings | undefined,
    done: PublishAllDone,
    isGivenUp?: () => boolean
  ): PublishAllCall {
    const level = this.#levelOf(options)
    const waiter = new Waiter(level === "durable")
    if (!isIterable(events)) {
      const detail = `takes an iterable of events, and not ${kindOf(events)}; one event is for publish`
      const thrown = new Rejected({ reason: "invalid", stream: this.stream, detail: `publishAll: ${detail}` })
      done({ thrown })
      return { receipt: { admitted: 0, rejected: [], outcome: this.outcomeOf(waiter) }, giveUp: () => undefined }
    }
    const rejected: Array<{ readonly index: number; readonly error: Rejected }> = []
    let last: Rejected | undefined
    const all = new PublishingAll(
      this.#publisher,
      events,
      { context: options, around, waiter, schedule: this.#schedule, isGivenUp },
      (index, told, fault) => {
        // In an outage a million may be rejected for one reason, and each error has a stack of its own.
        if (last?.reason !== told.reason || last.detail !== fault) last = this.#rejected(told, fault)
        rejected.push({ index, error: last })
      }
    )
    let told: (() => void) | undefined
    const receipt = (): ReceiptAll => ({ admitted: all.admitted, rejected, outcome: this.outcomeOf(waiter) })
    all.run((thrown) => {
      if (thrown !== undefined) return done(thrown)
      if (level === "queued" || all.admitted === 0) return done(receipt())
      told = this.#whenAt(level, waiter, () => done(this.#notStored(waiter, undefined, level) ?? receipt()))
    })
    return {
      get receipt() {
        return receipt()
      },
      giveUp: () => {
        all.giveUp()
        if (told !== undefined) waiter.forget(told)
      }
    }
  }

  /** Sends what is buffered without waiting for linger; completes when all of it has ended. */
  get flush(): Effect.Effect<Outcome> {
    return flushed({
      begin: (waiter) => this.#publisher.flush(waiter),
      halted: () => this.#publisher.halted,
      schedule: this.#schedule
    })
  }

  /**
   * Offers the event and waits for room. Taking a place in line, and how to give it up, are one step: a fiber may be interrupted
   * between any two.
   */
  #patiently(
    event: T,
    options: PublishOptions | undefined,
    around: Surroundings | undefined,
    published: Published
  ): Effect.Effect<Published, Rejected> {
    return Effect.callback((resume) => {
      const answer = (told: Admission, fault: string) =>
        resume(told.admitted ? Effect.succeed(this.#numbered(published)) : Effect.fail(this.#rejected(told, fault)))
      const told = this.#publisher.offerOrWait(event, options, around, published, true)
      if (!(told instanceof WaitForRoom)) return answer(told, this.#publisher.fault)
      told.told = answer
      return Effect.sync(() => told.giveUp())
    })
  }

  #at(level: Level, published: Published): Effect.Effect<Receipt, NotStored> {
    if (level === "queued") return Effect.succeed(published)
    return Effect.callback((resume) => {
      const told = this.#whenAt(level, published, () => {
        const failure = this.#notStored(published, published.id, level)
        resume(failure === undefined ? Effect.succeed(published) : Effect.fail(failure))
      })
      return told === undefined ? undefined : Effect.sync(() => published.forget(told))
    })
  }

  /** The event was admitted in this same step. */
  #numbered(published: Published): Published {
    published.numbered(this.#publisher.lastBucket, this.#publisher.lastSeq)
    return published
  }

  /** Completes when all legs of a waiter have ended. */
  outcomeOf(waiter: Waiter): Effect.Effect<Outcome> {
    return whenEnded(waiter, this.#schedule)
  }

  /**
   * Calls `then` when all legs have ended, or are on disk where that is enough; never inside the stack of the lane in which they do. Returns
   * what the waiter is to forget when nobody waits any more.
   */
  #whenAt(level: Level, waiter: Waiter, then: () => void): (() => void) | undefined {
    if (waiter.pending === 0) {
      then()
      return undefined
    }
    const told = () => this.#schedule(then)
    if (level === "durable") waiter.whenDurable(told)
    else waiter.whenDone(told)
    return told
  }

  /** The level of a call. Where it cannot be read, the event will be rejected: then it does not matter. */
  #levelOf(options: PublishOptions | undefined): Level {
    try {
      return options?.level ?? this.#publisher.level
    } catch {
      return "queued"
    }
  }

  #rejected(told: Admission & { readonly admitted: false }, detail: string): Rejected {
    return new Rejected({ reason: told.reason, stream: this.stream, detail })
  }

  #notStored(outcome: Outcome, id: EventId | undefined, level: Level): NotStored | undefined {
    const isSafe = outcome.spilled === 0 || level === "durable"
    const isStored = isSafe && isEmpty(outcome.dropped) && isEmpty(outcome.deadLettered)
    return isStored ? undefined : new NotStored({ stream: this.stream, id, outcome: outcomeOf(outcome) })
  }
}

/** A call that waits for room, then for its level; one object for each. */
class Calling implements PublishCall {
  receipt: Receipt | undefined
  wait: WaitForRoom | undefined
  told: (() => void) | undefined
  readonly #published: Published

  constructor(published: Published) {
    this.#published = published
  }

  giveUp(): void {
    // Of no use once it is admitted: then it waits for its level.
    this.wait?.giveUp()
    if (this.told !== undefined) this.#published.forget(this.told)
  }
}

/** Asked for every event that is stored: without a list of the names. */
function isEmpty(counts: Readonly<Record<string, number>>): boolean {
  for (const _ in counts) return false
  return true
}
