/**
 * One opening of a topic of dead letters, used for all its partitions at once. It is closed when another has taken its place and nobody
 * appends with it any more; what still waits for it some time later is given back, to go on with the other.
 */
import { Deferred, Effect, Exit, Option, Scope } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { type Forwarder, openForwarder } from "./Forwarder.ts"
import type { TopicSpec, Transport, TransportError } from "./index.ts"
import type { Pauses } from "./Pauses.ts"

/** How long an append goes on with a writer that has been replaced, in milliseconds. */
const graceMs = 10_000

/** For each record: undefined when it is stored, else why it is refused for good. */
export type Answers = ReadonlyArray<TransportError | undefined>

interface LetterWriterOptions {
  readonly transport: Transport
  /** Of the dead letters. */
  readonly deadLetters: string
  /** Whose partitions it gets. */
  readonly topic: string
  /** What it keeps; as its cluster keeps when absent. */
  readonly retention?: TopicSpec["retention"]
  /** Closes all writers that are still open. */
  readonly writers: Scope.Scope
  /** From one attempt to store something to the next. */
  readonly pauses: Pauses
}

export class LetterWriter {
  readonly partitions: number
  /** False after a refusal: what refuses one may be the writer. */
  isSound = true
  readonly #forwarder: Forwarder
  readonly #close: Effect.Effect<void>
  readonly #replaced = Deferred.makeUnsafe<void>()
  #isReplaced = false
  #appends = 0

  private constructor(forwarder: Forwarder, close: Effect.Effect<void>) {
    this.#forwarder = forwarder
    this.#close = close
    this.partitions = forwarder.partitions
  }

  /** Opens the topic, with the partitions of that which the records are of. */
  static readonly open = Effect.fnUntraced(function* (options: LetterWriterOptions) {
    const { transport, deadLetters, topic, retention, writers, pauses } = options
    const scope = yield* Scope.fork(writers)
    return yield* Effect.suspend(() => transport.partitionsOf(topic)).pipe(
      Effect.flatMap((count) =>
        openForwarder(
          transport,
          { topic: deadLetters, partitions: count, ...(retention === undefined ? {} : { retention }) },
          pauses
        )
      ),
      Scope.provide(scope),
      // In the scope of all, so that whoever closes that waits for it.
      Effect.map((forwarder) => {
        const closing = Effect.forkIn(Scope.close(scope, Exit.void), writers)
        return new LetterWriter(forwarder, Effect.asVoid(closing))
      }),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)))
    )
  })

  /** As `Forwarder.append`; none: another writer has taken its place, and not all may be stored. */
  append(
    partition: number,
    records: ReadonlyArray<PlainRecord>,
    onWaiting: (error: TransportError) => void,
    isWanted: (index: number) => boolean,
    onEnded: (index: number, refusal: TransportError | undefined) => void
  ): Effect.Effect<Option.Option<Answers>> {
    const isOver = Effect.andThen(Deferred.await(this.#replaced), Effect.sleep(graceMs))
    return Effect.suspend(() => {
      this.#appends++
      const appending = Effect.map(
        this.#forwarder.append(partition, records, onWaiting, isWanted, onEnded),
        Option.some
      )
      return Effect.raceFirst(appending, Effect.as(isOver, Option.none<Answers>()))
    }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          this.#appends--
          return this.#closeIfUnused
        })
      )
    )
  }

  /** Another is used from now on. */
  readonly replace: Effect.Effect<void> = Effect.suspend(() => {
    this.#isReplaced = true
    Deferred.doneUnsafe(this.#replaced, Exit.void)
    return this.#closeIfUnused
  })

  get #closeIfUnused(): Effect.Effect<void> {
    return this.#isReplaced && this.#appends === 0 ? this.#close : Effect.void
  }
}
