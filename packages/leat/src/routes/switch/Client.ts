/** One client of a cluster: it is closed when another one has taken its place and nobody uses it any more. */
import { Deferred, Effect, Exit, Scope } from "effect"
import { patienceMs } from "../../transport/contained.ts"
import { endWithin } from "../../transport/endWithin.ts"
import type { Transport, TransportError, Writer } from "../../transport/index.ts"
import { Replaced } from "../../transport/Replaced.ts"

/** How long a client whose place is taken may take for what it was asked before, in milliseconds: its cluster may not be reached by it any more. */
const answerMs = 30_000

export class Client {
  readonly transport: Transport
  /** Fails when another one has taken its place: who subscribes joins again. */
  readonly left = Deferred.makeUnsafe<never, TransportError>()
  /** Fails some time after that: nobody waits for an answer of it any more. */
  readonly gone = Deferred.makeUnsafe<never, TransportError>()
  readonly #scope: Scope.Closeable
  #users = 0
  #isLeft = false

  /** `scope`: that of the transport. */
  constructor(transport: Transport, scope: Scope.Closeable) {
    this.transport = transport
    this.#scope = scope
  }

  hold(): void {
    this.#users++
  }

  readonly release: Effect.Effect<void> = Effect.suspend(() => (--this.#users === 0 ? this.#closed : Effect.void))

  /** Another one has taken its place. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#isLeft = true
    const error = Exit.fail(new Replaced(this.transport.name))
    Deferred.doneUnsafe(this.left, error)
    if (this.#users === 0) return this.#closed
    const later = Effect.andThen(
      Effect.sleep(answerMs),
      Effect.sync(() => Deferred.doneUnsafe(this.gone, error))
    )
    return Effect.asVoid(Effect.forkIn(later, this.#scope))
  })

  get #closed(): Effect.Effect<void> {
    return this.#isLeft ? Scope.close(this.#scope, Exit.void) : Effect.void
  }
}

/** A topic that is open for writing at one client. */
export interface Opened {
  readonly client: Client
  readonly writer: Writer
  readonly scope: Scope.Closeable
}

/** In a scope of its own, closed when it fails; whoever may not hear of it gives the scope, and closes it. */
export function openedAt(
  client: Client,
  topic: string,
  scope: Scope.Closeable = Scope.makeUnsafe()
): Effect.Effect<Opened, TransportError> {
  return Effect.uninterruptibleMask((restore) => {
    const opening = Effect.exit(restore(Scope.provide(client.transport.openWriter(topic), scope)))
    return Effect.flatMap(opening, (exit) =>
      Exit.isSuccess(exit)
        ? Effect.succeed({ client, writer: exit.value, scope })
        : Effect.andThen(closed({ scope }), Effect.failCause(exit.cause))
    )
  })
}

/** Its driver is not waited for for ever, and what it breaks with is nobody's. */
export function closed(opened: Pick<Opened, "scope">): Effect.Effect<void> {
  return Effect.asVoid(endWithin(Scope.close(opened.scope, Exit.void), patienceMs))
}
