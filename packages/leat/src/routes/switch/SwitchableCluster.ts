/**
 * A cluster whose client can be replaced while everybody who uses it goes on: another one is opened and proven beside it (`Candidate`), and takes its
 * place. A topic that is written goes over partition by partition (`GoingOver`); a subscription leaves its group and joins it again by the new client,
 * as after a failure that passes. The old client is closed with its last user.
 */
import { Clock, Context, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { monotonicMs } from "../../Wake.ts"
import type { Transport, TransportError, Writer } from "../../transport/index.ts"
import { Candidate } from "./Candidate.ts"
import { Client, closed, openedAt } from "./Client.ts"
import { facadeOf } from "./facadeOf.ts"
import { SwitchedWriter, type WriterHome } from "./SwitchedWriter.ts"

/** Why another section has to wait, behind the name of the cluster. */
export const stillGoingOver = "is still going over from the section before"

export class SwitchableCluster implements WriterHome {
  readonly transport: Transport
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly #scope: Scope.Scope
  readonly #writers = new Set<SwitchedWriter>()
  readonly #clock: Clock.Clock
  /** What is being closed. */
  readonly #closing = new Set<Fiber.Fiber<void>>()
  #client: Client

  private constructor(client: Client, scope: Scope.Scope, context: Context.Context<never>) {
    this.#client = client
    this.#scope = scope
    this.fork = Effect.runForkWith(context)
    this.#clock = Context.get(context, Clock.Clock)
    this.transport = facadeOf(
      client.transport,
      () => this.#client,
      (topic) => this.#openWriter(topic)
    )
  }

  /** Opens the first client; all of them are closed with the scope. */
  static readonly open = <E>(
    opening: Effect.Effect<Transport, E, Scope.Scope>
  ): Effect.Effect<SwitchableCluster, E, Scope.Scope> =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const own = Scope.forkUnsafe(scope)
      const transport = yield* Scope.provide(opening, own)
      const cluster = new SwitchableCluster(new Client(transport, own), scope, yield* Effect.context<never>())
      yield* Scope.addFinalizer(
        scope,
        Effect.suspend(() => Fiber.awaitAll(cluster.#closing))
      )
      return cluster
    })

  /** Another client that may take the place of the present one, once it is complete. */
  candidate<E>(opening: Effect.Effect<Transport, E, Scope.Scope>): Candidate<E> {
    return new Candidate(this.#client, this.#scope, opening)
  }

  /** Opens the candidate, and what has been opened for writing. */
  complete<E>(candidate: Candidate<E>): Effect.Effect<void, E | TransportError> {
    return candidate.complete(() => Array.from(this.#writers))
  }

  /** Whether the candidate may take the place of the present client now. */
  isComplete(candidate: Candidate<unknown>): boolean {
    return candidate.isComplete(Array.from(this.#writers))
  }

  /** Whether it is to take the place of the client that is open now. */
  isFor({ present }: Candidate<unknown>): boolean {
    return present === this.#client
  }

  /** Whether partitions are still at the client before the present one. */
  get isGoingOver(): boolean {
    return Array.from(this.#writers).some((writer) => writer.isGoingOver)
  }

  /** Whether they have been for so long that another client may relieve them. */
  get isStuck(): boolean {
    return Array.from(this.#writers).some((writer) => writer.isStuck)
  }

  /**
   * Fails while partitions are still at the client before. What has been stuck there for long is left for this candidate: the present client may not
   * reach the cluster any more either.
   */
  relieved({ writers }: Candidate<unknown>): Effect.Effect<void, Error> {
    const relieving = Effect.forEach(writers, ([writer, opened]) => writer.relieved(opened), {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.andThen(relieving, () => (this.isGoingOver ? Effect.fail(new Error(stillGoingOver)) : Effect.void))
  }

  /** The candidate takes the place of the present client, in one step. */
  switch({ client, writers }: Candidate<unknown>): void {
    if (client === undefined) return
    const before = this.#client
    this.#client = client
    for (const [writer, opened] of writers) {
      if (this.#writers.has(writer)) {
        client.hold()
        writer.switch(opened)
      } else this.run(closed(opened))
    }
    this.run(before.leave)
  }

  get nowMs(): number {
    return monotonicMs(this.#clock)
  }

  run(closing: Effect.Effect<void>): void {
    const fiber = this.fork(closing)
    this.#closing.add(fiber)
    fiber.addObserver(() => this.#closing.delete(fiber))
  }

  /** A writer is closed. */
  forget(writer: SwitchedWriter): void {
    this.#writers.delete(writer)
  }

  /** At the present client; where that is replaced meanwhile, at the next one. */
  #openWriter(topic: string): Effect.Effect<Writer, TransportError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const scope = yield* Effect.scope
        for (;;) {
          const client = this.#client
          client.hold()
          const own = Scope.makeUnsafe()
          const opening = Effect.raceFirst(openedAt(client, topic, own), Deferred.await(client.left))
          const exit = yield* Effect.exit(restore(opening))
          const isPresent = client === this.#client
          if (isPresent && Exit.isSuccess(exit)) {
            const writer = this.#entered(new SwitchedWriter(topic, exit.value, this))
            // Not `addFinalizer`, which keeps an effect for each.
            yield* Scope.addFinalizerExit(scope, closingOf(writer))
            return writer
          }
          // Also what was opened in the moment in which nobody waited for it any more.
          yield* closed({ scope: own })
          yield* client.release
          if (Exit.isFailure(exit) && (isPresent || Exit.hasInterrupts(exit)))
            return yield* Effect.failCause(exit.cause)
        }
      })
    )
  }

  #entered(writer: SwitchedWriter): SwitchedWriter {
    this.#writers.add(writer)
    return writer
  }
}

/** Without whatever its opening needs. */
function closingOf(writer: SwitchedWriter): () => Effect.Effect<void> {
  return () => writer.close()
}
