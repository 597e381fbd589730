/** The Fetch request for partitions of one topic, and its answer. */
import { apiKeys } from "../client/kafkajsInternals.ts"
import { failure } from "../client/failureOf.ts"
import type { Frame, Link } from "../client/Link.ts"
import { BytesReader } from "./BytesReader.ts"
import type { Aborted } from "./readRecordBatches.ts"

/** The last version without compact fields; Kafka 2.3. */
const apiVersion = 11

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

/** Reads committed records only, without a fetch session: each request lists all its partitions. */
export function fetchFrame(
  link: Link,
  topic: string,
  wanted: ReadonlyArray<FetchFrom>,
  { waitMs, bytesMax, partitionBytesMax }: FetchBounds
): Frame {
  const name = Buffer.from(topic)
  const frame = link.frame(apiKeys.Fetch, apiVersion, "Fetch", 45 + name.length + wanted.length * 28)
  const { bytes, bodyAt } = frame
  let at = bytes.writeInt32BE(-1, bodyAt)
  at = bytes.writeInt32BE(waitMs, at)
  at = bytes.writeInt32BE(1, at)
  at = bytes.writeInt32BE(bytesMax, at)
  at = bytes.writeInt8(1, at) // read committed
  at = bytes.writeInt32BE(0, at) // no session
  at = bytes.writeInt32BE(-1, at)
  at = bytes.writeInt32BE(1, at)
  at = bytes.writeInt16BE(name.length, at)
  at += name.copy(bytes, at)
  at = bytes.writeInt32BE(wanted.length, at)
  for (const { partition, position } of wanted) {
    at = bytes.writeInt32BE(partition, at)
    at = bytes.writeInt32BE(-1, at) // any leader epoch
    at = bytes.writeBigInt64BE(position, at)
    at = bytes.writeBigInt64BE(-1n, at)
    at = bytes.writeInt32BE(partitionBytesMax, at)
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

export function readFetchAnswer(payload: Buffer, where: string): FetchAnswer {
  try {
    const reader = new BytesReader(payload)
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
