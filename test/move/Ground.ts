/** Where a stream is moved back and forth: two clusters with two topics each, and the control stream. */
import type { MoveTools } from "leat"
import { type Kafka, startKafka } from "@leat/brokers"
import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Effect, type Scope } from "effect"
import type { ClusterConfig, Driver, Transport, TransportError } from "leat/transport"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Place } from "../../packages/leat/src/control/ControlRecord.ts"

export const keys = 16

/** How long a process may be silent: short, for a proof; not shorter, since the machine is busy. */
export const lease = "8 seconds" as const

export const drivers: ReadonlyArray<Driver> = [log, kafkajs, confluent]

export const pairs = ["logs", "log-kafka", "kafka"] as const
export type Pair = (typeof pairs)[number]

/** The topics differ in how many partitions they have. */
export const places: ReadonlyArray<Place> = [
  { cluster: "near", topic: "a", partitions: 4 },
  { cluster: "far", topic: "a", partitions: 4 },
  { cluster: "near", topic: "b", partitions: 2 },
  { cluster: "far", topic: "b", partitions: 2 }
]

export interface GroundOptions {
  readonly pair: Pair
  /** Of both clusters; absent: Kafka is reached through kafkajs, and a second Kafka through librdkafka. */
  readonly driver: "kafkajs" | "confluent" | undefined
  /** Of each Kafka. */
  readonly nodes: 1 | 3
  /** Whether no process reaches a cluster all the time, and each has a spill. */
  readonly hasOutages: boolean
  /** Whether moves keep the order of keys. */
  readonly order: MoveTools.MoveOrder
}

export interface Ground {
  readonly clusters: Readonly<Record<"near" | "far", ClusterConfig>>
  /** With two Kafkas it lies in the near one, else on a log of its own. */
  readonly control: ClusterConfig
  readonly kafkas: ReadonlyArray<Kafka>
  /** Where the disks of spills are; undefined: there are no outages. */
  readonly disks: string | undefined
  readonly order: MoveTools.MoveOrder
}

/** The variable of a document that says which disk is that of a process. */
export const diskVariable = "LEAT_DISK"

/** Starts the brokers; ends them with its scope. */
export const groundIn = (
  folder: string,
  { pair, driver, nodes, hasOutages, order }: GroundOptions
): Effect.Effect<Ground, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const kafkas: Array<Kafka> = []
    const logIn = (name: string) => {
      const directory = join(folder, name)
      mkdirSync(directory)
      return logAt(directory)
    }
    const kafkaThrough = (name: "kafkajs" | "confluent") =>
      Effect.map(startedKafka(nodes), (kafka) => {
        kafkas.push(kafka)
        return {
          transport: `@leat/${driver ?? name}`,
          brokers: kafka.bootstrap,
          topic: { partitions: 4, replicationFactor: nodes },
          sessionMs: 6000,
          connectMs: 3000,
          requestMs: 5000
        }
      })
    const near = pair === "kafka" ? yield* kafkaThrough("kafkajs") : logIn("near")
    const far = pair === "logs" ? logIn("far") : yield* kafkaThrough(pair === "kafka" ? "confluent" : "kafkajs")
    const disks = hasOutages ? join(folder, "disks") : undefined
    return { clusters: { near, far }, control: pair === "kafka" ? near : logIn("control"), kafkas, disks, order }
  })

const startedKafka = (nodes: 1 | 3): Effect.Effect<Kafka, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({ try: () => startKafka({ nodes }), catch: (error) => error as Error }),
    (kafka) => Effect.promise(() => kafka.close())
  )

/** The driver that a section names. */
export function driverOf({ transport }: ClusterConfig): Driver {
  const found = drivers.find(({ name }) => name === transport)
  if (found === undefined) throw new Error(`no driver is named ${String(transport)}`)
  return found
}

export function opened(name: string, section: ClusterConfig): Effect.Effect<Transport, TransportError, Scope.Scope> {
  const { transport, ...own } = section
  return driverOf({ transport }).open(name, own)
}

/** Of the clusters, and of disks. */
const logAt = (directory: string) => ({ transport: "@leat/log", directory, leaseMs: 5000 })

const strict = [{ on: ["*"], then: "halt" }]

/** The log of the disk of one process, or of several that follow each other. */
export const diskOf = (disks: string, slot: number): ClusterConfig => logAt(join(disks, String(slot)))

/** The document that has the stream in a place. */
export function documentAt(version: number, { cluster, topic }: Place, { clusters, disks }: Ground): string {
  const patient = [{ on: ["passing"], retry: { base: "50 millis", maxDelay: "1 second" }, then: "halt" }]
  const spilling = [{ on: ["passing"], retry: { base: "50 millis", times: 2 }, then: "spill" }, ...strict]
  const leg = { cluster, topic, policy: "leg", linger: "2 millis", timeout: "5 seconds" }
  return JSON.stringify({
    version,
    clusters: {
      ...clusters,
      ...(disks === undefined ? {} : { disk: { ...logAt(disks), directory: `${disks}/\${env:${diskVariable}}` } })
    },
    policies: { leg: disks === undefined ? patient : spilling },
    routes: [{ match: { stream: "*" }, to: [disks === undefined ? leg : { ...leg, spill: { cluster: "disk" } }] }],
    subscriptions: [{ match: { stream: "*" }, from: "earliest", settleEvery: "20 millis" }]
  })
}
