/** How a Kafka cluster is reached, whichever client reaches it: what a cluster section says once its references are read. */
import type { Effect, Redacted } from "effect"
import type { TransportError } from "leat/transport"

/**
 * Options of both Kafka drivers; the same fields as in a cluster section of a route document. Only the brokers have no
 * default. Every send waits for all in-sync replicas: that is not an option.
 */
export interface KafkaOptions {
  /** Where to begin, each as `HOST:PORT`, an IPv6 address in brackets; the cluster names the rest. One or more. */
  readonly brokers: ReadonlyArray<string>
  /** What this process calls itself in the logs and quotas of the brokers; `leat` when absent. */
  readonly clientId?: string | undefined
  /** Present: connections are encrypted, `{}` with the certificate authorities that Node knows. Absent: they are not. */
  readonly tls?: KafkaTls | undefined
  /** Who this process says it is. Absent: nobody, or the owner of the certificate in `tls`. */
  readonly sasl?: KafkaSasl | undefined
  /**
   * Largest record (key + headers + value) in bytes; 1,047,552 when absent, which is what a broker takes that was left as it
   * comes. Set it where `message.max.bytes` of the brokers or `max.message.bytes` of the topics was changed.
   */
  readonly recordBytesMax?: number | undefined
  /** How topics are created. */
  readonly topic?: KafkaTopicDefaults | undefined
  /**
   * How long a member of a group may give no sign of life before it loses its lanes, in milliseconds; 45,000 when absent. With
   * the group protocol of KIP-848 the broker decides that.
   */
  readonly sessionMs?: number | undefined
  /** How long opening a connection to a broker may take, authentication included, in milliseconds; 10,000 when absent. */
  readonly connectMs?: number | undefined
  /**
   * How long the answer to a request other than a send may take, in milliseconds; 30,000 when absent. A send has the deadline
   * that it is given.
   */
  readonly requestMs?: number | undefined
}

/** How topics are created; what is absent is the broker's own default. */
export interface KafkaTopicDefaults {
  /** Partitions of a topic that is created by its first use. Absent: a topic that is not there is `UnknownTopic`. */
  readonly partitions?: number | undefined
  /** Replicas of each partition, in whatever way the topic is created. */
  readonly replicationFactor?: number | undefined
}

/** Encryption, and who the other side must be. All certificates and keys are PEM text. */
export interface KafkaTls {
  /** Certificate authorities to trust instead of those that Node knows. */
  readonly ca?: string | undefined
  /** Certificate of this client, with those between it and its authority. */
  readonly cert?: string | undefined
  /** Private key of `cert`. */
  readonly key?: Redacted.Redacted | undefined
  /** Passphrase of `key`. */
  readonly passphrase?: Redacted.Redacted | undefined
  /** Name that the certificates of the brokers must have; the host of each address when absent. */
  readonly serverName?: string | undefined
  /** Whether certificate and name of the brokers are checked; yes when absent. Without it anybody may be the broker. */
  readonly verify?: boolean | undefined
}

/** A user name and a password. `PLAIN` sends the password as it is: only with `tls`. */
export interface KafkaPassword {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512"
  readonly username: string
  readonly password: Redacted.Redacted
}

/** A bearer token that somebody else renews; an effect is run for each connection, so that it may change. */
export interface KafkaToken {
  readonly mechanism: "OAUTHBEARER"
  readonly token: Redacted.Redacted | Effect.Effect<Redacted.Redacted, TransportError>
}

/** A bearer token that the driver asks an authorization server for, by OAuth 2.0's client credentials grant. */
export interface KafkaClientCredentials {
  readonly mechanism: "OAUTHBEARER"
  /** URL of the server's token endpoint: https, or http on this machine. */
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  /** What the token is asked for; the server's default when absent. */
  readonly scope?: string | undefined
}

/** Who this process says it is, by one of the mechanisms of SASL. */
export type KafkaSasl = KafkaPassword | KafkaToken | KafkaClientCredentials

/**
 * What absent options mean, in both drivers.
 *
 * @example
 * ```ts
 * const connectMs = options.connectMs ?? kafkaDefaults.connectMs
 * ```
 */
export const kafkaDefaults = {
  clientId: "leat",
  // A broker left as it comes takes record batches of 1 MiB + 12 bytes (`message.max.bytes`). Of those the batch takes 61, a
  // record up to 21 around its parts, and each header up to 2 more than in leat's arena: 1 KiB leaves room for 470 headers.
  recordBytesMax: 1024 * 1024 - 1024,
  // Kafka's own since 3.0.
  sessionMs: 45_000,
  connectMs: 10_000,
  // As Kafka's request.timeout.ms.
  requestMs: 30_000
} as const
