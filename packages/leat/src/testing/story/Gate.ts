/** What a process has of the world outside: when it crashes it asks for nothing any more, and hears of nothing. */
import { Effect, Exit, Scope, Stream } from "effect"
import type { Driver, Lane, Transport, TransportError } from "../../transport/index.ts"

export class Gate {
  isDead = false
  /** What ends with the process: its memberships of groups. */
  readonly #scopes = new Set<Scope.Closeable>()

  /** From now on nothing passes. What was handed over to a driver is on its way all the same. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isDead = true
    return Effect.forEach(this.#scopes, (scope) => Scope.close(scope, Exit.void), { discard: true })
  })

  /** A driver of the process. */
  driver(driver: Driver): Driver {
    return {
      ...driver,
      open: (...asked) => Effect.map(driver.open(...asked), (transport) => this.transport(transport))
    }
  }

  /** A transport of the process. */
  transport(transport: Transport): Transport {
    const { groups, trim } = transport
    return {
      ...transport,
      openWriter: (topic) =>
        Effect.map(transport.openWriter(topic), (writer) => ({
          ...writer,
          fence: (partition) => this.#alive(writer.fence(partition)),
          send: (partition, batch, from, to, timeoutMs, answer) => {
            if (!this.isDead)
              writer.send(partition, batch, from, to, timeoutMs, (runs) => {
                if (!this.isDead) answer(runs)
              })
          }
        })),
      bounds: (topic, group) => this.#alive(transport.bounds(topic, group)),
      ensure: (spec) => this.#alive(transport.ensure(spec)),
      ...(groups === undefined ? {} : { groups: (topic) => this.#alive(groups(topic)) }),
      ...(trim === undefined
        ? {}
        : { trim: (topic, partition, before) => this.#alive(trim(topic, partition, before)) }),
      subscribe: (asked) => this.#member(transport.subscribe(asked))
    }
  }

  /** A member of a group, which has gone when the process has. */
  #member(lanes: Stream.Stream<Lane, TransportError, Scope.Scope>): Stream.Stream<Lane, TransportError, Scope.Scope> {
    const joined = Effect.gen({ self: this }, function* () {
      if (this.isDead) return yield* Effect.never
      const scope = yield* Scope.fork(yield* Effect.scope)
      this.#scopes.add(scope)
      yield* Scope.addFinalizer(
        scope,
        Effect.sync(() => this.#scopes.delete(scope))
      )
      return Stream.provideService(lanes, Scope.Scope, scope)
    })
    return Stream.map(
      Stream.flatMap(Stream.fromEffect(joined), (given) => given),
      (lane) => ({ ...lane, settle: (position) => this.#alive(lane.settle(position)) })
    )
  }

  #alive<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() =>
      this.isDead ? Effect.never : Effect.flatMap(effect, (told) => (this.isDead ? Effect.never : Effect.succeed(told)))
    )
  }
}
