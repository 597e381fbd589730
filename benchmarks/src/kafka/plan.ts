/** What is compared on the broker, and how often. */

export type Client = "kafkajs" | "confluent"

export const clients: ReadonlyArray<Client> = ["kafkajs", "confluent"]
export type Wire = "compact" | "cloudevents"
export const wires: ReadonlyArray<Wire> = ["compact", "cloudevents"]

/** Divides the buckets of the contract, so that leat and everybody else find the same partition for a key. */
export const partitions = 8

/** How much of everything one run does. */
export interface Effort {
  /** Bytes of a value, about. */
  readonly valueSizes: ReadonlyArray<number>
  /** Turns of all sides of a comparison; fewer when the time is up, but no fewer than three. */
  readonly rounds: number
  /** How long one turn of the client at its best shall take, in seconds: so many events all sides get. */
  readonly turnSeconds: number
  /** Events of one turn that awaits each of them. */
  readonly naiveEvents: number
  readonly latencySeconds: number
  /** Records that Kafka's own tool sends, the ones that warm it up included. */
  readonly toolRecords: number
  /** Time for everything but that, in milliseconds. */
  readonly budgetMs: number
  /** Time after which that is not begun for another size, in milliseconds. */
  readonly toolMs: number
}

export const full: Effort = {
  valueSizes: [100, 200, 1024],
  rounds: 5,
  turnSeconds: 0.4,
  naiveEvents: 300,
  latencySeconds: 1.5,
  toolRecords: 120_000,
  budgetMs: 400_000,
  toolMs: 30_000
}

export const quick: Effort = {
  ...full,
  valueSizes: [100],
  rounds: 3,
  turnSeconds: 0.2,
  naiveEvents: 100,
  latencySeconds: 1,
  toolRecords: 60_000,
  budgetMs: 120_000,
  toolMs: 10_000
}

/** Events that are offered in a second while it is measured how long each takes. */
export const steadyPerSecond = 1000

/** Events of each way before anything is measured. */
export const warmUpEvents = 6000

/** Of one turn, at least and at most. */
const turnEvents = { min: 5000, max: 100_000 }

/** How many events a turn gets, when one side did so many in a second. */
export function eventsOfTurn({ turnSeconds }: Effort, perSecond: number): number {
  return Math.round(Math.min(turnEvents.max, Math.max(turnEvents.min, perSecond * turnSeconds)))
}
