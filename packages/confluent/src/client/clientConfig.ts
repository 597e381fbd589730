/** What librdkafka is told: its property names, and the only place where secrets are unwrapped. */
import { wallMs } from "./clock.ts"
import { bearerToken, kafkaDefaults, type KafkaOptions, type KafkaTls } from "@leat/kafka"
import { Effect, Redacted } from "effect"
import type { Subscription } from "leat/transport"
import { rootCertificates } from "node:tls"
import type { ClientConfig } from "./client.ts"
import { transportName } from "./failure.ts"

/** Bytes that a record takes beside its key, headers and value, and the batch around it; generously. */
const overheadBytes = 64 * 1024
/** Longest that a token is used which does not say when it expires, in milliseconds. */
const tokenMsMax = 3_600_000
/** Records and bytes that librdkafka keeps ready for a consumer beyond what the lanes hold. */
const prefetchRecords = 10_000
const prefetchKilobytes = 8 * 1024
/** How long a member may be seen to do nothing, beyond the time its lanes have to drain, in milliseconds. */
const pollMarginMs = 300_000

/** Of every client. */
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
    // What it would print goes nowhere: what matters arrives as errors.
    log_level: 0,
    "log.connection.close": false,
    ...securityConfig(options)
  }
}

/** Of a producer that sends each record exactly once and in order, until it is told to stop. */
export function producerConfig(options: KafkaOptions, hasPositions: boolean): ClientConfig {
  const recordBytesMax = options.recordBytesMax ?? kafkaDefaults.recordBytesMax
  return {
    ...commonConfig(options),
    "enable.idempotence": true,
    "request.required.acks": -1,
    "max.in.flight.requests.per.connection": 5,
    "message.send.max.retries": 2_147_483_647,
    // For ever: a deadline is the answer's, the records stay in order behind the one in doubt.
    "message.timeout.ms": 0,
    "request.timeout.ms": options.requestMs ?? kafkaDefaults.requestMs,
    // leat has batched already, and bounds what is in memory.
    "linger.ms": 0,
    "queue.buffering.max.messages": 0,
    "queue.buffering.max.kbytes": 2_147_483_647,
    "message.max.bytes": Math.min(1_000_000_000, Math.max(1_000_000, recordBytesMax + overheadBytes)),
    "statistics.interval.ms": hasPositions ? 0 : 200,
    "delivery.report.only.error": !hasPositions,
    // With the value, of failures: equal keys are common.
    ...(hasPositions ? { dr_cb: true } : { dr_msg_cb: true })
  }
}

function consumerConfig(options: KafkaOptions): ClientConfig {
  return {
    ...commonConfig(options),
    // T20, T21: leat settles, nobody else.
    "enable.auto.commit": false,
    "enable.auto.offset.store": false,
    "allow.auto.create.topics": false,
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
    "fetch.error.backoff.ms": 50,
    "fetch.queue.backoff.ms": 10,
    "queued.min.messages": prefetchRecords,
    "queued.max.messages.kbytes": prefetchKilobytes,
    // Positions behind compaction and control records at the end are known only by it.
    "enable.partition.eof": true
  }
}

/** T24: the reset stands in the topic's configuration, where it counts. Every position is explicit: it is for those that expire. */
export const topicConfig: ClientConfig = { "auto.offset.reset": "earliest" }

/** Of a member of a group. */
export function memberConfig(
  options: KafkaOptions,
  { group, drainMs }: Subscription,
  protocol: "consumer" | "classic"
): ClientConfig {
  const sessionMs = options.sessionMs ?? kafkaDefaults.sessionMs
  return {
    ...consumerConfig(options),
    "group.id": group,
    // The broker waits so long for a member that gives lanes up.
    "max.poll.interval.ms": Math.max(drainMs, sessionMs) + pollMarginMs,
    "group.protocol": protocol,
    ...(protocol === "consumer"
      ? {}
      : {
          "partition.assignment.strategy": "cooperative-sticky",
          "session.timeout.ms": sessionMs,
          "heartbeat.interval.ms": Math.min(3000, Math.max(100, Math.floor(sessionMs / 10)))
        })
  }
}

/** Of a reader without a group: the client wants a name of one, to which nothing is ever committed. */
export function readerConfig(options: KafkaOptions): ClientConfig {
  return { ...consumerConfig(options), "group.id": "leat.reader" }
}

/** Of the client that asks for topics and positions. */
export function controlConfig(options: KafkaOptions): ClientConfig {
  return offsetsConfig(options, "leat.control")
}

/** Of a client that asks how far a group is settled, and does not join it. */
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
