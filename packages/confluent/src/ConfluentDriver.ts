import { addressesOf, inspectSection, openSection } from "@leat/kafka"
import { Effect, Result } from "effect"
import type { ClusterConfig, Driver } from "leat/transport"
import { compressions, isCompression } from "./client/compression.ts"
import { confluentCapabilities, confluentTransport } from "./ConfluentTransport.ts"
import { transportName } from "./client/failure.ts"

/**
 * The driver that route documents call `@leat/confluent`: Kafka, through librdkafka. The other fields of the cluster section are
 * those of `ConfluentOptions`; what is wrong with them is a fault of the document. The native addon is needed when a cluster is opened,
 * not before.
 *
 * @example
 * ```ts
 * const routes = {
 *   version: 1,
 *   clusters: { fronting: { transport: "@leat/confluent", brokers: ["k1:9092"] } },
 *   routes: [{ match: { stream: "risk.beacons.*" }, to: [{ cluster: "fronting", topic: "{stream}" }] }]
 * }
 * const leat = yield* Leat.make({ source: "gateway", routes, drivers: [confluent] })
 * ```
 */
export const confluent: Driver = {
  name: transportName,
  inspect: (config) => {
    const { section, own, issues } = ownOf(config)
    const inspected = inspectSection(section)
    const all = Result.isFailure(inspected) ? [...inspected.failure, ...issues] : issues
    if (all.length > 0 || Result.isFailure(inspected)) return { issues: all }
    const { success } = inspected
    return { capabilities: confluentCapabilities({ ...success, ...own }), addresses: addressesOf(success) }
  },
  open: (cluster, config, reread) => {
    const { section, own } = ownOf(config)
    const again = reread === undefined ? undefined : Effect.map(reread, (one) => ownOf(one).section)
    return openSection({ transport: transportName, cluster }, section, again).pipe(
      Effect.flatMap((options) => confluentTransport({ ...options, ...own }))
    )
  }
}

/** Divides a cluster section into the fields of this driver and those of both Kafka drivers. */
function ownOf(config: ClusterConfig) {
  const { positions, compression, ...section } = config
  const issues: Array<{ readonly path: string; readonly message: string }> = []
  if (positions !== undefined && typeof positions !== "boolean") {
    issues.push({ path: "positions", message: "must be true or false" })
  }
  if (compression !== undefined && !isCompression(compression)) {
    issues.push({ path: "compression", message: `must be one of ${compressions.join(", ")}` })
  }
  const { tls } = section
  if (typeof tls === "object" && tls !== null && "serverName" in tls) {
    const message = "librdkafka checks certificates against the host of each address only; remove it"
    issues.push({ path: "tls.serverName", message })
  }
  const own = {
    ...(typeof positions === "boolean" ? { positions } : {}),
    ...(isCompression(compression) ? { compression } : {})
  }
  return { section, issues, own }
}
