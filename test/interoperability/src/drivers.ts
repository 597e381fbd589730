import { missingAddon } from "@leat/brokers"
import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { Effect, type Scope } from "effect"
import { Leat } from "leat"
import type { Driver } from "leat/transport"
import { describe } from "vitest"

/** One suite for each of leat's own drivers for Kafka. Where a client does not load its suite is skipped by name. */
export function describeDrivers(define: (driver: Driver) => void): void {
  for (const driver of [kafkajs, confluent]) {
    const reason = driver === confluent ? missingAddon() : undefined
    const title = `through ${driver.name}${reason === undefined ? "" : ` (skipped: ${reason})`}`
    // oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback
    describe.skipIf(reason !== undefined)(title, () => define(driver))
  }
}

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
