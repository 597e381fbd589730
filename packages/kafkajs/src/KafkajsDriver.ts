import { addressesOf, inspectSection, openSection } from "@leat/kafka"
import { Effect, Result } from "effect"
import type { Driver } from "leat/transport"
import { transportName } from "./client/failureOf.ts"
import { kafkajsCapabilities } from "./kafkajsCapabilities.ts"
import { kafkajsTransport } from "./kafkajsTransport.ts"

/**
 * The driver that route documents call `@leat/kafkajs`. The cluster section has the fields of `KafkaOptions`, with references in place of
 * secrets; a wrong field is a fault of the document.
 *
 * @example
 * ```ts
 * const routes = {
 *   version: 1,
 *   clusters: { main: { transport: "@leat/kafkajs", brokers: "${env:KAFKA_BROKERS}" } },
 *   routes: [{ match: { stream: "risk.beacons.*" }, to: [{ cluster: "main", topic: "{stream}" }] }]
 * }
 * const leat = yield* Leat.make({ source: "gateway", routes, drivers: [kafkajs] })
 * ```
 */
export const kafkajs: Driver = {
  name: transportName,
  inspect: (config) => {
    const section = inspectSection(config)
    if (Result.isFailure(section)) return { issues: section.failure }
    return { capabilities: kafkajsCapabilities(section.success), addresses: addressesOf(section.success) }
  },
  open: (cluster, config, again) =>
    Effect.flatMap(openSection({ transport: transportName, cluster }, config, again), kafkajsTransport)
}
