/**
 * The subscriptions of one transport. Those of one group share one member, which has one lease and one place in the group, whatever
 * it reads; a second subscription to the same topic and group is another member.
 */
import { Effect, type Scope, Stream } from "effect"
import { type Lane, OfferedLanes, type Subscription, TransportError } from "leat/transport"
import { LogLane } from "./LogLane.ts"
import type { LogWorker } from "./LogWorker.ts"
import type { LaneEvent } from "./Message.ts"

interface Member {
  readonly number: number
  /** What it reads. */
  readonly topics: Set<string>
}

interface Subscribed {
  readonly topic: string
  readonly group: string
  readonly lanes: OfferedLanes
  /** By number; those that are over are taken out now and then. */
  readonly held: Map<number, LogLane>
}

export class Subscriptions {
  readonly #worker: LogWorker
  readonly #members = new Map<string, Set<Member>>()
  readonly #subscribed = new Map<number, Subscribed>()
  #stop: (() => void) | undefined
  #numbers = 0

  constructor(worker: LogWorker) {
    this.#worker = worker
  }

  subscribe({ topic, group, from, drainMs }: Subscription): Stream.Stream<Lane, TransportError, Scope.Scope> {
    const worker = this.#worker
    return Stream.fromEffect(
      Effect.gen({ self: this }, function* () {
        const subscription = this.#numbers++
        const lanes = yield* OfferedLanes.make
        yield* this.#listen(subscription, { topic, group, lanes, held: new Map() })
        const member = yield* this.#place(topic, group)
        yield* worker.call("topic", { topic })
        yield* worker.call("join", { subscription, member, topic, group, from, drainMs })
        // After joining: the scope may have ended by now, and then the finalizer runs at once.
        yield* Effect.addFinalizer(() => Effect.ignore(worker.call("leave", { subscription })))
        return lanes.stream(Effect.ignore(worker.call("takeNoMore", { subscription })))
      }).pipe(Effect.uninterruptible)
    ).pipe(Stream.flatten)
  }

  /** The member of the group that does not read the topic yet. */
  #place(topic: string, group: string): Effect.Effect<number, never, Scope.Scope> {
    const taken = Effect.sync(() => {
      const members = this.#members.get(group) ?? new Set<Member>()
      this.#members.set(group, members)
      const found = [...members].find(({ topics }) => !topics.has(topic))
      const member = found ?? { number: this.#numbers++, topics: new Set<string>() }
      members.add(member)
      member.topics.add(topic)
      return member
    })
    const given = ({ topics, number }: Member) =>
      Effect.sync(() => {
        topics.delete(topic)
        const members = this.#members.get(group)
        for (const one of members ?? []) if (one.number === number && topics.size === 0) members?.delete(one)
        if (members?.size === 0) this.#members.delete(group)
      })
    return Effect.map(Effect.acquireRelease(taken, given), ({ number }) => number)
  }

  /** Events come for as long as there are subscriptions; whoever has gone hears that its lanes are lost from nobody else. */
  #listen(number: number, subscribed: Subscribed): Effect.Effect<void, never, Scope.Scope> {
    const begin = Effect.sync(() => {
      this.#subscribed.set(number, subscribed)
      this.#stop ??= this.#worker.listen((event) => this.#told(event))
    })
    const end = Effect.sync(() => {
      this.#subscribed.delete(number)
      for (const lane of subscribed.held.values()) lane.told("lost")
      if (this.#subscribed.size > 0) return
      this.#stop?.()
      this.#stop = undefined
    })
    return Effect.acquireRelease(begin, () => end)
  }

  #told(event: LaneEvent | TransportError): void {
    if (event instanceof TransportError) {
      for (const { lanes } of this.#subscribed.values()) lanes.fail(event)
    } else if (event.event === "given") {
      const subscribed = this.#subscribed.get(event.subscription)
      if (subscribed === undefined) return
      const { topic, group, lanes, held } = subscribed
      for (const [lane, { held: one }] of held) if (one.isOver) held.delete(lane)
      const lane = new LogLane(this.#worker, topic, group, event)
      held.set(event.lane, lane)
      lanes.offer(lane.held)
    } else if (event.event === "failed") {
      const error = new TransportError({ ...event.fault, transport: "@leat/log", operation: "subscribe" })
      this.#subscribed.get(event.subscription)?.lanes.fail(error)
    } else this.#subscribed.get(event.subscription)?.held.get(event.lane)?.told(event.event)
  }
}
