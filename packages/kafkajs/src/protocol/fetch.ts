/** The Fetch request for partitions of one topic, and its answer. */
import { apiKeys } from "../client/kafkajsInternals.ts"
import { failure } from "../client/failureOf.ts"
import type { Frame, Link } from "../client/Link.ts"
import { BytesReader } from "./BytesReader.ts"
import { writeUvarint } from "./compactFields.ts"
import type { Aborted } from "./readRecordBatches.ts"

/** The last version with names of topics; Kafka 2.3. */
const versionByName = 11
/** The first version with ids of topics; Kafka 3.1. A topic that was created anew is never read with offsets of the old one. */
const versionById = 13

/** A topic, and its id where that is known. */
export interface FetchedTopic {
  readonly name: string
  readonly id?: string | undefined
}

export interface FetchFrom {
  readonly partition: number
  readonly position: bigint
}

export interface FetchBounds {
  /** How long the broker waits until there are records, in milliseconds. */
  readonly waitMs: number
  readonly bytesMax: number
  readonly partitionBytesMax: number
}

/** One partition of an answer: an error code, or bytes. */
export interface FetchedPartition {
  readonly partition: number
  readonly code: number
  readonly aborted: ReadonlyArray<Aborted>
  readonly bytes: Buffer
}

/** Reads committed records only, without a fetch session: each request lists all its partitions. By id where broker and caller know it. */
export function fetchFrame(
  link: Pick<Link, "frame" | "versions">,
  { name, id }: FetchedTopic,
  wanted: ReadonlyArray<FetchFrom>,
  bounds: FetchBounds
): Frame {
  const canSayIds = (link.versions[apiKeys.Fetch]?.maxVersion ?? 0) >= versionById
  return id === undefined || !canSayIds ? frameByName(link, name, wanted, bounds) : frameById(link, id, wanted, bounds)
}

function writeBounds(bytes: Buffer, bodyAt: number, { waitMs, bytesMax }: FetchBounds): number {
  let at = bytes.writeInt32BE(-1, bodyAt)
  at = bytes.writeInt32BE(waitMs, at)
  at = bytes.writeInt32BE(1, at)
  at = bytes.writeInt32BE(bytesMax, at)
  at = bytes.writeInt8(1, at) // read committed
  at = bytes.writeInt32BE(0, at) // no session
  return bytes.writeInt32BE(-1, at)
}

function frameById(
  link: Pick<Link, "frame">,
  id: string,
  wanted: ReadonlyArray<FetchFrom>,
  bounds: FetchBounds
): Frame {
  const frame = link.frame(apiKeys.Fetch, versionById, "Fetch", 55 + wanted.length * 33)
  const { bytes, bodyAt } = frame
  // The header of a flexible version ends with its tagged fields.
  let at = writeBounds(bytes, writeUvarint(bytes, bodyAt, 0), bounds)
  at = writeUvarint(bytes, at, 2)
  at += bytes.write(id, at, "hex")
  at = writeUvarint(bytes, at, wanted.length + 1)
  for (const { partition, position } of wanted) {
    at = bytes.writeInt32BE(partition, at)
    at = bytes.writeInt32BE(-1, at) // any leader epoch
    at = bytes.writeBigInt64BE(position, at)
    at = bytes.writeInt32BE(-1, at) // no epoch of what was fetched last
    at = bytes.writeBigInt64BE(-1n, at)
    at = bytes.writeInt32BE(bounds.partitionBytesMax, at)
    at = writeUvarint(bytes, at, 0)
  }
  at = writeUvarint(bytes, at, 0)
  at = writeUvarint(bytes, at, 1) // nothing forgotten
  at = writeUvarint(bytes, at, 1) // no rack: from the leader
  at = writeUvarint(bytes, at, 0)
  return { ...frame, bytes: bytes.subarray(0, at) }
}

function frameByName(
  link: Pick<Link, "frame">,
  topic: string,
  wanted: ReadonlyArray<FetchFrom>,
  bounds: FetchBounds
): Frame {
  const name = Buffer.from(topic)
  const frame = link.frame(apiKeys.Fetch, versionByName, "Fetch", 45 + name.length + wanted.length * 28)
  const { bytes, bodyAt } = frame
  let at = bytes.writeInt32BE(1, writeBounds(bytes, bodyAt, bounds))
  at = bytes.writeInt16BE(name.length, at)
  at += name.copy(bytes, at)
  at = bytes.writeInt32BE(wanted.length, at)
  for (const { partition, position } of wanted) {
    at = bytes.writeInt32BE(partition, at)
    at = bytes.writeInt32BE(-1, at) // any leader epoch
    at = bytes.writeBigInt64BE(position, at)
    at = bytes.writeBigInt64BE(-1n, at)
    at = bytes.writeInt32BE(bounds.partitionBytesMax, at)
  }
  at = bytes.writeInt32BE(0, at) // nothing forgotten
  at = bytes.writeInt16BE(0, at) // no rack: from the leader
  return { ...frame, bytes: bytes.subarray(0, at) }
}

export interface FetchAnswer {
  /** The error code of the whole request. */
  readonly code: number
  readonly partitions: ReadonlyArray<FetchedPartition>
  readonly throttleMs: number
}

/** The answer to a request of this version. */
export function readFetchAnswer(payload: Buffer, { apiVersion }: Frame, where: string): FetchAnswer {
  try {
    const reader = new BytesReader(payload)
    if (apiVersion >= versionById) return readAnswerById(reader)
    const throttleMs = reader.int32()
    const code = reader.int16()
    reader.int32() // session
    const partitions = reader
      .array(() => {
        reader.string()
        return reader.array((): FetchedPartition => readPartition(reader))
      })
      .flat()
    return { code, partitions, throttleMs }
  } catch (error) {
    throw failure("Corrupt", "fetch", `${where}: the answer cannot be read`, error)
  }
}

function readAnswerById(reader: BytesReader): FetchAnswer {
  reader.tags()
  const throttleMs = reader.int32()
  const code = reader.int16()
  reader.int32() // session
  const partitions = reader
    .compactArray(() => {
      reader.at += 16 // the id
      const ofTopic = reader.compactArray((): FetchedPartition => {
        const partition = reader.int32()
        const failed = reader.int16()
        reader.at += 24 // end, end of what is committed, first position that is kept
        const aborted = reader.compactArray(() => {
          const one = { producer: reader.int64(), first: reader.int64() }
          reader.tags()
          return one
        })
        reader.int32() // preferred replica
        const bytes = reader.compactBlock() ?? Buffer.alloc(0)
        reader.tags()
        return { partition, code: failed, aborted, bytes }
      })
      reader.tags()
      return ofTopic
    })
    .flat()
  return { code, partitions, throttleMs }
}

function readPartition(reader: BytesReader): FetchedPartition {
  const partition = reader.int32()
  const code = reader.int16()
  reader.int64() // end
  reader.int64() // end of what is committed
  reader.int64() // first position that is kept
  const aborted = reader.array(() => ({ producer: reader.int64(), first: reader.int64() }))
  reader.int32() // preferred replica
  return { partition, code, aborted, bytes: reader.block() ?? Buffer.alloc(0) }
}
