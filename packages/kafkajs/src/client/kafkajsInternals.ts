/**
 * The parts of kafkajs that this driver stands on, and their types: connections (TCP, TLS, SASL, framing, correlation) and the
 * protocol's requests and answers. Its producer, consumer, admin and cluster, with everything they do by themselves, are not
 * among them. The version is pinned exactly; a test holds these shapes against what is installed.
 */
import { createRequire } from "node:module"
import type { Socket } from "node:net"

const load = createRequire(import.meta.url)

/** What kafkajs logs through. */
export interface KafkajsLogger {
  readonly namespace: (name: string) => KafkajsLogger
}

export interface KafkajsSasl {
  readonly mechanism: string
  readonly username?: string
  readonly password?: string
  readonly oauthBearerProvider?: () => Promise<{ readonly value: string }>
  readonly authenticationProvider: AuthenticationProvider
}

/** How kafkajs lets a mechanism talk: it hands over the exchange of one step. */
export type AuthenticationProvider = (exchange: {
  readonly host: string
  readonly port: number
  readonly logger: KafkajsLogger
  readonly saslAuthenticate: (step: unknown) => Promise<unknown>
}) => { readonly authenticate: () => Promise<void> }

export interface KafkajsConnectionOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly ssl: object | undefined
  readonly sasl: KafkajsSasl | undefined
  readonly logger: KafkajsLogger
  readonly socketFactory: unknown
  readonly connectionTimeout: number
  readonly requestTimeout: number
  readonly enforceRequestTimeout: boolean
}

/** Newest and oldest version of each request that a broker speaks, by api key. */
export type ApiVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>

/** What a request is entered under until its answer comes. */
interface RequestEntry {
  readonly apiKey: number
  readonly apiName: string
  readonly apiVersion: number
  readonly correlationId: number
  readonly resolve: (answer: { readonly payload: Buffer }) => void
  readonly reject: (error: unknown) => void
}

export interface KafkajsConnection {
  readonly socket: Socket | undefined
  /** Milliseconds; 0: without end. */
  readonly sessionLifetime: { readonly value: bigint }
  readonly connect: () => Promise<unknown>
  readonly send: <Answer>(protocol: KafkajsProtocol<Answer>) => Promise<Answer>
  readonly isConnected: () => boolean
  readonly authenticate: () => Promise<void>
  readonly setVersions: (versions: ApiVersions) => void
  readonly setSupportAuthenticationProtocol: (isSupported: boolean) => void
  readonly nextCorrelationId: () => number
  readonly rejectRequests: (error: unknown) => void
  readonly requestQueue: {
    readonly push: (request: {
      readonly entry: RequestEntry
      readonly expectResponse: boolean
      readonly requestTimeout: number | null
      readonly sendRequest: () => void
    }) => void
    readonly destroy: () => void
    /** Entered, and held back because the broker asks for less. */
    readonly pending: ReadonlyArray<unknown>
    scheduleCheckPendingRequests: () => void
  }
}

/** One request with how its answer is read: `decode` reads it, and `parse` would throw what the first error code in it says. */
export interface KafkajsProtocol<Answer> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    readonly encode: () => Promise<{ readonly buffer: Buffer }>
  }
  readonly response: { readonly decode: (payload: Buffer) => Promise<Answer> }
}

interface Definition {
  readonly versions: ReadonlyArray<string>
  readonly protocol: (choice: { readonly version: number }) => (parameters?: object) => KafkajsProtocol<unknown>
}

/** The requests of which kafkajs's own codecs are used. */
export type RequestName =
  | "ApiVersions"
  | "Metadata"
  | "ListOffsets"
  | "GroupCoordinator"
  | "JoinGroup"
  | "SyncGroup"
  | "Heartbeat"
  | "LeaveGroup"
  | "OffsetCommit"
  | "OffsetFetch"
  | "CreateTopics"
  | "DescribeConfigs"

export const Connection = load("kafkajs/src/network/connection.js") as new (
  options: KafkajsConnectionOptions
) => KafkajsConnection

export const apiKeys = load("kafkajs/src/protocol/requests/apiKeys.js") as Readonly<
  Record<RequestName | "Produce" | "Fetch" | "SaslAuthenticate", number>
>

export const { requests, lookup } = load("kafkajs/src/protocol/requests/index.js") as {
  readonly requests: Readonly<Record<RequestName, Definition>>
  readonly lookup: (
    versions: ApiVersions
  ) => (apiKey: number, definition: Definition) => (parameters: object) => KafkajsProtocol<unknown>
}

export const { createLogger } = load("kafkajs/src/loggers/index.js") as {
  readonly createLogger: (options: {
    readonly level: number
    readonly logCreator: () => (entry: LogEntry) => void
  }) => KafkajsLogger
}

/** What kafkajs hands to whoever writes its log. */
export interface LogEntry {
  readonly namespace: string
  readonly label: string
  readonly log: { readonly message: string }
}

export const createSocketFactory = load("kafkajs/src/network/socketFactory.js") as () => unknown

/** How kafkajs authenticates with each mechanism. */
export const mechanisms: Readonly<Record<string, (sasl: object) => AuthenticationProvider>> = {
  PLAIN: load("kafkajs/src/broker/saslAuthenticator/plain.js") as (sasl: object) => AuthenticationProvider,
  "SCRAM-SHA-256": load("kafkajs/src/broker/saslAuthenticator/scram256.js") as (sasl: object) => AuthenticationProvider,
  "SCRAM-SHA-512": load("kafkajs/src/broker/saslAuthenticator/scram512.js") as (sasl: object) => AuthenticationProvider,
  OAUTHBEARER: load("kafkajs/src/broker/saslAuthenticator/oauthBearer.js") as (sasl: object) => AuthenticationProvider
}
