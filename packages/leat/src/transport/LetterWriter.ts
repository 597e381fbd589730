/**
 * One opening of a topic of dead letters, used for all its partitions at once. It is closed when another has taken its place and nobody
 * appends with it any more; what still waits for it some time later is given back, to go on with the other.
 */
import { Deferred, Effect, Exit, Scope } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { type Forwarded, type Forwarder, openForwarder } from "./Forwarder.ts"
import type { TopicSpec, Transport, TransportError } from "./index.ts"
import type { Pauses } from "./Pauses.ts"

/** How long an append goes on with a writer that has been replaced, in milliseconds; and then for as long as a send takes that is on its way. */
const graceMs = 10_000

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
  readonly #writers: Scope.Scope
  /** It was replaced, and the grace is over. */
  readonly #over = Deferred.makeUnsafe<void>()
  #isReplaced = false
  #appends = 0

  private constructor(forwarder: Forwarder, close: Effect.Effect<void>, writers: Scope.Scope) {
    this.#forwarder = forwarder
    this.#close = close
    this.#writers = writers
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
        return new LetterWriter(forwarder, Effect.asVoid(closing), writers)
      }),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)))
    )
  })

  /** As `Forwarder.appendUntil`; what is left unsent goes on with the writer that has taken its place. */
  append(
    partition: number,
    records: ReadonlyArray<PlainRecord>,
    onWaiting: (error: TransportError) => void,
    isWanted: (index: number) => boolean
  ): Effect.Effect<ReadonlyArray<Forwarded>> {
    return Effect.suspend(() => {
      this.#appends++
      return this.#forwarder.appendUntil(this.#over, partition, records, onWaiting, isWanted)
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
    const ending = Effect.andThen(Effect.sleep(graceMs), Deferred.done(this.#over, Exit.void))
    return Effect.andThen(Effect.forkIn(ending, this.#writers), this.#closeIfUnused)
  })

  get #closeIfUnused(): Effect.Effect<void> {
    return this.#isReplaced && this.#appends === 0 ? this.#close : Effect.void
  }
}
