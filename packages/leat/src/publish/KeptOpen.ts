/**
 * What is kept open until a scope closes: shared things, each held once however often it is asked for. A hold for each call would take memory until
 * then.
 */
import { Deferred, Effect, Exit, Scope } from "effect"
import type { Shared } from "./Shared.ts"
import { closedError, type OpenError } from "./Sinks.ts"

export class KeptOpen<A> {
  readonly #shared: Shared<A, OpenError>
  readonly #scope: Scope.Closeable
  readonly #closing: Deferred.Deferred<void>
  readonly #names = new Set<string>()

  /** `closing`: completes before `scope` closes. Nothing more is opened then, and what is being opened fails. */
  constructor(shared: Shared<A, OpenError>, scope: Scope.Closeable, closing: Deferred.Deferred<void>) {
    this.#shared = shared
    this.#scope = scope
    this.#closing = closing
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Not kept when it could not be had, or the caller gave up waiting. */
  get(name: string): Effect.Effect<A, OpenError> {
    const isClosing = () => Deferred.isDoneUnsafe(this.#closing)
    const closed = Effect.andThen(Deferred.await(this.#closing), Effect.fail(closedError))
    return Effect.suspend(() => {
      if (isClosing()) return Effect.fail(closedError)
      return Effect.acquireUseRelease(
        Scope.fork(this.#scope),
        (holding) =>
          // Closing interrupts what is being opened, which may be seen before the race is.
          Effect.catchCause(Effect.raceFirst(Scope.provide(this.#shared.get(name), holding), closed), (cause) =>
            isClosing() ? Effect.fail(closedError) : Effect.failCause(cause)
          ),
        (holding, exit) => (Exit.isSuccess(exit) && this.#isFirst(name) ? Effect.void : Scope.close(holding, Exit.void))
      )
    })
  }

  #isFirst(name: string): boolean {
    const isFirst = !this.#names.has(name)
    this.#names.add(name)
    return isFirst
  }
}
