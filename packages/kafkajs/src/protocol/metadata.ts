/** The request for topics and their leaders with the ids of the topics, which kafkajs's versions of it do not have, and its answer. */
import { topicIdOf } from "@leat/kafka"
import type { MetadataAnswer } from "../client/Answers.ts"
import { failure } from "../client/failureOf.ts"
import { apiKeys } from "../client/kafkajsInternals.ts"
import type { Frame, Link } from "../client/Link.ts"
import { BytesReader } from "./BytesReader.ts"
import { writeCompact, writeUvarint } from "./compactFields.ts"

/** The first version with ids; Kafka 2.8. */
const apiVersion = 10

/** Whether the broker knows ids of topics. */
export function hasTopicIds({ versions }: Pick<Link, "versions">): boolean {
  return (versions[apiKeys.Metadata]?.maxVersion ?? 0) >= apiVersion
}

/** Of the topics that are named, or of all. Creates no topic. */
export function metadataFrame(link: Pick<Link, "frame">, topics: ReadonlyArray<string> | "all"): Frame {
  const names = topics === "all" ? [] : topics.map((topic) => Buffer.from(topic))
  const room = names.reduce((total, name) => total + name.length + 22, 10)
  const frame = link.frame(apiKeys.Metadata, apiVersion, "Metadata", room)
  const { bytes, bodyAt } = frame
  // The header of a flexible version ends with its tagged fields.
  let at = writeUvarint(bytes, bodyAt, 0)
  // No list means all topics.
  at = writeUvarint(bytes, at, topics === "all" ? 0 : names.length + 1)
  for (const name of names) {
    bytes.fill(0, at, at + 16) // by name, not by id
    at = writeCompact(bytes, at + 16, name)
    at = writeUvarint(bytes, at, 0)
  }
  at = bytes.writeInt8(0, at) // creates nothing
  at = bytes.writeInt8(0, at) // no rights of the cluster
  at = bytes.writeInt8(0, at) // no rights of the topics
  at = writeUvarint(bytes, at, 0)
  return { ...frame, bytes: bytes.subarray(0, at) }
}

export function readMetadataAnswer(payload: Buffer): MetadataAnswer {
  try {
    const reader = new BytesReader(payload)
    reader.tags()
    reader.int32() // throttled for
    const brokers = reader.compactArray(() => {
      const broker = { nodeId: reader.int32(), host: reader.compactString() ?? "", port: reader.int32() }
      reader.compactString() // rack
      reader.tags()
      return broker
    })
    reader.compactString() // cluster
    const controllerId = reader.int32()
    return { brokers, controllerId, topicMetadata: reader.compactArray(() => readTopic(reader)) }
  } catch (error) {
    throw failure("Corrupt", "metadata", "the answer cannot be read", error)
  }
}

function readTopic(reader: BytesReader): MetadataAnswer["topicMetadata"][number] {
  const topicErrorCode = reader.int16()
  const topic = reader.compactString() ?? ""
  const topicId = topicIdOf(reader.int64(), reader.int64())
  reader.int8() // internal
  const partitionMetadata = reader.compactArray(() => {
    const partition = { partitionErrorCode: reader.int16(), partitionId: reader.int32(), leader: reader.int32() }
    reader.int32() // epoch of the leader
    for (let list = 0; list < 3; list++) reader.compactArray(() => reader.int32()) // replicas: all, in sync, offline
    reader.tags()
    return partition
  })
  reader.int32() // rights
  reader.tags()
  return { topicErrorCode, topic, partitionMetadata, ...(topicId === undefined ? {} : { topicId }) }
}
