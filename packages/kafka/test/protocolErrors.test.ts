import { readFileSync } from "node:fs"
import { reasons, type TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"
import { fateOfCode, nameOfCode, reasonOfCode } from "../src/protocolErrors.js"

/** What `org.apache.kafka.common.protocol.Errors` of kafka-clients 4.3.1 lists. */
const listed = readFileSync(new URL("errors-4.3.1.csv", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .slice(1)
  .map((line) => line.split(","))
  .map(([code = "", name = "", kafka = ""]) => ({ code: Number(code), name, isRetriable: kafka === "retriable" }))

/** Codes that Kafka's own clients would ask again with and leat would not, and why. */
const notAgain: Readonly<Record<string, string>> = {
  CORRUPT_MESSAGE: "what fails its checksum twice fails always",
  ELECTION_NOT_NEEDED: "there is nothing to do"
}

/** What a produce request with acks=all can be answered with. */
const produced: ReadonlyArray<readonly [name: string, reason: TransportReason, fate: string]> = [
  ["UNKNOWN_SERVER_ERROR", "Unknown", "unknown"],
  ["CORRUPT_MESSAGE", "Corrupt", "notStored"],
  ["UNKNOWN_TOPIC_OR_PARTITION", "UnknownTopic", "notStored"],
  ["LEADER_NOT_AVAILABLE", "Unavailable", "notStored"],
  ["NOT_LEADER_OR_FOLLOWER", "Disconnected", "unknown"],
  ["REQUEST_TIMED_OUT", "Timeout", "unknown"],
  ["MESSAGE_TOO_LARGE", "TooLarge", "notStored"],
  ["NETWORK_EXCEPTION", "Disconnected", "unknown"],
  ["INVALID_TOPIC_EXCEPTION", "Unsupported", "notStored"],
  ["RECORD_LIST_TOO_LARGE", "TooLarge", "notStored"],
  ["NOT_ENOUGH_REPLICAS", "NotEnoughReplicas", "notStored"],
  ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "NotEnoughReplicasAfterAppend", "unknown"],
  ["INVALID_REQUIRED_ACKS", "Unsupported", "notStored"],
  ["TOPIC_AUTHORIZATION_FAILED", "Unauthorized", "notStored"],
  ["CLUSTER_AUTHORIZATION_FAILED", "Unauthorized", "notStored"],
  ["INVALID_TIMESTAMP", "Rejected", "notStored"],
  ["UNSUPPORTED_FOR_MESSAGE_FORMAT", "Unsupported", "notStored"],
  ["OUT_OF_ORDER_SEQUENCE_NUMBER", "Unknown", "unknown"],
  ["DUPLICATE_SEQUENCE_NUMBER", "Unknown", "stored"],
  ["INVALID_PRODUCER_EPOCH", "Fenced", "notStored"],
  ["KAFKA_STORAGE_ERROR", "Unknown", "unknown"],
  ["SASL_AUTHENTICATION_FAILED", "Unauthenticated", "notStored"],
  ["UNKNOWN_PRODUCER_ID", "Unknown", "unknown"],
  ["UNSUPPORTED_COMPRESSION_TYPE", "Unsupported", "notStored"],
  ["INVALID_RECORD", "Rejected", "notStored"],
  ["THROTTLING_QUOTA_EXCEEDED", "Throttled", "notStored"],
  ["PRODUCER_FENCED", "Fenced", "notStored"],
  ["UNKNOWN_TOPIC_ID", "UnknownTopic", "notStored"]
]

/** What a member of a group can be answered when it settles. */
const settled: ReadonlyArray<readonly [name: string, reason: TransportReason]> = [
  ["COORDINATOR_LOAD_IN_PROGRESS", "Unavailable"],
  ["NOT_COORDINATOR", "Unavailable"],
  ["ILLEGAL_GENERATION", "LaneLost"],
  ["UNKNOWN_MEMBER_ID", "LaneLost"],
  ["REBALANCE_IN_PROGRESS", "Unavailable"],
  ["OFFSET_METADATA_TOO_LARGE", "Unsupported"],
  ["GROUP_AUTHORIZATION_FAILED", "Unauthorized"],
  ["FENCED_INSTANCE_ID", "LaneLost"],
  ["FENCED_MEMBER_EPOCH", "LaneLost"],
  ["STALE_MEMBER_EPOCH", "Unavailable"]
]

const codeOf = (name: string): number => listed.find((one) => one.name === name)?.code ?? Number.NaN

describe("the codes of Kafka's protocol", () => {
  it("are known by their names, all of them", () => {
    expect(listed.length).toBe(135)
    expect(listed.map(({ code }) => nameOfCode(code))).toEqual(listed.map(({ name }) => name))
  })

  it("have each its own row: what is Unknown is so on purpose", () => {
    const unknown = listed.filter(({ code }) => reasonOfCode(code) === "Unknown").map(({ name }) => name)
    expect(unknown).toEqual([
      "UNKNOWN_SERVER_ERROR",
      "NONE",
      "OUT_OF_ORDER_SEQUENCE_NUMBER",
      "DUPLICATE_SEQUENCE_NUMBER",
      "KAFKA_STORAGE_ERROR",
      "UNKNOWN_PRODUCER_ID"
    ])
  })

  it.each(listed.filter(({ isRetriable }) => isRetriable))("$name passes, as Kafka has it", ({ name, code }) => {
    expect(reasons[reasonOfCode(code)].isRetryable).toBe(notAgain[name] === undefined)
  })

  it.each(produced)("%s, answered to a send, is %s and %s", (name, reason, fate) => {
    expect([reasonOfCode(codeOf(name)), fateOfCode(codeOf(name))]).toEqual([reason, fate])
  })

  it.each(settled)("%s, answered to a settle, is %s", (name, reason) => {
    expect(reasonOfCode(codeOf(name))).toBe(reason)
  })

  it("say the same of a send by reason and by fate", () => {
    for (const { code } of listed.filter((one) => fateOfCode(one.code) !== "stored")) {
      expect([code, fateOfCode(code) === "unknown"]).toEqual([code, reasons[reasonOfCode(code)].mayBeStored])
    }
    expect(fateOfCode(0)).toBe("stored")
  })

  it.each([-2, 134, 999, Number.NaN])("of another version, %s, are the worst of both", (code) => {
    expect([reasonOfCode(code), fateOfCode(code), nameOfCode(code)]).toEqual([
      "Unknown",
      "unknown",
      `error code ${code}`
    ])
  })
})
