/**
 * A steady load through one driver, as a service would make it: events are offered at a fixed rate at level `stored`, with a
 * policy that gives nothing up, and one group handles them. A `History` sees every move.
 */
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Cause, Clock, Effect, Exit, Schedule, Scope } from "effect"
import { type EventStream, Leat, type LedgerSnapshot, type OpenLeat, type Subscription } from "leat"
import { History } from "leat/testing"
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

/** How long everything may take to be stored once all brokers are well again, and then to be settled, in milliseconds. */
const restMsMax = 120_000

/** What is told of a load that hangs or has failed. */
export interface LoadState {
  readonly driver: string
  readonly phase: string
  readonly handled: number
  readonly legs?: LedgerSnapshot["legs"]
  readonly lanes?: LedgerSnapshot["lanes"]
  readonly sinks?: ReturnType<OpenLeat["sinks"]>
  readonly haltedLegs?: ReturnType<OpenLeat["halted"]>
  readonly haltedLanes?: ReturnType<Subscription["halted"]>
  readonly blockedLanes?: ReturnType<Subscription["blocked"]>
}

export class Load {
  readonly topic: string
  readonly history = new History()
  readonly #options: LoadOptions
  readonly #wrong: Array<string> = []
  #isStopping = false
  #handled = 0
  /** What `run` waits for. */
  #phase = "the opening of the stream"
  #leat: OpenLeat | undefined
  #subscription: Subscription | undefined

  constructor(options: LoadOptions) {
    this.#options = options
    this.topic = `chaos.${options.driver.name.replace("@leat/", "")}`
  }

  /** No more offers: what is under way comes to rest. */
  stop(): void {
    this.#isStopping = true
  }

  get driver(): string {
    return this.#options.driver.name
  }

  /** What it waits for, and where its events are. */
  get state(): LoadState {
    const state = { driver: this.driver, phase: this.#phase, handled: this.#handled }
    const leat = this.#leat
    if (leat === undefined) return state
    const { legs, lanes } = leat.ledger.snapshot()
    const told = { ...state, legs, lanes, sinks: leat.sinks(), haltedLegs: leat.halted() }
    const subscription = this.#subscription
    if (subscription === undefined) return told
    return { ...told, haltedLanes: subscription.halted(), blockedLanes: subscription.blocked() }
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
    this.#leat = leat
    const sightings = yield* leat.stream(BeaconSighting)
    const subscription = yield* sightings.handle(group, (_, { id, key }) =>
      Effect.sync(() => {
        this.#handled++
        if (id === undefined) this.#wrong.push("a handler got an event without an id")
        else this.history.handled(group, id, key)
      })
    )
    this.#subscription = subscription
    const left = subscription.ended.pipe(
      Effect.catch(({ message }) =>
        Effect.sync(() => this.#wrong.push(`the subscription has ended by itself: ${message}`))
      )
    )
    yield* Effect.forkIn(left, scope)
    this.#phase = "the word to stop"
    yield* this.#publish(leat, sightings)
    yield* this.#rest(leat, sightings)
    this.#phase = "the end of the subscription"
    yield* subscription.stop
    this.#phase = "the end of the leat"
    yield* Scope.close(scope, Exit.void)
    this.#phase = "nothing"
    const { streams, legs } = leat.ledger.snapshot()
    return { incarnation: leat.incarnation, admitted: sumOf(streams, "admitted"), stored: sumOf(legs, "stored") }
  })

  /** Waits until everything is stored, and then until it is settled; says what is not. */
  readonly #rest = Effect.fnUntraced(function* (this: Load, leat: OpenLeat, sightings: EventStream<BeaconSighting>) {
    this.#phase = "the storing of what was admitted"
    const rested = yield* Effect.timeoutOption(leat.flush, restMsMax)
    if (rested._tag === "None") this.#late("not everything is stored")
    const { streams, legs, balanced } = leat.ledger.snapshot()
    if (!balanced) this.#wrong.push(`the ledger does not balance: ${JSON.stringify({ streams, legs })}`)
    for (const { admitted, stored } of legs)
      if (stored !== admitted) this.#wrong.push(`${admitted} events were admitted, and ${stored} stored`)
    this.#phase = "the settling of what was stored"
    let told = "nothing is known of the group"
    const isSettled = Effect.matchCause(sightings.bounds(group), {
      onSuccess: (rows) => {
        told = rows.map(({ partition, end, settled = "nothing" }) => `${partition}: ${settled} of ${end}`).join(", ")
        return rows.every(({ start, end, settled }) => (settled ?? start) === end)
      },
      onFailure: (cause) => {
        told = String(Cause.squash(cause))
        return false
      }
    })
    const look = Effect.repeat(isSettled, { schedule: Schedule.spaced("200 millis"), until: (is) => is })
    const settled = yield* Effect.timeoutOption(look, restMsMax)
    if (settled._tag === "None") this.#late(`the group has not settled everything: ${told}`)
  })

  #late(sentence: string): void {
    this.#wrong.push(`${restMsMax} ms after the last mishap ${sentence}: ${textOf(this.state)}`)
  }

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
        driver: this.driver,
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

/** Positions are beyond JSON. */
export function textOf(state: LoadState): string {
  return JSON.stringify(state, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))
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
