import { reasonOfCode } from "@leat/kafka"
import { TransportError } from "leat/transport"
import { createRequire } from "node:module"
import { describe, expect, it } from "vitest"
import { failureOf, reasonOf } from "../src/client/failureOf.ts"

const load = createRequire(import.meta.url)
type Thrower = new (...parameters: ReadonlyArray<unknown>) => Error
const errors = load("kafkajs/src/errors.js") as Readonly<Record<string, Thrower>>
const { errorCodes, createErrorFromCode } = load("kafkajs/src/protocol/error.js") as {
  readonly errorCodes: ReadonlyArray<{ readonly code: number; readonly type: string }>
  readonly createErrorFromCode: (code: number) => Error
}

/** Of every class that kafkajs can throw: how it is made, and what it means. */
const classes: Readonly<Record<string, readonly [make: (thrown: Thrower) => Error, reason: string]>> = {
  KafkaJSError: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSNonRetriableError: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSPartialMessageError: [(Thrown) => new Thrown("x"), "Corrupt"],
  KafkaJSBrokerNotFound: [(Thrown) => new Thrown("x"), "Unavailable"],
  KafkaJSProtocolError: [(Thrown) => new Thrown(createErrorFromCode(19)), "NotEnoughReplicas"],
  KafkaJSConnectionError: [(Thrown) => new Thrown("x", { broker: "k:1" }), "Unavailable"],
  KafkaJSConnectionClosedError: [(Thrown) => new Thrown("x", { host: "k", port: 1 }), "Unavailable"],
  KafkaJSRequestTimeoutError: [(Thrown) => new Thrown("x"), "Timeout"],
  KafkaJSSASLAuthenticationError: [(Thrown) => new Thrown("x"), "Unauthenticated"],
  KafkaJSNumberOfRetriesExceeded: [(Thrown) => new Thrown(createErrorFromCode(29), {}), "Unauthorized"],
  KafkaJSOffsetOutOfRange: [(Thrown) => new Thrown(createErrorFromCode(1), {}), "Unsupported"],
  KafkaJSMemberIdRequired: [(Thrown) => new Thrown(createErrorFromCode(79), {}), "Unavailable"],
  KafkaJSGroupCoordinatorNotFound: [(Thrown) => new Thrown("x"), "Unavailable"],
  KafkaJSNotImplemented: [(Thrown) => new Thrown("x"), "Unsupported"],
  KafkaJSMetadataNotLoaded: [(Thrown) => new Thrown("x"), "Unavailable"],
  KafkaJSTopicMetadataNotLoaded: [(Thrown) => new Thrown("x"), "Unavailable"],
  KafkaJSStaleTopicMetadataAssignment: [(Thrown) => new Thrown("x"), "Unavailable"],
  KafkaJSDeleteGroupsError: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSTimeout: [(Thrown) => new Thrown("x"), "Timeout"],
  KafkaJSLockTimeout: [(Thrown) => new Thrown("x"), "Unavailable"],
  KafkaJSServerDoesNotSupportApiKey: [(Thrown) => new Thrown("x"), "Unsupported"],
  KafkaJSUnsupportedMagicByteInMessageSet: [(Thrown) => new Thrown("x"), "Unsupported"],
  KafkaJSDeleteTopicRecordsError: [(Thrown) => new Thrown({ partitions: [] }), "Unknown"],
  KafkaJSInvariantViolation: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSInvalidVarIntError: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSInvalidLongError: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSCreateTopicError: [(Thrown) => new Thrown(createErrorFromCode(38), "t"), "Unsupported"],
  KafkaJSAggregateError: [(Thrown) => new Thrown("x", []), "Unknown"],
  KafkaJSFetcherRebalanceError: [(Thrown) => new Thrown("x"), "Unknown"],
  KafkaJSNoBrokerAvailableError: [(Thrown) => new Thrown(), "Unavailable"],
  KafkaJSAlterPartitionReassignmentsError: [(Thrown) => new Thrown(createErrorFromCode(60), "t", 0), "Unavailable"]
}

describe("an error of kafkajs", () => {
  const thrown = Object.keys(errors).filter((name) => name.startsWith("KafkaJS"))

  it("is in the table, whatever class it is of", () => {
    expect(Object.keys(classes).toSorted()).toEqual(thrown.toSorted())
  })

  it.each(Object.entries(classes))("of class %s is classified by what it is", (name, [make, reason]) => {
    const thrower = errors[name]
    expect(thrower === undefined ? undefined : reasonOf(make(thrower))).toBe(reason)
  })

  it("that a broker answered is classified by its code, all of them", () => {
    for (const { code } of errorCodes)
      expect([code, reasonOf(createErrorFromCode(code))]).toEqual([code, reasonOfCode(code)])
  })

  it.each([
    ["ECONNREFUSED", "Unavailable"],
    ["ENOTFOUND", "Unavailable"],
    ["EAI_AGAIN", "Unavailable"],
    ["ECONNRESET", "Unavailable"],
    ["ETIMEDOUT", "Unavailable"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "Unauthenticated"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "Unauthenticated"],
    ["CERT_HAS_EXPIRED", "Unauthenticated"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "Unauthenticated"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "Unauthenticated"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "Unauthenticated"],
    ["ERR_OSSL_PEM_NO_START_LINE", "Unsupported"]
  ])("of a socket that says %s is %s, wrapped or not", (code, reason) => {
    const { KafkaJSConnectionError: wrapper } = errors
    expect(reasonOf(Object.assign(new Error("x"), { code }))).toBe(reason)
    expect(wrapper === undefined ? undefined : reasonOf(new wrapper("x", { code }))).toBe(reason)
  })

  it.each([
    [undefined, "Unknown"],
    [null, "Unknown"],
    ["text", "Unknown"],
    [new RangeError("x"), "Unknown"],
    [Object.assign(new RangeError("x"), { code: "ERR_OUT_OF_RANGE" }), "Unknown"]
  ])("that is none, %s, is %s", (error, reason) => {
    expect(reasonOf(error)).toBe(reason)
  })

  it("keeps what it was, and is made once only", () => {
    const cause = new Error("the reason")
    const failed = failureOf(cause, "bounds", "t")
    expect([failed.message, failed.cause]).toEqual(["@leat/kafkajs bounds: Unknown: t: the reason", cause])
    expect(failureOf(failed, "other", "u")).toBe(failed)
    expect(failed).toBeInstanceOf(TransportError)
  })
})
