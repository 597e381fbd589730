/**
 * One connection to one broker, with the state of each request: sent, written, answered. A kafkajs connection is used once: after a break
 * it would continue in the middle of a frame, so a new one is made instead.
 */
import { monotonicMs } from "./clock.ts"
import { failure, failureOf } from "./failureOf.ts"
import type { CallName, Calls } from "./Answers.ts"
import {
  apiKeys,
  type ApiVersions,
  Connection,
  type KafkajsConnection,
  type KafkajsProtocol,
  lookup,
  requests
} from "./kafkajsInternals.ts"
import type { Address, Settings } from "./Settings.ts"
import { TransportError } from "leat/transport"

/** The outcome of a request: its answer, or the failure and whether the broker may have received it. */
export type Exchange = { readonly payload: Buffer } | { readonly error: TransportError; readonly wasWritten: boolean }

/** A frame to be sent. Its length (4 bytes) and its correlation id (4 bytes, at 8) are filled in at sending. */
export interface Frame {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
  readonly bytes: Buffer
}

/**
 * Part of a session of SASL after which another connection is opened. kafkajs would authenticate again on the same one, before
 * each request when the session is short, and brokers refuse that within a second.
 */
const sessionShare = 0.8

/** A connection that is silent for this long after the deadline of a request counts as dead. */
const silentMs = 1000

export class Link {
  readonly versions: ApiVersions
  readonly #connection: KafkajsConnection
  readonly #where: string
  readonly #clientId: Buffer
  /** Instant of `monotonicMs` shortly before the SASL session expires. */
  readonly #staleMs: number
  #isClosed = false
  #isRetired = false
  /** Requests without an answer. */
  #pending = 0

  private constructor(connection: KafkajsConnection, versions: ApiVersions, where: string, clientId: string) {
    this.#connection = connection
    this.versions = versions
    this.#where = where
    this.#clientId = Buffer.from(clientId)
    const sessionMs = Number(connection.sessionLifetime.value)
    this.#staleMs = sessionMs === 0 ? Number.POSITIVE_INFINITY : monotonicMs() + sessionMs * sessionShare
  }

