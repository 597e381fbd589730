/**
 * From what kafkajs and Node throw to leat's one error: by code, by class name where there is no code, never by text. These
 * errors come from opening a connection and from asking; what became of records that were sent is decided in `produce`, which
 * knows whether the request had been written.
 */
import { nameOfCode, reasonOfCode } from "@leat/kafka"
import { TransportError, type TransportReason } from "leat/transport"

export const transportName = "@leat/kafkajs"

/** Node's codes for a peer whose certificate is not accepted, or that does not accept ours. */
const certificate =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|ERR_TLS_CERT_|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|BAD_DECRYPT|ACCESS_DENIED|PSK))/
/** A key, a certificate or a version with which Node cannot even begin. */
const settings =
  /^(ERR_OSSL_|ERR_CRYPTO_|ERR_TLS_|ERR_INVALID_ARG|ERR_SSL_.*(KEY_VALUES_MISMATCH|NO_START_LINE|EE_KEY_TOO_SMALL|CA_MD_TOO_WEAK))/

/** Reasons by the name of kafkajs's class, where it gives no code. */
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

/** Why a client's error happened. */
export function reasonOf(error: unknown): TransportReason {
  if (error instanceof TransportError) return error.reason
  if (typeof error !== "object" || error === null) return "Unknown"
  const { name, code, type, cause } = error as Record<string, unknown>
  if (typeof code === "number" && typeof type === "string") return reasonOfCode(code)
  // A wrapper says less than what it wraps.
  if (name === "KafkaJSNumberOfRetriesExceeded" || (name === "KafkaJSNonRetriableError" && cause !== undefined))
    return reasonOf(cause)
  if (typeof code === "string") {
    if (certificate.test(code)) return "Unauthenticated"
    if (settings.test(code)) return "Unsupported"
  }
  if (typeof name === "string" && byName[name] !== undefined) return byName[name]
  // ECONNREFUSED, ENOTFOUND, EHOSTUNREACH and whatever else a socket says.
  return typeof code === "string" && /^E(?!RR_)[A-Z]/.test(code) ? "Unavailable" : "Unknown"
}

/** An error of an operation of ours. What the client threw is kept as the cause: it carries no options. */
export function failureOf(error: unknown, operation: string, where: string): TransportError {
  if (error instanceof TransportError) return error
  const said = error instanceof Error ? error.message : String(error)
  return failure(reasonOf(error), operation, `${where}: ${said}`, error)
}

/** An error that a broker answered. */
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
