/** What is compared on the broker, and how often. */
import type { Wire } from "./RawRecords.ts"

export type Client = "kafkajs" | "confluent"

export const clients: ReadonlyArray<Client> = ["kafkajs", "confluent"]
export const wires: ReadonlyArray<Wire> = ["compact", "cloudevents"]

/** Divides the buckets of the contract, so that leat and everybody else find the same partition for a key. */
export const partitions = 8

/** How much of everything one run does. */
export interface Effort {
  /** Bytes of a value, about. */
  readonly valueSizes: ReadonlyArray<number>
  /** Turns of all sides of a comparison; fewer when the time is up. */
  readonly rounds: number
  /** Bytes of values that one turn publishes. */
  readonly turnBytes: number
  /** Most events of one turn. */
  readonly turnEventsMax: number
  /** Events of one turn that awaits each of them. */
  readonly naiveEvents: number
  /** Events of a topic that is read from its beginning to its end. */
  readonly readEvents: number
  readonly latencySeconds: number
  /** Records that Kafka's own tool sends, the ones that warm it up included. */
  readonly toolRecords: number
  /** Time for everything, in milliseconds. */
  readonly budgetMs: number
}

export const full: Effort = {
  valueSizes: [100, 200, 1024],
  rounds: 5,
  turnBytes: 32_000_000,
  turnEventsMax: 100_000,
  naiveEvents: 500,
  readEvents: 40_000,
  latencySeconds: 2,
  toolRecords: 400_000,
  budgetMs: 440_000
}

export const quick: Effort = {
  ...full,
  valueSizes: [100],
  rounds: 2,
  turnEventsMax: 20_000,
  naiveEvents: 100,
  readEvents: 20_000,
  latencySeconds: 1,
  toolRecords: 100_000,
  budgetMs: 100_000
}

/** Events that are offered in a second while it is measured how long each takes. */
export const steadyPerSecond = 2000

export const turnEvents = (effort: Effort, valueBytes: number): number =>
  Math.min(effort.turnEventsMax, Math.round(effort.turnBytes / valueBytes))