  /** Connects, asks for the API versions of the broker, and authenticates, all within `connectMs`. */
  static async open({ host, port }: Address, settings: Settings): Promise<Link> {
    const { connectMs, requestMs, clientId, ssl, sasl, logger, socketFactory } = settings
    const where = `${host}:${port}`
    const connection = new Connection({
      host,
      port,
      clientId,
      ssl,
      sasl: sasl === undefined ? undefined : { ...sasl },
      logger,
      socketFactory,
      connectionTimeout: connectMs,
      requestTimeout: requestMs,
      // kafkajs checks every connection ten times a second; here one timer is set for each request.
      enforceRequestTimeout: false
    })
    withoutIdleTimers(connection)
    // If the peer closes before the handshake ends, kafkajs waits without a limit.
    let tellLate: (error: unknown) => void = () => undefined
    const late = new Promise<never>((_, reject) => {
      tellLate = reject
    })
    const timer = setTimeout(
      () => tellLate(failure("Unavailable", "connect", `${where}: no connection within ${connectMs} ms`)),
      connectMs
    )
    try {
      const versions = await Promise.race([greet(connection), late])
      return new Link(connection, versions, where, clientId)
    } catch (error) {
      cut(connection, error)
      throw failureOf(error, "connect", where)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Whether it accepts new requests. */
  get isOpen(): boolean {
    return this.#isUsable && !this.#isRetired && monotonicMs() < this.#staleMs
  }

  get #isUsable(): boolean {
    return !this.#isClosed && this.#connection.isConnected()
  }

  /** A frame for `exchange` with its header, and the offset of its body. */
  frame(apiKey: number, apiVersion: number, apiName: string, bodyBytes: number): Frame & { readonly bodyAt: number } {
    const bodyAt = 14 + this.#clientId.length
    const bytes = Buffer.allocUnsafe(bodyAt + bodyBytes)
    bytes.writeInt16BE(apiKey, 4)
    bytes.writeInt16BE(apiVersion, 6)
    bytes.writeInt16BE(this.#clientId.length, 12)
    this.#clientId.copy(bytes, 14)
    return { apiKey, apiVersion, apiName, bytes, bodyAt }
  }

  /** Sends a request with kafkajs's codec. The caller handles error codes in the answer; every other failure is thrown. */
  async call<Name extends CallName>(
    name: Name,
    parameters: Calls[Name]["asked"],
    withinMs: number
  ): Promise<Calls[Name]["answered"]> {
    const { request, response } = this.#protocol(name, parameters)
    const body = await request.encode()
    const frame = this.frame(request.apiKey, request.apiVersion, request.apiName, body.buffer.length)
    body.buffer.copy(frame.bytes, frame.bodyAt)
    const exchange = await this.exchange(frame, withinMs)
    if ("error" in exchange) throw exchange.error
    try {
      return (await response.decode(exchange.payload)) as Calls[Name]["answered"]
    } catch (error) {
      throw failureOf(error, name, this.#where)
    }
  }

  /** Sends a frame and waits for its answer, at most `withinMs`. Never rejects. */
  async exchange(frame: Frame, withinMs: number): Promise<Exchange> {
    if (!this.#isUsable) return { error: this.#gone(frame), wasWritten: false }
    this.#pending++
    const exchange = await this.#write(frame, withinMs)
    this.#pending--
    if (this.#isRetired && this.#pending === 0) this.close()
    return exchange
  }

  /** Drains: accepts no new requests, and closes once those in flight are answered. */
  retire(): void {
    this.#isRetired = true
    if (this.#pending === 0 || !this.#isUsable) this.close()
  }

  /** Closes the connection at once; requests in flight stay without an answer. */
  close(error: unknown = failure("Closed", "close", this.#where)): void {
    this.#isClosed = true
    cut(this.#connection, error)
  }

  #write(frame: Frame, withinMs: number): Promise<Exchange> {
    const connection = this.#connection
    const { apiKey, apiName, apiVersion, bytes } = frame
    const correlationId = connection.nextCorrelationId()
    bytes.writeInt32BE(bytes.length - 4, 0)
    bytes.writeInt32BE(correlationId, 8)
    return new Promise((resolve) => {
      let wasWritten = false
      let isOver = false
      let readBefore = 0
      const over = (exchange: Exchange) => {
        isOver = true
        clearTimeout(timer)
        resolve(exchange)
      }
      const timer = setTimeout(
        () => {
          const { socket } = connection
          const isSilent = wasWritten && withinMs >= silentMs && socket?.bytesRead === readBefore
          const detail = `${this.#where}: no answer to ${apiName} within ${Math.round(withinMs)} ms`
          const error = failure(wasWritten ? "Timeout" : "Unavailable", apiName, detail)
          over({ error, wasWritten })
          if (isSilent) this.close(error)
        },
        Math.max(0, withinMs)
      )
      const reject = (cause: unknown) => {
        over({ error: this.#unanswered(apiName, wasWritten, cause), wasWritten })
      }
      try {
        connection.requestQueue.push({
          entry: { apiKey, apiName, apiVersion, correlationId, resolve: ({ payload }) => over({ payload }), reject },
          expectResponse: true,
          requestTimeout: null,
          sendRequest: () => {
            // kafkajs delays a request while the broker throttles; by then the caller may have its answer.
            if (isOver) return
            wasWritten = true
            readBefore = connection.socket?.bytesRead ?? 0
            connection.socket?.write(bytes)
          }
        })
      } catch (error) {
        reject(error)
      }
    })
  }

  #protocol(name: CallName, parameters: object): KafkajsProtocol<unknown> {
    try {
      return lookup(this.versions)(apiKeys[name], requests[name])(parameters)
    } catch (error) {
      throw failureOf(error, name, this.#where)
    }
  }

  /** The failure of a request whose connection has ended. */
  #unanswered(apiName: string, wasWritten: boolean, cause: unknown): TransportError {
    // Closed here, because another request got no answer: neither did this one.
    const isSilent = cause instanceof TransportError && cause.reason === "Timeout"
    const reason = !wasWritten ? "Unavailable" : isSilent ? "Timeout" : "Disconnected"
    const why = cause instanceof Error ? cause.message : String(cause)
    return failure(reason, apiName, isSilent ? cause.detail : `${this.#where}: ${why}`, cause)
  }

  #gone({ apiName }: Frame): TransportError {
    return failure("Unavailable", apiName, `${this.#where}: the connection is closed`)
  }
}

/** kafkajs starts a timer after each answer, with a negative delay if there is nothing to wait for, and Node warns of it. */
function withoutIdleTimers({ requestQueue }: KafkajsConnection): void {
  const schedule = requestQueue.scheduleCheckPendingRequests.bind(requestQueue)
  requestQueue.scheduleCheckPendingRequests = () => {
    if (requestQueue.pending.length > 0) schedule()
  }
}

async function greet(connection: KafkajsConnection): Promise<ApiVersions> {
  await connection.connect()
  const versions = await askVersions(connection)
  connection.setVersions(versions)
  connection.setSupportAuthenticationProtocol(versions[apiKeys.SaslAuthenticate] !== undefined)
  await connection.authenticate()
  return versions
}

interface VersionsAnswer {
  readonly apiVersions: ReadonlyArray<{
    readonly apiKey: number
    readonly minVersion: number
    readonly maxVersion: number
  }>
}

async function askVersions(connection: KafkajsConnection): Promise<ApiVersions> {
  const protocol = requests.ApiVersions.protocol({ version: 2 })() as KafkajsProtocol<VersionsAnswer>
  const { apiVersions } = await connection.send(protocol)
  return Object.fromEntries(
    apiVersions.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { minVersion, maxVersion }])
  )
}

function cut(connection: KafkajsConnection, error: unknown): void {
  connection.rejectRequests(error)
  connection.requestQueue.destroy()
  connection.socket?.destroy()
}
