/** The producers of one cluster, shared by all writers; one whose session is over is replaced. */
import { monotonicMs } from "../client/clock.ts"
import { kafkaDefaults } from "@leat/kafka"
import { Effect, Fiber, type Scope, Semaphore } from "effect"
import type { TransportError } from "leat/transport"
import { ask, attempt, closed, connected, eventCodes } from "../client/ask.ts"
import type { KafkaJavascript, Metadata, Producer } from "../client/client.ts"
import { producerConfig, type ProducerOptions } from "../client/clientConfig.ts"
import { failure } from "../client/failure.ts"
import { Outlet } from "./Outlet.ts"

/** Interval of the check for broken producers, in milliseconds. */
const lookMs = 50
/** Pause between two attempts to open a producer, in milliseconds. */
const reopenMs = 1000
/** Longest wait of `close` for records in flight, in milliseconds. */
const drainMsMax = 2000

export interface ProducersOptions {
  readonly kafka: KafkaJavascript
  readonly options: ProducerOptions
  readonly hasPositions: boolean
  /** Number of producers. With more than one, partitions wait less for each other's rounds. */
  readonly count: number
}

interface Slot {
  outlet: Outlet | undefined
  producer: Producer | undefined
}

export class Producers {
  readonly #options: ProducersOptions
  readonly #slots: ReadonlyArray<Slot>
  readonly #opening: Semaphore.Semaphore
  readonly #topics = new Set<string>()
  #isClosed = false

  constructor(options: ProducersOptions, opening: Semaphore.Semaphore) {
    this.#options = options
    this.#slots = Array.from({ length: options.count }, () => ({ outlet: undefined, producer: undefined }))
    this.#opening = opening
  }

  static readonly make = Effect.fnUntraced(function* (
    options: ProducersOptions
  ): Effect.fn.Return<Producers, never, Scope.Scope> {
    const producers = new Producers(options, yield* Semaphore.make(1))
    const watching = yield* Effect.forkDetach(producers.#watch)
    yield* Effect.addFinalizer(() => Effect.andThen(Fiber.interrupt(watching), producers.#close))
    return producers
  })

  /** The producer of a partition; undefined while it is replaced. */
  outlet(partition: number): Outlet | undefined {
    return this.#slots[partition % this.#slots.length]?.outlet
  }

  /** Opens the producers that are not open, and loads the topic's metadata into each, so that it rejects partitions that do not exist. */
  prepare(topic: string): Effect.Effect<void, TransportError> {
    return this.#opening.withPermits(1)(
      Effect.gen({ self: this }, function* () {
        if (this.#isClosed) return yield* failure("Closed", "openWriter", "the transport is closed")
        for (const slot of this.#slots) if (slot.producer === undefined) yield* this.#open(slot)
        this.#topics.add(topic)
        yield* Effect.forEach(this.#slots, ({ producer }) => this.#introduce(producer, topic), { discard: true })
      })
    )
  }

  /** A broker may not know an existing topic yet. */
  #introduce(producer: Producer | undefined, topic: string): Effect.Effect<void, TransportError> {
    if (producer === undefined) return Effect.void
    const timeout = this.#options.options.connectMs ?? kafkaDefaults.connectMs
    const look: Effect.Effect<void, TransportError> = Effect.flatMap(
      ask<Metadata>("openWriter", topic, (done) => producer.getMetadata({ topic, timeout }, done)),
      ({ topics }) =>
        topics.some(({ name, partitions }) => name === topic && partitions.length > 0)
          ? Effect.void
          : Effect.andThen(Effect.sleep(lookMs), look)
    )
    const late = failure("UnknownTopic", "openWriter", `there is no topic ${topic}`)
    return Effect.timeoutOrElse(look, { duration: timeout, orElse: () => Effect.fail(late) })
  }

  #open(slot: Slot): Effect.Effect<void, TransportError> {
    const { kafka, options, hasPositions } = this.#options
    return Effect.gen({ self: this }, function* () {
      const made = yield* attempt("openWriter", "the cluster section", () => {
        const producer = new kafka.Producer(producerConfig(options, hasPositions))
        return {
          producer,
          outlet: new Outlet(producer, { hasPositions, nowMs: monotonicMs, codeOf: eventCodes(kafka) })
        }
      })
      const timeoutMs = options.connectMs ?? kafkaDefaults.connectMs
      yield* connected(kafka, made.producer, timeoutMs, (one) => one.setPollInBackground(true))
      slot.producer = made.producer
      slot.outlet = made.outlet
    }).pipe(Effect.uninterruptible)
  }

  /** Replaces a broken producer, once nothing is in flight or the wait for it is over. */
  readonly #watch: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { requestMs = kafkaDefaults.requestMs } = this.#options.options
    const brokenSinceMs = new Map<Outlet, number>()
    for (;;) {
      yield* Effect.sleep(lookMs)
      for (const slot of this.#slots) {
        const { outlet } = slot
        if (outlet === undefined) {
          if (this.#topics.size === 0) continue
          const isOpen = yield* this.#opening.withPermits(1)(Effect.isSuccess(this.#reopen(slot)))
          if (!isOpen) yield* Effect.sleep(reopenMs)
        } else if (outlet.isBroken) {
          const sinceMs = brokenSinceMs.get(outlet) ?? monotonicMs()
          brokenSinceMs.set(outlet, sinceMs)
          if (!outlet.isSettled && monotonicMs() - sinceMs < requestMs * 2) continue
          brokenSinceMs.delete(outlet)
          // Nothing of the old producer may be in flight when a fence asks the new one.
          yield* closed((done) => outlet.close(done))
          outlet.giveUp("the producer's session ended")
          slot.outlet = undefined
          slot.producer = undefined
        }
      }
    }
  })

  #reopen(slot: Slot): Effect.Effect<void, TransportError> {
    return Effect.andThen(
      this.#open(slot),
      Effect.suspend(() =>
        Effect.forEach(this.#topics, (topic) => this.#introduce(slot.producer, topic), { discard: true })
      )
    )
  }

  /** T13: records in flight get some time; after it their outcome is unknown. */
  readonly #close: Effect.Effect<void> = Effect.suspend(() => {
    this.#isClosed = true
    return Effect.forEach(
      this.#slots,
      (slot) => {
        const { outlet } = slot
        if (outlet === undefined) return Effect.void
        const drained = Effect.callback<void>((resume) => {
          const timer = setInterval(() => {
            if (!outlet.isSettled) return
            clearInterval(timer)
            resume(Effect.void)
          }, 5)
          return Effect.sync(() => clearInterval(timer))
        })
        return Effect.timeoutOption(drained, drainMsMax).pipe(
          Effect.andThen(closed((done) => outlet.close(done))),
          Effect.andThen(Effect.sync(() => outlet.giveUp("the transport was closed")))
        )
      },
      { concurrency: "unbounded", discard: true }
    )
  })
}
