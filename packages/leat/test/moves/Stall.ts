/** A cluster that a process cannot reach for a while: what it asks waits until then, and so does what it is told. */
import { Deferred, Effect, Stream } from "effect"
import type { Driver, Transport } from "leat/transport"

export class Stall {
  #over: Deferred.Deferred<void> | undefined
  readonly #waiting: Array<() => void> = []

  get isOn(): boolean {
    return this.#over !== undefined
  }

  begin(): void {
    this.#over ??= Deferred.makeUnsafe<void>()
  }

  end(): void {
    const over = this.#over
    this.#over = undefined
    if (over === undefined) return
    Deferred.doneUnsafe(over, Effect.void)
    for (const task of this.#waiting.splice(0)) task()
  }

  driver(driver: Driver): Driver {
    return {
      ...driver,
      open: (...asked) => Effect.map(this.#waits(driver.open(...asked)), (transport) => this.#transport(transport))
    }
  }

  #transport(transport: Transport): Transport {
    const { groups } = transport
    return {
      ...transport,
      openWriter: (topic) =>
        Effect.map(this.#waits(transport.openWriter(topic)), (writer) => ({
          ...writer,
          fence: (partition) => this.#waits(writer.fence(partition)),
          send: (partition, batch, from, to, timeoutMs, answer) =>
            this.#now(() => writer.send(partition, batch, from, to, timeoutMs, (runs) => this.#now(() => answer(runs))))
        })),
      bounds: (topic, group) => this.#waits(transport.bounds(topic, group)),
      ensure: (spec) => this.#waits(transport.ensure(spec)),
      ...(groups === undefined ? {} : { groups: (topic) => this.#waits(groups(topic)) }),
      read: (topic, partition, range) =>
        Stream.unwrap(Effect.as(this.#waits(Effect.void), transport.read(topic, partition, range))),
      subscribe: (asked) =>
        Stream.map(transport.subscribe(asked), (lane) => ({
          ...lane,
          settle: (position) => this.#waits(lane.settle(position))
        }))
    }
  }

  #now(task: () => void): void {
    if (this.#over === undefined) task()
    else this.#waiting.push(task)
  }

  #waits<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const over: Effect.Effect<void> = Effect.suspend(() =>
      this.#over === undefined ? Effect.void : Effect.andThen(Deferred.await(this.#over), over)
    )
    return Effect.andThen(
      over,
      Effect.tap(effect, () => over)
    )
  }
}
