/** What a story is about, and where it plays: data, so that a story can be drawn, told again, and told over another transport. */
import type { Effect, Scope } from "effect"
import type { ClusterConfig, Driver, Transport, TransportError } from "../../transport/index.ts"
import type { FaultRates } from "../FaultTransport.ts"

/**
 * One whole story: publishers, faults, consumers that fail, and a close.
 *
 * @example
 * ```ts
 * const scenario: Scenario = { ...calm, rates: { loseResponse: 0.1 }, consumers: 3, rebalances: 0.05 }
 * ```
 */
export interface Scenario {
  /** Events that are offered or published, one after the other. */
  readonly events: number
  readonly keys: number
  readonly rates: FaultRates
  readonly overflow: "block" | "reject" | "dropOldest"
  /** Budget of the sink, in bytes; 64 KiB at least. */
  readonly bufferBytes: number
  readonly lingerMs: number
  /** What becomes of a send that fails: it is tried until it is stored, or once more. */
  readonly policy: "keep" | "drop"
  /** Chance that a handler fails, 0 to 1. */
  readonly handlerFaults: number
  readonly consumers: number
  /** Chance, per event published, that a member leaves and another joins. */
  readonly rebalances: number
  /** Bytes of text in each event: large ones fill the buffer. */
  readonly textBytes: number
  /** Everything is offered at once, without waiting for anything: the buffer fills. */
  readonly isBurst: boolean
  /** The leat is closed with events still queued; otherwise it is flushed and its consumers finish. */
  readonly isClosedEarly: boolean
}

/**
 * A story in which nothing goes wrong: what others are made of.
 *
 * @example
 * ```ts
 * const burst: Scenario = { ...calm, events: 200, isBurst: true, overflow: "dropOldest" }
 * ```
 */
export const calm: Scenario = {
  events: 60,
  keys: 5,
  rates: {},
  overflow: "block",
  bufferBytes: 1 << 20,
  lingerMs: 5,
  policy: "keep",
  handlerFaults: 0,
  consumers: 1,
  rebalances: 0,
  textBytes: 10,
  isBurst: false,
  isClosedEarly: false
}

/**
 * Where a story plays: a transport with nothing on it, and a way to read it back when everybody has gone.
 *
 * @example
 * ```ts
 * const broker = new MemoryBroker({ partitions: 2 })
 * const stage: Stage = {
 *   driver: memoryDriver(broker),
 *   config: {},
 *   reader: Effect.sync(() => memoryTransport(broker)),
 *   withinMs: 180_000
 * }
 * ```
 */
export interface Stage {
  readonly driver: Driver
  /** Section of the cluster in the route document, without `transport`. */
  readonly config: ClusterConfig
  /** Opened once the leat has closed. */
  readonly reader: Effect.Effect<Transport, TransportError, Scope.Scope>
  /** How long the group may take to settle everything, in milliseconds. */
  readonly withinMs: number
}

const keep = [{ on: ["*"], retry: { base: "10 millis", factor: 2, maxDelay: "1 second" }, then: "halt" }]
const drop = [{ on: ["*"], retry: { times: 1, base: "5 millis" }, then: "drop" }]

/** The route document of a story: everything goes to one topic of the stage. */
export function routesOf({ driver, config }: Stage, { policy, lingerMs, bufferBytes, overflow }: Scenario): unknown {
  const leg = {
    cluster: "local",
    topic: "notes",
    policy: "leg",
    linger: `${lingerMs} millis`,
    buffer: { bytes: Math.max(65_536, bufferBytes), overflow },
    batch: { bytes: 16_384, records: 16 }
  }
  return {
    version: 1,
    clusters: { local: { transport: driver.name, ...config } },
    policies: { leg: policy === "keep" ? keep : drop, group: keep },
    routes: [{ match: { stream: "*" }, to: [leg] }],
    subscriptions: [
      { match: { stream: "*" }, policy: "group", concurrency: 3, settleEvery: "20 millis", drain: "200 millis" }
    ]
  }
}
