/** Configuration of librdkafka, by its property names. Secrets are unwrapped only here. */
import { wallMs } from "./clock.ts"
import { bearerToken, kafkaDefaults, type KafkaOptions, type KafkaTls } from "@leat/kafka"
import { Effect, Redacted } from "effect"
import type { Subscription } from "leat/transport"
import { rootCertificates } from "node:tls"
import type { ClientConfig } from "./client.ts"
import type { Compression } from "./compression.ts"
import { transportName } from "./failure.ts"

/** Most records of one request: the most that librdkafka takes. */
export const requestRecordsMax = 1_000_000
/** The most that librdkafka takes as `message.max.bytes`. */
const limitless = 1_000_000_000
/** Longer than a range may take to be produced, record by record, while the machine is busy; in milliseconds. */
const lingerMs = 1000
/** Lifetime of a token without an expiry, in milliseconds. */
const tokenMsMax = 3_600_000
/** Records and bytes that librdkafka prefetches for a consumer, beyond those in the lanes. */
const prefetchRecords = 10_000
const prefetchKilobytes = 8 * 1024
/** Interval in which a group of the classic protocol looks for new partitions, in milliseconds. */
const newPartitionsMs = 10_000
/** Longest pause of a member between two polls, beyond the drain time of its lanes, in milliseconds. */
const pollMarginMs = 300_000

/** Configuration of every client. */
function commonConfig(options: KafkaOptions): ClientConfig {
  return {
    "metadata.broker.list": options.brokers.join(","),
    "client.id": options.clientId ?? kafkaDefaults.clientId,
    "socket.connection.setup.timeout.ms": Math.max(1000, options.connectMs ?? kafkaDefaults.connectMs),
    "socket.timeout.ms": options.requestMs ?? kafkaDefaults.requestMs,
    "socket.nagle.disable": true,
    "socket.keepalive.enable": true,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "retry.backoff.ms": 50,
    "topic.metadata.refresh.fast.interval.ms": 100,
    // Errors only, which the addon gives to listeners and prints nowhere: `connected` reads in them why a broker cannot be reached.
    log_level: 3,
    "log.connection.close": false,
    ...securityConfig(options)
  }
}

export interface ProducerOptions extends KafkaOptions {
  readonly compression?: Compression | undefined
}

/** Configuration of a producer that sends each record exactly once and in order, until it is stopped. */
export function producerConfig(options: ProducerOptions, hasPositions: boolean): ClientConfig {
  return {
    ...commonConfig(options),
    "enable.idempotence": true,
    "request.required.acks": -1,
    "max.in.flight.requests.per.connection": 5,
    "message.send.max.retries": 2_147_483_647,
    // No limit: a deadline ends the wait for the answer, and the records stay in order behind the one in doubt.
    "message.timeout.ms": 0,
    "request.timeout.ms": options.requestMs ?? kafkaDefaults.requestMs,
    // One range is one request (see `Outlet`): each is followed by flushes, which end the linger.
    "linger.ms": lingerMs,
    // `ConfluentWriter` cuts a range that is too long for one request, and librdkafka none.
    "batch.size": limitless,
    "message.max.bytes": limitless,
    "batch.num.messages": requestRecordsMax,
    // leat has batched already, and bounds memory itself.
    "compression.codec": options.compression ?? "none",
    "queue.buffering.max.messages": 0,
    "queue.buffering.max.kbytes": 2_147_483_647,
    "statistics.interval.ms": hasPositions ? 0 : 200,
    "delivery.report.only.error": !hasPositions,
    // Failure reports carry the value too: equal keys are common.
    ...(hasPositions ? { dr_cb: true } : { dr_msg_cb: true })
  }
}

