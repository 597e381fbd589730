/**
 * The internals of kafkajs that this driver uses, and their types: connections (TCP, TLS, SASL, framing, correlation) and the codecs of
 * requests and answers. The producer, consumer, admin and cluster of kafkajs are not used. The version is pinned exactly, and a test compares
 * these types with the installed code.
 */
import { createRequire } from "node:module"
import type { Socket } from "node:net"

const load = createRequire(import.meta.url)

/** The logger that kafkajs calls. */
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

/** A SASL mechanism: kafkajs gives it a function that exchanges one step with the broker. */
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

/** Oldest and newest version of each request that a broker supports, by API key. */
export type ApiVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>

/** The queue entry of a request, until its answer arrives. */
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
  /** Milliseconds; 0: the session does not expire. */
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
    /** Requests that are delayed because the broker throttles. */
    readonly pending: ReadonlyArray<unknown>
    scheduleCheckPendingRequests: () => void
  }
}

/** One request and the codec of its answer. `decode` is used; `parse` would throw at the first error code in the answer. */
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

/** The requests that use kafkajs's codecs. */
export type RequestName =
  | "ApiVersions"
  | "Metadata"
  | "ListOffsets"
  | "GroupCoordinator"
  | "JoinGroup"
  | "SyncGroup"
  | "Heartbeat"
  | "LeaveGroup"
  | "ListGroups"
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

/** A log entry of kafkajs. */
export interface LogEntry {
  readonly namespace: string
  readonly label: string
  readonly log: { readonly message: string }
}

export const createSocketFactory = load("kafkajs/src/network/socketFactory.js") as () => unknown

/** kafkajs's SASL mechanisms, by name. */
export const mechanisms: Readonly<Record<string, (sasl: object) => AuthenticationProvider>> = {
  PLAIN: load("kafkajs/src/broker/saslAuthenticator/plain.js") as (sasl: object) => AuthenticationProvider,
  "SCRAM-SHA-256": load("kafkajs/src/broker/saslAuthenticator/scram256.js") as (sasl: object) => AuthenticationProvider,
  "SCRAM-SHA-512": load("kafkajs/src/broker/saslAuthenticator/scram512.js") as (sasl: object) => AuthenticationProvider,
  OAUTHBEARER: load("kafkajs/src/broker/saslAuthenticator/oauthBearer.js") as (sasl: object) => AuthenticationProvider
}
