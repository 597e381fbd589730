/**
 * Where a subscription puts what it cannot handle: one topic for each group and topic, opened with the first dead letter. What is put here is
 * stored there, or refused for good; until then its key waits.
 */
import { Cause, Clock, type Context, Effect, Exit, Fiber, Option, type Scheduler, Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import type { PlainRecord } from "../record/batchOf.ts"
import { deadLetterTopics } from "../record/DeadLetter.ts"
import * as Telemetry from "../Telemetry.ts"
import { type Forwarder, openForwarder } from "../transport/Forwarder.ts"
import { type Transport, TransportError } from "../transport/index.ts"
import { monotonicMs, Wake } from "../Wake.ts"

/** Pause before an opening is tried again: the first one, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 10_000

/** How long a driver may take to close its writer until nobody waits for it any more, in milliseconds. */
const closeMs = 10_000

/** How long dead letters may wait to be stored before that is told, in milliseconds. */
const tellMs = 10_000

/** From so many letters on, those that nobody wants are looked for whenever their number has doubled. */
const tidyMin = 256

/** One record that is set aside. */
interface Letter {
  readonly partition: number
  readonly record: PlainRecord
  /** False: its lane was given back, and whoever has it next handles the record. */
  readonly isWanted: () => boolean
  /** Called with why it is refused for good, or undefined when it is stored. */
  readonly done: (fault: string | undefined) => void
}

export interface DeadLetterOptions {
  readonly transport: Transport
  readonly topic: string
  readonly lettersOf?: string
  readonly group: string
  readonly stream: string
  readonly context: Context.Context<never>
  readonly scheduler: Scheduler.Scheduler
}

export class DeadLetters {
  readonly #options: DeadLetterOptions
  readonly #topic: string
  readonly #wake: Wake
  #letters: Array<Letter> = []
  #tidyAt = tidyMin
  #running: Fiber.Fiber<never> | undefined
  #clock: Clock.Clock | undefined
  #waitingSinceMs: number | undefined
  #isTold = false

  constructor(options: DeadLetterOptions) {
    this.#options = options
    this.#topic = deadLetterTopics(options.lettersOf ?? options.topic, options.group).deadLetters
    this.#wake = new Wake(options.scheduler)
  }

  put(letter: Letter): void {
    this.#letters.push(letter)
    if (this.#letters.length >= this.#tidyAt) this.#tidy()
    this.#running ??= Effect.runForkWith(this.#options.context)(this.#run)
    this.#wake.signal()
  }

  /** Ends what is on its way, for which nobody waits any more, and waits until the writer is closed: before its transport is. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#letters = []
    if (this.#running === undefined) return Effect.void
    return Effect.timeoutOption(
      Effect.forkDetach(Fiber.interrupt(this.#running)).pipe(Effect.flatMap(Fiber.join)),
      closeMs
    )
  })

  readonly #run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    this.#clock = yield* Clock.Clock
    for (;;) {
      while (this.#letters.length === 0) yield* this.#wake.wait
      yield* Effect.scoped(this.#serve)
    }
  })

  /** Opens the topic and stores what is put, until a record is refused: what refuses one may be the writer. */
  readonly #serve: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this }, function* () {
    const opened = yield* Effect.exit(this.#open)
    if (Exit.isFailure(opened)) return this.#refuse(this.#take(), textOf(opened.cause))
    for (let isSound = true; isSound;) {
      while (this.#letters.length === 0) yield* this.#wake.wait
      isSound = yield* this.#store(opened.value, this.#take())
    }
  })

  /** Of a topic that cannot be written for long: without those of lanes that were given back meanwhile. */
  #tidy(): void {
    this.#letters = this.#letters.filter((letter) => letter.isWanted())
    this.#tidyAt = Math.max(tidyMin, this.#letters.length * 2)
  }

  #take(): ReadonlyArray<Letter> {
    this.#tidy()
    const letters = this.#letters
    this.#letters = []
    return letters
  }

  /** Stores letters, those of a partition in order; false when one was refused. */
  #store(forwarder: Forwarder, letters: ReadonlyArray<Letter>): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      let isSound = true
      for (const [partition, some] of Map.groupBy(letters, (one) => one.partition % forwarder.partitions)) {
        const records = some.map(({ record }) => record)
        const exit = yield* Effect.exit(forwarder.append(partition, records, (error) => this.#tellWaiting(error)))
        if (Exit.isFailure(exit)) this.#refuse(some, textOf(exit.cause))
        else for (const [index, { done }] of some.entries()) done(exit.value[index]?.message)
        isSound &&= Exit.isSuccess(exit) && exit.value.every((error) => error === undefined)
        this.#waitingSinceMs = undefined
        this.#isTold = false
      }
      return isSound
    })
  }

  /** Until it is open; fails where trying again is of no use. */
  readonly #open: Effect.Effect<Forwarder, TransportError, Scope.Scope> = Effect.gen({ self: this }, function* () {
    const { transport, topic } = this.#options
    const scope = yield* Scope.Scope
    for (let failures = 0; ;) {
      const opening = yield* Scope.fork(scope)
      const partitions = Effect.suspend(() => transport.partitionsOf(topic))
      const exit = yield* partitions.pipe(
        Effect.flatMap((count) => openForwarder(transport, this.#topic, count)),
        Scope.provide(opening),
        Effect.exit
      )
      if (Exit.isSuccess(exit)) return exit.value
      yield* Scope.close(opening, exit)
      const error = Option.getOrElse(Cause.findErrorOption(exit.cause), () => this.#unknown(exit.cause))
      if (!error.isRetryable) return yield* error
      this.#tellWaiting(error)
      yield* Effect.sleep(Math.min(againMs * 2 ** failures++, againMsMax))
    }
  })

  #refuse(letters: ReadonlyArray<Letter>, fault: string): void {
    for (const { done } of letters) done(fault)
  }

  #unknown(cause: Cause.Cause<unknown>): TransportError {
    const { name } = this.#options.transport
    return new TransportError({ reason: "Unknown", transport: name, operation: "open", detail: textOf(cause), cause })
  }

  /** Keys wait meanwhile; when it lasts, somebody has to know. */
  #tellWaiting({ message }: TransportError): void {
    const { context, group, stream } = this.#options
    if (this.#clock === undefined) return
    const nowMs = monotonicMs(this.#clock)
    this.#waitingSinceMs ??= nowMs
    if (this.#isTold || nowMs - this.#waitingSinceMs < tellMs) return
    this.#isTold = true
    const told = `the group ${group} of ${stream} cannot store dead letters in ${this.#topic}, and tries again; their keys wait: ${message}`
    Effect.runForkWith(context)(Telemetry.warn(told))
  }
}

function textOf(cause: Cause.Cause<unknown>): string {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error.message : textOfThrown(error)
}
