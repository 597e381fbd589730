import { kafkajs } from "@leat/kafkajs"
import { Effect, type Scope } from "effect"
import { Leat } from "leat"
import type { Driver } from "leat/transport"

/** leat's own drivers for Kafka. */
export const drivers: ReadonlyArray<Driver> = [kafkajs]
export const wires = ["compact", "cloudevents"] as const
export const source = "interoperability"

export interface OpenOptions {
  readonly driver: Driver
  readonly bootstrap: string
  /** Topics are called after it and the stream, with a dot between them. */
  readonly prefix: string
  readonly wire?: (typeof wires)[number]
  /** Of the topics that are created by their first use; 4 when absent. */
  readonly partitions?: number
}

/** A leat over one Kafka cluster, called `kafka`, with the routes that a service has that says no more than it must. */
export const openLeat = ({ driver, bootstrap, prefix, wire = "compact", partitions = 4 }: OpenOptions) =>
  Leat.make({
    source,
    drivers: [driver],
    routes: {
      version: 1,
      clusters: { kafka: { transport: driver.name, brokers: bootstrap.split(","), topic: { partitions } } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic: `${prefix}.{stream}`, wire }] }],
      subscriptions: [{ match: { stream: "*" }, from: "earliest" }]
    }
  })

/** Runs to its end and closes what it opened. */
export const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(program))
