/**
 * Bearer tokens for SASL's OAUTHBEARER. A token that somebody else renews is taken as it is now; for one of an authorization
 * server the client credentials grant (RFC 6749, 4.4) is asked. Neither is kept here: clients ask for each connection.
 */
import { Clock, Effect, Redacted } from "effect"
import { TransportError, type TransportReason } from "leat/transport"
import type { KafkaClientCredentials, KafkaToken } from "./KafkaOptions.ts"

/** A token, and what a client has to know of it. */
export interface BearerToken {
  readonly value: Redacted.Redacted
  /** Epoch milliseconds at which it expires; absent: it does not say. */
  readonly expiresAtMs?: number
  /** Whom it names; `leat` where it does not say. librdkafka wants one, brokers go by the token. */
  readonly principal: string
}

/** How long an authorization server may take, in milliseconds. */
const answerMsMax = 10_000

/**
 * A token for one more connection. Fails with `Unauthenticated` when the authorization server refuses, with `Unavailable` when
 * it cannot be reached; no error says anything of a secret.
 *
 * @example
 * ```ts
 * const { value, expiresAtMs } = yield* bearerToken("@leat/kafkajs", sasl)
 * ```
 */
export function bearerToken(
  transport: string,
  sasl: KafkaToken | KafkaClientCredentials
): Effect.Effect<BearerToken, TransportError> {
  if (!("token" in sasl)) return Effect.suspend(() => requestToken(transport, sasl))
  const { token } = sasl
  return Effect.map(Redacted.isRedacted(token) ? Effect.succeed(token) : token, (value) => toldBy(value))
}

function requestToken(transport: string, sasl: KafkaClientCredentials): Effect.Effect<BearerToken, TransportError> {
  const { origin, pathname } = new URL(sasl.tokenEndpoint)
  // Without the query, and without a cause: errors of `fetch` may carry the request.
  const failed = (reason: TransportReason, detail: string) =>
    new TransportError({ reason, transport, operation: "token", detail: `${origin}${pathname}: ${detail}` })
  return Effect.gen(function* () {
    const response = yield* Effect.tryPromise({
      try: (signal) => fetch(sasl.tokenEndpoint, { ...tokenRequest(sasl), signal }),
      catch: () => failed("Unavailable", "the authorization server cannot be reached")
    })
    // Of a text that is not what the grant promises nothing is repeated, because it may be a token.
    const body: unknown = yield* Effect.promise(() => response.json().catch(() => undefined))
    const { access_token: token, expires_in: expiresIn, error } = fieldsOf(body)
    if (!response.ok) {
      const code = typeof error === "string" && /^[a-z_]{1,40}$/.test(error) ? ` (${error})` : ""
      return yield* failed(reasonOfStatus(response.status), `the authorization server says ${response.status}${code}`)
    }
    if (typeof token !== "string" || token === "") {
      return yield* failed("Unauthenticated", "the authorization server gave no access_token")
    }
    const nowMs = yield* Clock.currentTimeMillis
    const told = toldBy(Redacted.make(token))
    return typeof expiresIn === "number" ? { ...told, expiresAtMs: nowMs + expiresIn * 1000 } : told
  }).pipe(
    Effect.timeoutOrElse({
      duration: answerMsMax,
      orElse: () =>
        Effect.fail(failed("Unavailable", `the authorization server did not answer within ${answerMsMax} ms`))
    })
  )
}

/** Identifier and secret in the header, form-encoded first as RFC 6749 has it in 2.3.1; servers must accept that. */
function tokenRequest({ clientId, clientSecret, scope }: KafkaClientCredentials) {
  const encoded = (text: string) => new URLSearchParams([["", text]]).toString().slice(1)
  const credentials = `${encoded(clientId)}:${encoded(Redacted.value(clientSecret))}`
  return {
    method: "POST",
    // A redirect would take the secret elsewhere.
    redirect: "error",
    headers: {
      accept: "application/json",
      authorization: `Basic ${Buffer.from(credentials).toString("base64")}`
    },
    body: new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) })
  } as const
}

function reasonOfStatus(status: number): TransportReason {
  if (status === 429) return "Throttled"
  return status >= 500 ? "Unavailable" : "Unauthenticated"
}

/** What a token says of itself, when it is a JWT (RFC 7519). It is not verified: that is for the broker. */
function toldBy(value: Redacted.Redacted): BearerToken {
  const { exp, sub } = claimsOf(Redacted.value(value))
  return {
    value,
    principal: typeof sub === "string" && sub !== "" ? sub : "leat",
    ...(typeof exp === "number" ? { expiresAtMs: exp * 1000 } : {})
  }
}

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const [, payload = "", signature] = token.split(".")
  if (signature === undefined) return {}
  try {
    return fieldsOf(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")))
  } catch {
    return {}
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
