/**
 * What is written to one topic of dead letters, which is opened with the first of them. What is put here is stored there, or refused for good.
 * Each partition of the topic has a line of its own: one that cannot be written holds up no other.
 */
import { Cause, Clock, type Context, Effect, Exit, Fiber, Option, type Scheduler, Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import type { TransportReason } from "../reasons.ts"
import { type PlainRecord, sizeOf } from "../record/batchOf.ts"
import * as Telemetry from "../Telemetry.ts"
import { type Transport, TransportError } from "./index.ts"
import type { Forwarded } from "./Forwarder.ts"
import { monotonicMs, Wake } from "../Wake.ts"
import { lettersRetention } from "./everything.ts"
import { LetterWriter } from "./LetterWriter.ts"
import { Pauses } from "./Pauses.ts"
import { StorageWatch } from "./StorageWatch.ts"

/** Pause before an opening is tried again: the first one, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 10_000

/** How long a driver may take to open the topic until it is asked anew, in milliseconds. */
const openMs = 30_000

/** How long a driver may take to close its writers until nobody waits for it any more, in milliseconds. */
const closeMs = 10_000

/** From so many letters on, those that nobody wants are looked for whenever their number has doubled. */
const tidyMin = 256

/** From so many letters, or bytes, on one request has no more. */
const requestLetters = 256
const requestBytes = 1024 * 1024

/** In place of a partition, for what waits until the topic is open. */
const opening = -1

/** One record that is set aside. */
interface Letter {
  readonly partition: number
  /** Called when its turn has come: of what waits, only a place is kept. */
  readonly record: () => PlainRecord
  /** False: it ended otherwise meanwhile. */
  readonly isWanted: () => boolean
  /** Called with why it is refused for good, or undefined when it is stored; not of one that is not wanted any more. `reason`: of the refusal of this record alone. */
  readonly done: (fault: string | undefined, reason?: TransportReason) => void
}

/** What waits to be stored in one partition of the topic. It is there while its fiber runs. */
interface Line {
  letters: Array<Letter>
}

export interface DeadLetterOptions {
  readonly transport: Transport
  /** Topic of the dead letters. */
  readonly deadLetters: string
  /** Whose partitions that topic gets. */
  readonly topic: string
  /** Whether the topic is read, and grows for ever: it is kept as its cluster keeps topics, and dead letters until a person deletes the topic. */
  readonly areRetried?: boolean
  /** What is stored there, as a warning tells it; dead letters when absent. */
  readonly what?: string
  /** Who writes to it, and what waits meanwhile, as a warning tells it. */
  readonly who: string
  readonly waiting: string
  readonly context: Context.Context<never>
  readonly scheduler: Scheduler.Scheduler
}

export class DeadLetters {
  readonly #options: DeadLetterOptions
  readonly #wake: Wake
  readonly #watch = new StorageWatch()
  readonly #pauses = new Pauses()
  /** Those that are in no line yet. */
  #letters: Array<Letter> = []
  /** By partition of the topic. */
  readonly #lines = new Map<number, Line>()
  /** Letters here and in the lines; those that nobody wants are looked for at so many. */
  #count = 0
  #tidyAt = tidyMin
  #writer: LetterWriter | undefined
  #running: Fiber.Fiber<never> | undefined
  #clock: Clock.Clock | undefined

  constructor(options: DeadLetterOptions) {
    this.#options = options
    this.#wake = new Wake(options.scheduler)
  }

  /** Never answers (`done`) before it returns: whoever sets something aside has not noted yet that it has. */
  put(letter: Letter): void {
    this.#letters.push(letter)
    if (++this.#count >= this.#tidyAt) this.#tidy()
    this.#running ??= Effect.runForkWith(this.#options.context)(this.#run)
    this.#wake.signal()
  }

  /** Whatever waits for its next attempt has it at once. */
  tryNow(): void {
    this.#pauses.end()
  }

  /** Ends what is on its way, for which nobody waits any more, and waits until the writers are closed: before their transport is. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.#letters = []
    if (this.#running === undefined) return Effect.void
    return Effect.timeoutOption(
      Effect.forkDetach(Fiber.interrupt(this.#running)).pipe(Effect.flatMap(Fiber.join)),
      closeMs
    )
  })

  /** The lines end before the writers that they use. */
  readonly #run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    this.#clock = yield* Clock.Clock
    return yield* Effect.acquireUseRelease(
      Scope.make(),
      (writers) => Effect.scoped(this.#serve(writers)),
      (writers) => Scope.close(writers, Exit.void)
    )
  })

  /** Puts letters into the lines of their partitions, where they are stored with a writer that is sound. */
  #serve(writers: Scope.Scope): Effect.Effect<never, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        do yield* this.#wake.wait
        while (this.#letters.length === 0)
        if (this.#writer?.isSound !== true) {
          const opened = yield* Effect.exit(this.#open(writers))
          this.#watch.ended(opening)
          if (Exit.isFailure(opened)) {
            for (const { done } of this.#take(this.#letters.splice(0))) done(textOf(opened.cause))
            continue
          }
          const before = this.#writer
          this.#writer = opened.value
          yield* before?.replace ?? Effect.void
        }
        const writer = this.#writer
        for (const [partition, letters] of Map.groupBy(
          this.#letters.splice(0),
          (one) => one.partition % writer.partitions
        )) {
          const line = this.#lines.get(partition)
          if (line === undefined) yield* this.#begin(partition, letters, writer)
          else for (const letter of letters) line.letters.push(letter)
        }
      }
    })
  }

  #begin(partition: number, letters: Array<Letter>, writer: LetterWriter): Effect.Effect<unknown, never, Scope.Scope> {
    const line = { letters }
    this.#lines.set(partition, line)
    return Effect.forkScoped(this.#store(partition, line, writer))
  }

  /** Stores what comes into a line, in order, until it is empty or is to go on with another writer. */
  #store(partition: number, line: Line, writer: LetterWriter): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (writer.isSound && writer === this.#writer) {
        const { letters, records } = this.#first(line)
        if (letters.length > 0) {
          const exit = yield* Effect.exit(
            writer.append(
              partition,
              records,
              (error) => this.#tellWaiting(partition, error),
              (index) => letters[index]?.isWanted() === true
            )
          )
          const unsent = this.#answer(letters, exit, writer)
          if (unsent.length > 0) {
            line.letters = [...unsent, ...line.letters]
            this.#count += unsent.length
            break
          }
        }
        this.#watch.ended(partition)
        if (line.letters.length === 0) break
      }
      this.#lines.delete(partition)
      this.#letters = [...line.letters, ...this.#letters]
      this.#wake.signal()
    })
  }

  /** Tells each what became of it. Returns those that go on with another writer. */
  #answer(
    letters: ReadonlyArray<Letter>,
    exit: Exit.Exit<ReadonlyArray<Forwarded>>,
    writer: LetterWriter
  ): ReadonlyArray<Letter> {
    if (Exit.isFailure(exit)) {
      writer.isSound = false
      for (const { done } of letters) done(textOf(exit.cause))
      return []
    }
    const unsent: Array<Letter> = []
    for (const [index, letter] of letters.entries()) {
      const fate = exit.value[index]
      if (fate === "unsent") {
        unsent.push(letter)
        continue
      }
      const refusal = fate === "stored" ? undefined : fate
      if (refusal !== undefined) writer.isSound = false
      this.#tell(letter, refusal)
    }
    return unsent
  }

  /** One that nobody wants any more may have been taken back. */
  #tell(letter: Letter, refusal: TransportError | undefined): void {
    if (letter.isWanted()) letter.done(refusal?.message, refusal?.reason)
  }

  /** Of a topic that cannot be written for long: without those that nobody wants any more. */
  #tidy(): void {
    this.#letters = this.#letters.filter(isWanted)
    this.#count = this.#letters.length
    for (const line of this.#lines.values()) {
      line.letters = line.letters.filter(isWanted)
      this.#count += line.letters.length
    }
    this.#tidyAt = Math.max(tidyMin, this.#count * 2)
  }

  /** The first of a line that somebody wants, as many as one request should have: each is a copy. */
  #first(line: Line) {
    const letters: Array<Letter> = []
    const records: Array<PlainRecord> = []
    let at = 0
    for (let bytes = 0; bytes < requestBytes && letters.length < requestLetters; at++) {
      const letter = line.letters[at]
      if (letter === undefined) break
      if (!letter.isWanted()) continue
      const record = letter.record()
      letters.push(letter)
      records.push(record)
      bytes += sizeOf(record)
    }
    line.letters.splice(0, at)
    this.#count -= at
    return { letters, records }
  }

  /** Those of these that somebody wants; they wait no more. */
  #take(letters: ReadonlyArray<Letter>): ReadonlyArray<Letter> {
    this.#count -= letters.length
    return letters.filter(isWanted)
  }

  /** Until it is open; fails where trying again is of no use. */
  #open(writers: Scope.Scope): Effect.Effect<LetterWriter, TransportError> {
    return Effect.gen({ self: this }, function* () {
      this.#isLongSince(opening)
      for (let failures = 0; ;) {
        const exit = yield* Effect.exit(this.#openOnce(writers))
        if (Exit.isSuccess(exit)) return exit.value
        const error = Option.getOrElse(Cause.findErrorOption(exit.cause), () => this.#unknown(exit.cause))
        if (!error.isRetryable) return yield* error
        this.#tellWaiting(opening, error)
        yield* this.#pauses.of(Math.min(againMs * 2 ** failures++, againMsMax))
      }
    })
  }

  /** Nobody waits for a driver that does not even end when it is told to. */
  #openOnce(writers: Scope.Scope): Effect.Effect<LetterWriter, TransportError> {
    const { transport, topic, deadLetters, areRetried } = this.#options
    const kept = areRetried === true ? {} : lettersRetention(transport)
    const writer = LetterWriter.open({ transport, deadLetters, topic, ...kept, writers, pauses: this.#pauses })
    return Effect.flatMap(Effect.forkIn(writer, writers, { startImmediately: true }), (fiber) =>
      Fiber.join(fiber).pipe(
        Effect.timeoutOrElse({ duration: openMs, orElse: () => Effect.fail(unanswered(transport.name)) }),
        Effect.onExit(() => Effect.sync(() => fiber.interruptUnsafe()))
      )
    )
  }

  #unknown(cause: Cause.Cause<unknown>): TransportError {
    const { name } = this.#options.transport
    return new TransportError({ reason: "Unknown", transport: name, operation: "open", detail: textOf(cause), cause })
  }

  /** Since this was first asked, while letters of a partition wait. */
  #isLongSince(partition: number): boolean {
    return this.#clock !== undefined && this.#watch.failed(partition, monotonicMs(this.#clock))
  }

  /** When it lasts, somebody has to know. */
  #tellWaiting(partition: number, { message }: TransportError): void {
    const { context, deadLetters, what = "dead letters", who, waiting } = this.#options
    if (!this.#isLongSince(partition)) return
    const told = `${who} cannot store ${what} in ${deadLetters}, and tries again; ${waiting}: ${message}`
    Effect.runForkWith(context)(Telemetry.warn(told))
  }
}

function isWanted(letter: Letter): boolean {
  return letter.isWanted()
}

function unanswered(transport: string): TransportError {
  return new TransportError({
    reason: "Timeout",
    transport,
    operation: "open",
    detail: `no answer within ${openMs} ms`
  })
}

function textOf(cause: Cause.Cause<unknown>): string {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error.message : textOfThrown(error)
}