function consumerConfig(options: KafkaOptions): ClientConfig {
  return {
    ...commonConfig(options),
    // T20, T21: only leat commits.
    "enable.auto.commit": false,
    "enable.auto.offset.store": false,
    "allow.auto.create.topics": false,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
    "fetch.error.backoff.ms": 50,
    "fetch.queue.backoff.ms": 10,
    "queued.min.messages": prefetchRecords,
    "queued.max.messages.kbytes": prefetchKilobytes,
    // Only this event reports the offset behind compacted and control records at the end.
    "enable.partition.eof": true
  }
}

/**
 * T24: the reset is effective only in the topic's configuration. Every starting offset is explicit; the reset is for offsets that expire.
 */
export const topicConfig: ClientConfig = { "auto.offset.reset": "earliest" }

/** Configuration of a member of a group. */
export function memberConfig(
  options: KafkaOptions,
  { group, drainMs }: Subscription,
  protocol: "consumer" | "classic"
): ClientConfig {
  const sessionMs = options.sessionMs ?? kafkaDefaults.sessionMs
  return {
    ...consumerConfig(options),
    "group.id": group,
    // The broker waits this long for a member that drains its lanes.
    "max.poll.interval.ms": Math.max(drainMs, sessionMs) + pollMarginMs,
    "group.protocol": protocol,
    ...(protocol === "consumer"
      ? {}
      : {
          "partition.assignment.strategy": "cooperative-sticky",
          // The leader of the group learns of new partitions by it. The default is five minutes.
          "topic.metadata.refresh.interval.ms": newPartitionsMs,
          "session.timeout.ms": sessionMs,
          "heartbeat.interval.ms": Math.min(3000, Math.max(100, Math.floor(sessionMs / 10)))
        })
  }
}

/** Configuration of a reader without a group. The client requires a group id; nothing is committed to it. */
export function readerConfig(options: KafkaOptions): ClientConfig {
  return { ...consumerConfig(options), "group.id": "leat.reader" }
}

/** Configuration of the client for topics and offsets. */
export function controlConfig(options: KafkaOptions): ClientConfig {
  return offsetsConfig(options, "leat.control")
}

/** Configuration of a client that reads the committed offsets of a group and does not join it. */
export function offsetsConfig(options: KafkaOptions, group: string): ClientConfig {
  return { ...commonConfig(options), "group.id": group, "enable.auto.commit": false }
}

function securityConfig({ tls, sasl }: KafkaOptions): ClientConfig {
  const protocol = `${sasl === undefined ? "" : "sasl_"}${tls === undefined ? "plaintext" : "ssl"}`
  return { "security.protocol": protocol, ...(tls === undefined ? {} : tlsConfig(tls)), ...saslConfig(sasl) }
}

function tlsConfig({ ca, cert, key, passphrase, verify }: KafkaTls): ClientConfig {
  return {
    "ssl.ca.pem": ca ?? rootCertificates.join("\n"),
    ...(cert === undefined ? {} : { "ssl.certificate.pem": cert }),
    ...(key === undefined ? {} : { "ssl.key.pem": Redacted.value(key) }),
    ...(passphrase === undefined ? {} : { "ssl.key.password": Redacted.value(passphrase) }),
    "enable.ssl.certificate.verification": verify ?? true,
    "ssl.endpoint.identification.algorithm": (verify ?? true) ? "https" : "none"
  }
}

function saslConfig(sasl: KafkaOptions["sasl"]): ClientConfig {
  if (sasl === undefined) return {}
  if (sasl.mechanism !== "OAUTHBEARER") {
    return {
      "sasl.mechanisms": sasl.mechanism,
      "sasl.username": sasl.username,
      "sasl.password": Redacted.value(sasl.password)
    }
  }
  return {
    "sasl.mechanisms": "OAUTHBEARER",
    oauthbearer_token_refresh_cb: () =>
      Effect.runPromise(
        Effect.map(bearerToken(transportName, sasl), ({ value, expiresAtMs, principal }) => ({
          tokenValue: Redacted.value(value),
          lifetime: expiresAtMs ?? wallMs() + tokenMsMax,
          principal
        }))
      )
  }
}
