/**
 * What is shared by name: opened by the first that needs it, closed with the last, and emptied before its scope ends. Closing may take time;
 * what is asked for meanwhile is opened afterwards, so that of one name no two are there at once, and whatever is kept by name is that of one.
 *
 * As `RcMap`, for things of which there are ten thousand: one that is open is one object and a scope, with neither a context of its own nor a
 * semaphore.
 */
import { Context, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { warn } from "../Telemetry.ts"
import { patienceMs } from "../transport/contained.ts"
import { endWithin } from "../transport/endWithin.ts"

interface Entry<A, E> {
  readonly scope: Scope.Closeable
  holders: number
  /** What it is opened by; undefined once it is open. */
  opening: Fiber.Fiber<A, E> | undefined
  /** Whoever waits for it. It may be asked for while it is being forked. */
  readonly opened: Deferred.Deferred<A, E>
  /** Gives it back, for one of its holders. */
  readonly leave: Effect.Effect<void>
  /** Completes when the one before it under this name has closed. */
  readonly before: Deferred.Deferred<void> | undefined
  isEnded: boolean
}

export class Shared<A, E> {
  readonly #open: (name: string) => Effect.Effect<A, E, Scope.Scope>
  readonly #entries = new Map<string, Entry<A, E>>()
  /** By name: what is being closed. */
  readonly #closing = new Map<string, Deferred.Deferred<void>>()
  #isClosed = false

  constructor(scope: Scope.Scope, open: (name: string) => Effect.Effect<A, E, Scope.Scope>) {
    this.#open = open
    const close = Effect.suspend(() => {
      this.#isClosed = true
      const ended = Effect.forEach(Array.from(this.#entries), ([name, entry]) => this.#end(name, entry), {
        discard: true
      })
      // What its last holder closes at this moment is waited for too: it may use what is closed next.
      const others = Effect.suspend(() =>
        Effect.forEach(Array.from(this.#closing.values()), Deferred.await, { discard: true })
      )
      return Effect.andThen(ended, others)
    })
    Effect.runSync(Scope.addFinalizer(scope, close))
  }

  /** What has this name; it is held until the scope closes, also when it could not be opened, or nobody waits for it any more. */
  get(name: string): Effect.Effect<A, E, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.contextWith((context: Context.Context<Scope.Scope>) => {
        if (this.#isClosed) return Effect.interrupt
        const entry = this.#entries.get(name) ?? this.#begin(name, context)
        entry.holders++
        return Effect.andThen(
          Scope.addFinalizer(Context.get(context, Scope.Scope), entry.leave),
          restore(Deferred.await(entry.opened))
        )
      })
    )
  }

  #begin(name: string, context: Context.Context<Scope.Scope>): Entry<A, E> {
    const before = this.#closing.get(name)
    const scope = Scope.makeUnsafe()
    const leave = Effect.suspend(() => this.#leave(name, entry))
    const entry: Entry<A, E> = {
      scope,
      holders: 0,
      opening: undefined,
      opened: Deferred.makeUnsafe<A, E>(),
      leave,
      before,
      isEnded: false
    }
    this.#entries.set(name, entry)
    const open = Effect.suspend(() => this.#open(name))
    const opening = Effect.runForkWith(Context.add(context, Scope.Scope, scope))(
      before === undefined ? open : Effect.andThen(Deferred.await(before), open)
    )
    entry.opening = opening
    opening.addObserver((exit) => {
      entry.opening = undefined
      // Whoever interrupts it has given it up: the next one asks anew.
      if (Exit.hasInterrupts(exit)) this.#forget(name, entry)
      Deferred.doneUnsafe(entry.opened, exit)
    })
    return entry
  }

  #leave(name: string, entry: Entry<A, E>): Effect.Effect<void> {
    return --entry.holders > 0 ? Effect.void : this.#end(name, entry)
  }

  #forget(name: string, entry: Entry<A, E>): void {
    if (this.#entries.get(name) === entry) this.#entries.delete(name)
  }

  #end(name: string, entry: Entry<A, E>): Effect.Effect<void> {
    if (entry.isEnded) return Effect.void
    entry.isEnded = true
    this.#forget(name, entry)
    const { opening, scope, before } = entry
    const closed = Deferred.makeUnsafe<void>()
    this.#closing.set(name, closed)
    return Effect.andThen(
      opening === undefined ? Effect.void : givenUp(opening, name),
      Scope.close(scope, Exit.void)
    ).pipe(
      Effect.andThen(before === undefined ? Effect.void : Deferred.await(before)),
      Effect.ensuring(
        Effect.sync(() => {
          if (this.#closing.get(name) === closed) this.#closing.delete(name)
          Deferred.doneUnsafe(closed, Exit.void)
        })
      )
    )
  }
}

/** A driver may not let its opening be interrupted. What it opens then all the same is closed at once: its scope has ended. */
function givenUp(opening: Fiber.Fiber<unknown, unknown>, name: string): Effect.Effect<void> {
  return Effect.flatMap(endWithin(Fiber.interrupt(opening), patienceMs), (exit) =>
    exit === undefined
      ? warn(
          `the driver has not ended the opening of ${name} within ${patienceMs} ms, and is not waited for any longer`
        )
      : Effect.void
  )
}
