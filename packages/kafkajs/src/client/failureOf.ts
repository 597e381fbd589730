/**
 * Classifies errors of kafkajs and Node: by code, else by class name, never by text. These are errors of connecting and of queries. The fate
 * of sent records is decided in `produce`, which knows whether the request was written.
 */
import { nameOfCode, reasonOfCode } from "@leat/kafka"
import { TransportError, type TransportReason } from "leat/transport"

export const transportName = "@leat/kafkajs"

/** Node's codes for a rejected certificate, ours or the peer's. */
const certificate =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|ERR_TLS_CERT_|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|BAD_DECRYPT|ACCESS_DENIED|PSK))/
/** Node's codes for a key, certificate or TLS version that it cannot use. */
const settings =
  /^(ERR_OSSL_|ERR_CRYPTO_|ERR_TLS_|ERR_INVALID_ARG|ERR_SSL_.*(KEY_VALUES_MISMATCH|NO_START_LINE|EE_KEY_TOO_SMALL|CA_MD_TOO_WEAK))/

/** Reasons by class name, for errors of kafkajs without a code. */
const byName: Readonly<Record<string, TransportReason>> = {
  KafkaJSConnectionError: "Unavailable",
  KafkaJSConnectionClosedError: "Unavailable",
  KafkaJSBrokerNotFound: "Unavailable",
  KafkaJSNoBrokerAvailableError: "Unavailable",
  KafkaJSGroupCoordinatorNotFound: "Unavailable",
  KafkaJSMetadataNotLoaded: "Unavailable",
  KafkaJSTopicMetadataNotLoaded: "Unavailable",
  KafkaJSStaleTopicMetadataAssignment: "Unavailable",
  KafkaJSFetcherRebalanceError: "Unavailable",
  KafkaJSLockTimeout: "Unavailable",
  KafkaJSTimeout: "Timeout",
  KafkaJSRequestTimeoutError: "Timeout",
  KafkaJSSASLAuthenticationError: "Unauthenticated",
  KafkaJSServerDoesNotSupportApiKey: "Unsupported",
  KafkaJSNotImplemented: "Unsupported",
  KafkaJSUnsupportedMagicByteInMessageSet: "Unsupported",
  KafkaJSPartialMessageError: "Corrupt"
}

/** The reason of an error of kafkajs or Node. */
export function reasonOf(error: unknown): TransportReason {
  if (error instanceof TransportError) return error.reason
  if (typeof error !== "object" || error === null) return "Unknown"
  const { name, code, type, cause } = error as Record<string, unknown>
  if (typeof code === "number" && typeof type === "string") return reasonOfCode(code)
  // A wrapper: the reason is that of its cause.
  if (name === "KafkaJSNumberOfRetriesExceeded" || (name === "KafkaJSNonRetriableError" && cause !== undefined))
    return reasonOf(cause)
  if (typeof code === "string") {
    if (certificate.test(code)) return "Unauthenticated"
    if (settings.test(code)) return "Unsupported"
  }
  if (typeof name === "string" && Object.hasOwn(byName, name)) return byName[name] ?? "Unknown"
  // Codes of sockets: ECONNREFUSED, ENOTFOUND, EHOSTUNREACH and so on.
  return typeof code === "string" && /^E(?!RR_)[A-Z]/.test(code) ? "Unavailable" : "Unknown"
}

/** The failure of an operation. Its cause is the original error, which holds no options and so no secrets. */
export function failureOf(error: unknown, operation: string, where: string): TransportError {
  if (error instanceof TransportError) return error
  const said = error instanceof Error ? error.message : String(error)
  return failure(reasonOf(error), operation, `${where}: ${said}`, error)
}

/** The failure for an error code of a broker. */
export function refusal(code: number, operation: string, where: string): TransportError {
  return failure(reasonOfCode(code), operation, `${where}: the broker says ${nameOfCode(code)}`)
}

export function failure(reason: TransportReason, operation: string, detail: string, cause?: unknown): TransportError {
  return new TransportError({
    reason,
    transport: transportName,
    operation,
    detail,
    ...(cause === undefined ? {} : { cause })
  })
}
