/** Errors of the client as leat's, by code. Codes of the protocol are @leat/kafka's; those below zero are librdkafka's own. */
import { fateOfCode, nameOfCode, reasonOfCode } from "@leat/kafka"
import { reasons, TransportError, type TransportReason } from "leat/transport"
import type { ClientError } from "./client.ts"

type Row = readonly [code: number, name: string, reason: TransportReason]

/**
 * Meaning of librdkafka's own codes. The code that ends a message says nothing of earlier attempts, so a message that may have been sent is
 * never `Unavailable`.
 */
const rows = [
  // Bytes from a broker cannot be read.
  [-199, "BAD_MSG", "Corrupt"],
  [-198, "BAD_COMPRESSION", "Corrupt"],
  [-155, "UNDERFLOW", "Corrupt"],

  // The connection, or the client, ended with a request in flight.
  [-197, "DESTROY", "Disconnected"],
  [-137, "DESTROY_BROKER", "Disconnected"],
  [-196, "FAIL", "Disconnected"],
  [-195, "TRANSPORT", "Disconnected"],
  [-163, "INTR", "Disconnected"],
  // Also for a message that waited for a retry when a fatal error purged the queue: the outcome of the first attempt is unknown.
  [-152, "PURGE_QUEUE", "Disconnected"],
  [-151, "PURGE_INFLIGHT", "Disconnected"],

  // No answer before the deadline.
  [-192, "MSG_TIMED_OUT", "Timeout"],
  [-185, "TIMED_OUT", "Timeout"],
  [-166, "TIMED_OUT_QUEUE", "Timeout"],

  // No broker can be reached now; nothing was written.
  [-193, "RESOLVE", "Unavailable"],
  [-187, "ALL_BROKERS_DOWN", "Unavailable"],
  [-182, "NODE_UPDATE", "Unavailable"],
  [-180, "WAIT_COORD", "Unavailable"],
  [-178, "IN_PROGRESS", "Unavailable"],
  [-177, "PREV_IN_PROGRESS", "Unavailable"],
  [-164, "WAIT_CACHE", "Unavailable"],
  [-158, "PARTIAL", "Unavailable"],
  [-153, "RETRY", "Unavailable"],
  [-146, "UNKNOWN_BROKER", "Unavailable"],
  [-167, "OUTDATED", "Unavailable"],
  [-183, "ISR_INSUFF", "NotEnoughReplicas"],

  [-190, "UNKNOWN_PARTITION", "UnknownTopic"],
  [-188, "UNKNOWN_TOPIC", "UnknownTopic"],

  // This machine.
  [-194, "CRIT_SYS_RESOURCE", "Full"],
  [-189, "FS", "Full"],
  [-184, "QUEUE_FULL", "Full"],

  // A handshake that fails is a certificate that does not fit, on either side.
  [-181, "SSL", "Unauthenticated"],
  [-169, "AUTHENTICATION", "Unauthenticated"],

  // The broker rejected another record of the same batch, and this one with it.
  [-138, "INVALID_DIFFERENT_RECORD", "Rejected"],

  // The idempotent session is over. The record may have been sent before.
  [-150, "FATAL", "Unknown"],
  [-149, "INCONSISTENT", "Unknown"],
  [-148, "GAPLESS_GUARANTEE", "Unknown"],

  [-147, "MAX_POLL_EXCEEDED", "LaneLost"],
  [-144, "FENCED", "LaneLost"],
  [-142, "ASSIGNMENT_LOST", "LaneLost"],
  [-179, "UNKNOWN_GROUP", "LaneLost"],

  // Not failures: they are not expected here.
  [-191, "PARTITION_EOF", "Unknown"],
  [-175, "ASSIGN_PARTITIONS", "Unknown"],
  [-174, "REVOKE_PARTITIONS", "Unknown"],
  [-168, "NO_OFFSET", "Unknown"],
  [-156, "NOENT", "Unknown"],
  [-141, "NOOP", "Unknown"],

  // An offset that has expired and may not be replaced by another.
  [-140, "AUTO_OFFSET_RESET", "Corrupt"],
  [-139, "LOG_TRUNCATION", "Corrupt"],

  // The request cannot be done, or not with these arguments.
  [-186, "INVALID_ARG", "Unsupported"],
  [-176, "EXISTING_SUBSCRIPTION", "Unsupported"],
  [-173, "CONFLICT", "Unsupported"],
  [-171, "UNKNOWN_PROTOCOL", "Unsupported"],
  [-170, "NOT_IMPLEMENTED", "Unsupported"],
  [-165, "UNSUPPORTED_FEATURE", "Unsupported"],
  [-162, "KEY_SERIALIZATION", "Unsupported"],
  [-161, "VALUE_SERIALIZATION", "Unsupported"],
  [-160, "KEY_DESERIALIZATION", "Unsupported"],
  [-159, "VALUE_DESERIALIZATION", "Unsupported"],
  [-157, "READ_ONLY", "Unsupported"],
  [-154, "INVALID_TYPE", "Unsupported"],
  [-145, "NOT_CONFIGURED", "Unsupported"],
  [-143, "APPLICATION", "Unsupported"],

  // The client is not connected, or no longer.
  [-172, "STATE", "Closed"]
] as const satisfies ReadonlyArray<Row>

const byCode: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row[0], row]))

/** librdkafka's own codes, by name. */
export const clientCodes = Object.fromEntries(rows.map(([code, name]) => [name, code])) as {
  readonly [Name in (typeof rows)[number][1]]: number
}

/** The reason of a failure with this code. */
export function reasonOf(code: number): TransportReason {
  return code < -1 ? (byCode.get(code)?.[2] ?? "Unknown") : reasonOfCode(code)
}

/** The name of a code, for a person. */
export function nameOf(code: number): string {
  return code < -1 ? (byCode.get(code)?.[1] ?? `librdkafka's error ${code}`) : nameOfCode(code)
}

/** The outcome of a record whose delivery ended with this code. */
export function fateOf(code: number): "stored" | "notStored" | "unknown" {
  return code < -1 ? (reasons[reasonOf(code)].mayBeStored ? "unknown" : "notStored") : fateOfCode(code)
}

export const transportName = "@leat/confluent"

export function failure(reason: TransportReason, operation: string, detail: string): TransportError {
  return new TransportError({ reason, transport: transportName, operation, detail })
}

/** What to do, by code. librdkafka says no more than that something is not implemented: for records that is their compression. */
const advice: ReadonlyMap<number, string> = new Map([
  [
    clientCodes.NOT_IMPLEMENTED,
    "; records are compressed by a codec, zstd usually, that the addon of @confluentinc/kafka-javascript on this machine was built " +
      "without: `npm run confluent` in leat's repository builds it with zstd"
  ]
])

/** `what` names the subject: a topic, a group. */
export function failureOf(error: ClientError, operation: string, what: string): TransportError {
  const code = typeof error.code === "number" ? error.code : -1
  // The client's own error is not the cause: an error about a configuration may quote its secrets.
  return failure(reasonOf(code), operation, `${what}: ${nameOf(code)} (${code})${advice.get(code) ?? ""}`)
}

/** The code of what the client throws; undefined where it bears none. */
export function codeOfThrown(error: unknown): number | undefined {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "number"
    ? error.code
    : undefined
}
