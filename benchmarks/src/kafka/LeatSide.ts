/** leat on the same client. With its defaults, but that a loop which offers as fast as it can gives way now and then. */
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect, Exit, Scope, Stream } from "effect"
import { type Driver, type EventStream, Leat, type OpenLeat } from "leat"
import { drivers } from "./drivers.ts"
import { eventsOf, Feed } from "./events.ts"
import { source } from "./RawRecords.ts"
import type { ConsumeWay, OpenSide, ProduceWay, Side, SideCase, SidePlan, SideTopics, Stopwatch } from "./Side.ts"
import { steadily } from "./steadily.ts"

/** Events after which the loop gives way, so that what is full can be sent. */
const eventsPerTurn = 500
const eventsPerBatch = 1000

interface Opened {
  readonly leat: OpenLeat
  readonly stream: EventStream<BeaconSighting>
}

export const openLeat: OpenSide = async (plan, one) => {
  const side = new LeatSide(plan, one)
  return side.opened()
}

class LeatSide implements Side {
  incarnation = ""
  readonly #plan: SidePlan
  readonly #topics: SideTopics
  readonly #feed: Feed
  readonly #scope = Effect.runSync(Scope.make())
  readonly #opened = new Map<string, Promise<Opened>>()

  constructor(plan: SidePlan, { valueBytes, topics }: SideCase) {
    this.#plan = plan
    this.#topics = topics
    this.#feed = new Feed(eventsOf(valueBytes))
  }

  async opened(): Promise<this> {
    const { leat } = await this.#on(this.#topics.main)
    this.incarnation = leat.incarnation
    return this
  }

  async produce(way: ProduceWay, events: number): Promise<void> {
    const { main, read } = this.#topics
    const { stream } = await this.#on(way === "fill" ? read : main)
    const outcome = await Effect.runPromise(
      way === "publish" ? this.#publish(stream, events) : this.#offer(stream, events)
    )
    for (const reason in outcome.dropped) throw new Error(`events were dropped: ${reason}`)
  }

  #offer(stream: EventStream<BeaconSighting>, events: number) {
    const feed = this.#feed
    return Effect.gen(function* () {
      for (let left = events; left > 0; left--) {
        const event = feed.next()
        // Without room `publish` waits for some.
        if (!stream.offer(event).admitted) yield* stream.publish(event, { level: "queued" })
        if (left % eventsPerTurn === 0) yield* Effect.yieldNow
      }
      return yield* stream.flush
    })
  }

  #publish(stream: EventStream<BeaconSighting>, events: number) {
    const feed = this.#feed
    return Effect.gen(function* () {
      for (let left = events; left > 0; left--) yield* stream.publish(feed.next(), { level: "queued" })
      return yield* stream.flush
    })
  }

  async latencies(perSecond: number, seconds: number): Promise<ReadonlyArray<number>> {
    const { stream } = await this.#on(this.#topics.main, "0 millis")
    const taken: Array<number> = []
    const publishes: Array<Promise<unknown>> = []
    await steadily(perSecond, seconds, (events) => {
      for (let left = events; left > 0; left--) {
        const calledMs = performance.now()
        const stored = Effect.runPromise(stream.publish(this.#feed.next(), { level: "stored" }))
        publishes.push(stored.then(() => taken.push(performance.now() - calledMs)))
      }
    })
    await Promise.all(publishes)
    return taken
  }

  consume(way: ConsumeWay, group: string, events: number, watch: Stopwatch): Promise<void> {
    const plan = this.#plan
    const { read } = this.#topics
    const program = Effect.gen(function* () {
      const { stream } = yield* open(plan, read, "5 millis", () => watch.start())
      const { promise, resolve } = Promise.withResolvers<void>()
      let handled = 0
      const seen = (more: number) => {
        handled += more
        if (handled < events) return
        watch.stop()
        resolve()
      }
      yield* way === "handle"
        ? stream.handle(group, () => Effect.sync(() => seen(1)))
        : stream.handleBatch(group, (all) => Effect.sync(() => seen(all.length)), { records: eventsPerBatch })
      yield* Effect.promise(() => promise)
    })
    return Effect.runPromise(Effect.scoped(program))
  }

  close(): Promise<void> {
    return Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }

  #on(topic: string, linger = "5 millis"): Promise<Opened> {
    const name = `${topic} ${linger}`
    const opened =
      this.#opened.get(name) ?? Effect.runPromise(Scope.provide(open(this.#plan, topic, linger), this.#scope))
    this.#opened.set(name, opened)
    return opened
  }
}

const open = Effect.fnUntraced(function* (plan: SidePlan, topic: string, linger: string, onLane?: () => void) {
  const driver = yield* Effect.promise(drivers[plan.client])
  const routes = {
    version: 1,
    clusters: { kafka: { transport: driver.name, brokers: plan.bootstrap } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic, wire: plan.wire, linger }] }]
  }
  const leat = yield* Leat.make({ source, routes, drivers: [onLane === undefined ? driver : watched(driver, onLane)] })
  return { leat, stream: yield* leat.stream(BeaconSighting) }
})

/** The driver, telling when a member is given a lane. */
function watched(driver: Driver, onLane: () => void): Driver {
  return {
    ...driver,
    open: (cluster, config, reread) =>
      Effect.map(driver.open(cluster, config, reread), (transport) => ({
        ...transport,
        subscribe: (subscription) => Stream.tap(transport.subscribe(subscription), () => Effect.sync(onLane))
      }))
  }
}
