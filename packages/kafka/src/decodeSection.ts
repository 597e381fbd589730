/** From a cluster section, as leat gives it to a driver's `open`, to the options of the driver. */
import { Effect, Redacted, Result } from "effect"
import { type ClusterConfig, TransportError } from "leat/transport"
import { brokersOf } from "./brokerAddress.ts"
import { checkOpenedSection, type ClusterSection, type SectionIssue } from "./ClusterSection.ts"
import type { KafkaOptions, KafkaSasl, KafkaTls } from "./KafkaOptions.ts"

/** Who opens what, for errors. */
export interface OpenedCluster {
  /** Name of the driver: `@leat/kafkajs`. */
  readonly transport: string
  /** Name of the cluster in the document. */
  readonly cluster: string
}

/** The section again, with its references read anew: what leat gives to a driver's `open` beside the section. */
export type RereadSection = Effect.Effect<ClusterConfig, TransportError>

/**
 * Decodes a section whose references are resolved; secrets come out redacted. With `reread` a token is read anew whenever
 * it is asked for, without it it stays as it is.
 *
 * @example
 * ```ts
 * decodeSection({ brokers: "k1:9092, k2:9092" }) // Result.succeed({ brokers: ["k1:9092", "k2:9092"] })
 * ```
 */
export function decodeSection(
  config: ClusterConfig,
  reread?: RereadSection
): Result.Result<KafkaOptions, ReadonlyArray<SectionIssue>> {
  return Result.map(checkOpenedSection(config), (section) => optionsOf(section, reread))
}

/**
 * As `decodeSection`, for a driver's `open`: faults are one `TransportError` with the reason `Unsupported`.
 *
 * @example
 * ```ts
 * open: (cluster, config, reread) =>
 *   Effect.flatMap(openSection({ transport: "@leat/kafkajs", cluster }, config, reread), kafkajsTransport)
 * ```
 */
export function openSection(
  { transport, cluster }: OpenedCluster,
  config: ClusterConfig,
  reread?: RereadSection
): Effect.Effect<KafkaOptions, TransportError> {
  return Effect.suspend(() => {
    const decoded = decodeSection(config, reread)
    if (Result.isSuccess(decoded)) return Effect.succeed(decoded.success)
    const faults = decoded.failure.map(({ path, message }) => `${path === "" ? "" : `${path}: `}${message}`)
    const detail = `cluster ${cluster}: ${faults.join("; ")}`
    return Effect.fail(new TransportError({ reason: "Unsupported", transport, operation: "open", detail }))
  })
}

function optionsOf(section: ClusterSection, reread: RereadSection | undefined): KafkaOptions {
  const { brokers, tls, sasl, ...same } = section
  return {
    ...same,
    brokers: typeof brokers === "string" ? brokersOf(brokers) : brokers,
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tlsOf(tls) }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl, reread) })
  }
}

function tlsOf({ key, passphrase, ...same }: Exclude<ClusterSection["tls"], boolean | undefined>): KafkaTls {
  return {
    ...same,
    ...(key === undefined ? {} : { key: Redacted.make(key) }),
    ...(passphrase === undefined ? {} : { passphrase: Redacted.make(passphrase) })
  }
}

function saslOf(sasl: NonNullable<ClusterSection["sasl"]>, reread: RereadSection | undefined): KafkaSasl {
  // Which fields are there with which mechanism, the schema has seen to.
  const { mechanism, username = "", password = "", token, clientSecret = "", scope } = sasl
  if (mechanism !== "OAUTHBEARER") return { mechanism, username, password: Redacted.make(password) }
  if (token !== undefined) return { mechanism, token: reread === undefined ? Redacted.make(token) : tokenOf(reread) }
  const { tokenEndpoint = "", clientId = "" } = sasl
  const asked = { mechanism, tokenEndpoint, clientId, clientSecret: Redacted.make(clientSecret) } as const
  return scope === undefined ? asked : { ...asked, scope }
}

function tokenOf(reread: RereadSection): Effect.Effect<Redacted.Redacted, TransportError> {
  return Effect.flatMap(reread, (config) => {
    const decoded = Result.getOrUndefined(checkOpenedSection(config))
    const token = decoded?.sasl?.token
    if (token !== undefined) return Effect.succeed(Redacted.make(token))
    const detail = "sasl.token: what its reference gives now is empty"
    return Effect.fail(
      new TransportError({ reason: "Unauthenticated", transport: "@leat/kafka", operation: "token", detail })
    )
  })
}
