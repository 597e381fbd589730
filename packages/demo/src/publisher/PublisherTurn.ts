import { Effect, Exit, Scope, Stream } from "effect"
import type { TransportError } from "leat"
import type { Lane, Transport } from "leat/transport"

/** A topic without records: whoever holds its one partition may publish. Each run has one of its own. */
const publishers = "demo.publishers"
const group = "publishers"

/**
 * The right to publish the input: one process at a time has it, others wait behind it and go on where it ended or died. It is
 * the one lane of a group, so the transport's own leases decide, and there is no lock file that a killed process leaves behind.
 */
export class PublisherTurn {
  readonly #isAlone: boolean
  #lane: Lane | undefined

  private constructor(isAlone: boolean) {
    this.#isAlone = isAlone
  }

  /** Whether this process may publish now. */
  get isMine(): boolean {
    return this.#isAlone || this.#lane !== undefined
  }

  /** The turn where nobody else can be on the transport. */
  static alone(): PublisherTurn {
    return new PublisherTurn(true)
  }

  /** Stands in the queue until the scope closes. */
  static readonly join = Effect.fnUntraced(function* (
    transport: Transport,
    runPrefix: string
  ): Effect.fn.Return<PublisherTurn, TransportError, Scope.Scope> {
    const turn = new PublisherTurn(false)
    const topic = runPrefix + publishers
    yield* transport.ensure({ topic, partitions: 1 })
    const membership = yield* Scope.make()
    const subscription = { topic, group, from: "latest", drainMs: 1000 } as const
    const fiber = yield* transport.subscribe(subscription).pipe(
      Stream.runForEach((lane) => Effect.forkIn(turn.#hold(lane), membership)),
      Scope.provide(membership),
      Effect.forkScoped
    )
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        fiber.interruptUnsafe()
        const { release } = turn.#lane ?? { release: Effect.void }
        turn.#lane = undefined
        return Effect.andThen(release, Scope.close(membership, Exit.void))
      })
    )
    return turn
  })

  /** Until the lane ends: it was revoked, or lost because this process seemed dead. */
  #hold(lane: Lane): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#lane = lane
      return Effect.ignore(Stream.runDrain(lane.batches))
    }).pipe(
      Effect.andThen(
        Effect.suspend(() => {
          if (this.#lane !== lane) return Effect.void
          this.#lane = undefined
          return lane.release
        })
      )
    )
  }
}
