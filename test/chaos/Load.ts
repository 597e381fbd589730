/**
 * A steady load through one driver, as a service would make it: events are offered at a fixed rate at level `stored`, with a
 * policy that gives nothing up, and one group handles them. A `History` sees every move.
 */
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Clock, Effect, Exit, Schedule, Scope } from "effect"
import { type EventStream, Leat, type OpenLeat } from "leat"
import { History, waitUntil } from "leat/testing"
import type { Driver } from "leat/transport"

export interface LoadOptions {
  readonly driver: Driver
  /** Where the driver connects: through the proxies. */
  readonly brokers: string
  readonly eventsPerSecond: number
}

/** What a load did, in events; `copies` are those that the broker holds beyond the first. */
export interface LoadReport {
  readonly driver: string
  readonly admitted: number
  readonly rejected: number
  readonly stored: number
  readonly handled: number
  readonly copies: number
  readonly violations: ReadonlyArray<string>
}

const group = "positions"

/** Keys that the events have, so that each partition has many and each key many events. */
const keys = 200

/** Time between two bursts of offers, in milliseconds. */
const tickMs = 20

/** How long everything may take to come to rest once all brokers are well again, in milliseconds. */
const restMsMax = 120_000

export class Load {
  readonly topic: string
  readonly history = new History()
  readonly #options: LoadOptions
  readonly #wrong: Array<string> = []
  #isStopping = false
  #handled = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.topic = `chaos.${options.driver.name.replace("@leat/", "")}`
  }

  /** No more offers: what is under way comes to rest. */
  stop(): void {
    this.#isStopping = true
  }

  /** Publishes and handles until `stop`, waits for rest, and closes. What is wrong is in the report of `judge`. */
  readonly run = Effect.gen({ self: this }, function* () {
    const scope = yield* Scope.make()
    const leat = yield* Scope.provide(
      Leat.make({
        source: "chaos",
        routes: this.#routes,
        drivers: [this.#options.driver],
        journal: this.history,
        contracts: [BeaconSighting]
      }),
      scope
    )
    const sightings = yield* leat.stream(BeaconSighting)
    const subscription = yield* sightings.handle(group, (_, { id, key }) =>
      Effect.sync(() => {
        this.#handled++
        if (id === undefined) this.#wrong.push("a handler got an event without an id")
        else this.history.handled(group, id, key)
      })
    )
    yield* this.#publish(leat, sightings)
    const rested = yield* Effect.timeoutOption(leat.flush, restMsMax)
    if (rested._tag === "None") {
      const state = { legs: leat.ledger.snapshot().legs, halted: leat.halted(), sinks: leat.sinks() }
      this.#wrong.push(`not everything is stored ${restMsMax} ms after the last mishap: ${JSON.stringify(state)}`)
    }
    const { streams, legs, balanced } = leat.ledger.snapshot()
    if (!balanced) this.#wrong.push(`the ledger does not balance: ${JSON.stringify({ streams, legs })}`)
    for (const { admitted, stored } of legs)
      if (stored !== admitted) this.#wrong.push(`${admitted} events were admitted, and ${stored} stored`)
    const lag = sightings.bounds(group).pipe(
      Effect.map((rows) => rows.reduce((total, { start, end, settled }) => total + (end - (settled ?? start)), 0n)),
      Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 100, while: (error) => error.isRetryable })
    )
    yield* waitUntil(
      "the group has settled everything",
      Effect.map(lag, (left) => left === 0n),
      { withinMs: restMsMax, everyMs: 200 }
    ).pipe(Effect.catchTag("NotInTime", ({ message }) => Effect.sync(() => this.#wrong.push(message))))
    yield* subscription.stop
    yield* Scope.close(scope, Exit.void)
    return { incarnation: leat.incarnation, admitted: sumOf(streams, "admitted"), stored: sumOf(legs, "stored") }
  })

  /** Compares what was told with what another client reads from the brokers. */
  readonly judge = (done: Effect.Success<typeof this.run>, reader: Driver, brokers: string) =>
    Effect.gen({ self: this }, function* () {
      const transport = yield* reader.open("raw", { brokers })
      const sink = `kafka/${this.topic}`
      yield* this.history.readBack(transport, this.topic, sink, BeaconSighting.stream)
      this.history.checkGroup(group, sink, done.incarnation)
      const bounds = yield* transport.bounds(this.topic)
      const records = bounds.reduce((total, { start, end }) => total + Number(end - start), 0)
      const report: LoadReport = {
        driver: this.#options.driver.name,
        admitted: done.admitted,
        rejected: this.history.rejectedCount,
        stored: done.stored,
        handled: this.#handled,
        copies: records - this.history.observed(sink).length,
        violations: [...this.#wrong, ...this.history.verdict()]
      }
      return report
    }).pipe(Effect.scoped)

  readonly #publish = Effect.fnUntraced(function* (this: Load, leat: OpenLeat, sightings: EventStream<BeaconSighting>) {
    const startMs = yield* Clock.currentTimeMillis
    let offered = 0
    for (let ticks = 0; !this.#isStopping; ticks++) {
      const dueMs = (yield* Clock.currentTimeMillis) - startMs
      const due = Math.floor((dueMs * this.#options.eventsPerSecond) / 1000)
      for (; offered < due; offered++) sightings.offer(sightingOf(offered))
      if (ticks % 50 === 0 && !leat.ledger.snapshot().balanced) this.#wrong.push("the ledger did not balance under way")
      yield* Effect.sleep(tickMs)
    }
  })

  get #routes() {
    const { driver, brokers } = this.#options
    return {
      version: 1,
      clusters: {
        kafka: {
          transport: driver.name,
          brokers,
          topic: { partitions: 8, replicationFactor: 3 },
          sessionMs: 10_000,
          requestMs: 5000
        }
      },
      policies: {
        keep: [{ on: ["*"], retry: { base: "100 millis", factor: 2, maxDelay: "2 seconds" }, then: "halt" }]
      },
      routes: [
        {
          match: { stream: "*" },
          level: "stored",
          to: [
            {
              cluster: "kafka",
              topic: this.topic,
              policy: "keep",
              timeout: "5 seconds",
              buffer: { bytes: 64 * 1024 * 1024, overflow: "reject" }
            }
          ]
        }
      ],
      subscriptions: [{ match: { stream: "*" }, policy: "keep", drain: "5 seconds" }]
    }
  }
}

function sightingOf(number: number): BeaconSighting {
  return {
    beaconId: `beacon-${number % keys}`,
    sensorId: "b827eb4521b4",
    rssiDbm: -60 - (number % 30),
    seenAtUs: BigInt(number),
    inputRef: `chaos:${number}`
  }
}

function sumOf<K extends string>(rows: ReadonlyArray<{ readonly [P in K]: number }>, key: K): number {
  return rows.reduce((total, row) => total + row[key], 0)
}
