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
const classes: Readonly<Record<string, readonly [make: (thrower: Thrower) => Error, reason: string]>> = {
  KafkaJSError: [(it) => new it("x"), "Unknown"],
  KafkaJSNonRetriableError: [(it) => new it("x"), "Unknown"],
  KafkaJSPartialMessageError: [(it) => new it("x"), "Corrupt"],
  KafkaJSBrokerNotFound: [(it) => new it("x"), "Unavailable"],
  KafkaJSProtocolError: [(it) => new it(createErrorFromCode(19)), "NotEnoughReplicas"],
  KafkaJSConnectionError: [(it) => new it("x", { broker: "k:1" }), "Unavailable"],
  KafkaJSConnectionClosedError: [(it) => new it("x", { host: "k", port: 1 }), "Unavailable"],
  KafkaJSRequestTimeoutError: [(it) => new it("x"), "Timeout"],
  KafkaJSSASLAuthenticationError: [(it) => new it("x"), "Unauthenticated"],
  KafkaJSNumberOfRetriesExceeded: [(it) => new it(createErrorFromCode(29), {}), "Unauthorized"],
  KafkaJSOffsetOutOfRange: [(it) => new it(createErrorFromCode(1), {}), "Unsupported"],
  KafkaJSMemberIdRequired: [(it) => new it(createErrorFromCode(79), {}), "Unavailable"],
  KafkaJSGroupCoordinatorNotFound: [(it) => new it("x"), "Unavailable"],
  KafkaJSNotImplemented: [(it) => new it("x"), "Unsupported"],
  KafkaJSMetadataNotLoaded: [(it) => new it("x"), "Unavailable"],
  KafkaJSTopicMetadataNotLoaded: [(it) => new it("x"), "Unavailable"],
  KafkaJSStaleTopicMetadataAssignment: [(it) => new it("x"), "Unavailable"],
  KafkaJSDeleteGroupsError: [(it) => new it("x"), "Unknown"],
  KafkaJSTimeout: [(it) => new it("x"), "Timeout"],
  KafkaJSLockTimeout: [(it) => new it("x"), "Unavailable"],
  KafkaJSServerDoesNotSupportApiKey: [(it) => new it("x"), "Unsupported"],
  KafkaJSUnsupportedMagicByteInMessageSet: [(it) => new it("x"), "Unsupported"],
  KafkaJSDeleteTopicRecordsError: [(it) => new it({ partitions: [] }), "Unknown"],
  KafkaJSInvariantViolation: [(it) => new it("x"), "Unknown"],
  KafkaJSInvalidVarIntError: [(it) => new it("x"), "Unknown"],
  KafkaJSInvalidLongError: [(it) => new it("x"), "Unknown"],
  KafkaJSCreateTopicError: [(it) => new it(createErrorFromCode(38), "t"), "Unsupported"],
  KafkaJSAggregateError: [(it) => new it("x", []), "Unknown"],
  KafkaJSFetcherRebalanceError: [(it) => new it("x"), "Unknown"],
  KafkaJSNoBrokerAvailableError: [(it) => new it(), "Unavailable"],
  KafkaJSAlterPartitionReassignmentsError: [(it) => new it(createErrorFromCode(60), "t", 0), "Unavailable"]
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
