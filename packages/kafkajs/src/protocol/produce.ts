/** The request that stores one batch in one partition, acknowledged by all in-sync replicas, and its answer. */
import { fateOfCode, kafkaCodes, nameOfCode, reasonOfCode } from "@leat/kafka"
import type { RecordColumns, Run } from "leat/transport"
import { failure } from "../client/failureOf.ts"
import { apiKeys } from "../client/kafkajsInternals.ts"
import type { Exchange, Frame, Link } from "../client/Link.ts"
import { BytesReader } from "./BytesReader.ts"
import { batchBytesMax, writeRecordBatch } from "./writeRecordBatch.ts"

/** The first version whose answer says which record a broker rejects, and why; Kafka 2.4. */
const apiVersion = 8

export interface Place {
  readonly topic: string
  readonly partition: number
}

/** A frame for `Link.exchange`. */
export function produceFrame(
  link: Link,
  { topic, partition }: Place,
  columns: RecordColumns,
  nowMs: number,
  withinMs: number
): Frame {
  const name = Buffer.from(topic)
  const frame = link.frame(apiKeys.Produce, apiVersion, "Produce", 32 + name.length + batchBytesMax(columns))
  const { bytes, bodyAt } = frame
  bytes.writeInt16BE(-1, bodyAt) // no transaction
  bytes.writeInt16BE(-1, bodyAt + 2) // all in-sync replicas
  bytes.writeInt32BE(withinMs, bodyAt + 4)
  bytes.writeInt32BE(1, bodyAt + 8)
  bytes.writeInt16BE(name.length, bodyAt + 12)
  name.copy(bytes, bodyAt + 14)
  const partitionAt = bodyAt + 14 + name.length
  bytes.writeInt32BE(1, partitionAt)
  bytes.writeInt32BE(partition, partitionAt + 4)
  const batchAt = partitionAt + 12
  const end = writeRecordBatch(bytes, batchAt, columns, nowMs)
  bytes.writeInt32BE(end - batchAt, partitionAt + 8)
  return { ...frame, bytes: bytes.subarray(0, end) }
}

/** What became of the records, and whether another broker leads the partition by now. */
export interface Produced {
  readonly run: Omit<Run, "from" | "to">
  readonly hasMoved: boolean
  /** How long the broker asks to send nothing more, in milliseconds. */
  readonly throttleMs: number
}

/** Stored is only what the broker says of exactly this partition, with a position. */
export function producedBy(exchange: Exchange, { topic, partition }: Place): Produced {
  if ("error" in exchange) {
    const { error, wasWritten } = exchange
    return { run: { fate: wasWritten ? "unknown" : "notStored", error }, hasMoved: true, throttleMs: 0 }
  }
  const where = `${topic}/${partition}`
  const unclear = (detail: string, cause?: unknown): Produced => {
    const error = failure("Unknown", "send", `${where}: ${detail}`, cause)
    return { run: { fate: "unknown", error }, hasMoved: true, throttleMs: 0 }
  }
  try {
    const { answers, throttleMs } = readAnswer(exchange.payload)
    const [answer] = answers
    if (answer === undefined || answers.length !== 1 || answer.topic !== topic || answer.partition !== partition)
      return unclear("the broker answered of other partitions than was asked")
    const { code, base, detail } = answer
    const fate = fateOfCode(code)
    if (code === 0)
      return base < 0n
        ? unclear(`the broker says stored, at position ${base}`)
        : { run: { fate, base }, hasMoved: false, throttleMs }
    const said = `${where}: the broker says ${nameOfCode(code)}${detail === null ? "" : `: ${detail}`}`
    return { run: { fate, error: failure(reasonOfCode(code), "send", said) }, hasMoved: movesOn(code), throttleMs }
  } catch (error) {
    return unclear("the answer cannot be read", error)
  }
}

const notMoved: ReadonlySet<number> = new Set([
  kafkaCodes.REQUEST_TIMED_OUT,
  kafkaCodes.MESSAGE_TOO_LARGE,
  kafkaCodes.RECORD_LIST_TOO_LARGE,
  kafkaCodes.NOT_ENOUGH_REPLICAS,
  kafkaCodes.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  kafkaCodes.TOPIC_AUTHORIZATION_FAILED,
  kafkaCodes.INVALID_TIMESTAMP,
  kafkaCodes.UNSUPPORTED_FOR_MESSAGE_FORMAT,
  kafkaCodes.INVALID_RECORD,
  kafkaCodes.THROTTLING_QUOTA_EXCEEDED
])
const movesOn = (code: number): boolean => !notMoved.has(code)

interface Answer {
  readonly topic: string | null
  readonly partition: number
  readonly code: number
  readonly base: bigint
  readonly detail: string | null
}

function readAnswer(payload: Buffer): { readonly answers: ReadonlyArray<Answer>; readonly throttleMs: number } {
  const reader = new BytesReader(payload)
  const answers = reader
    .array(() => {
      const topic = reader.string()
      return reader.array((): Answer => {
        const partition = reader.int32()
        const code = reader.int16()
        const base = reader.int64()
        reader.int64() // time of append
        reader.int64() // first position that is kept
        const records = reader.array(() => ({ index: reader.int32(), why: reader.string() }))
        const said = reader.string()
        const [first] = records
        const detail = first === undefined ? said : `record ${first.index}: ${first.why ?? said ?? "no reason given"}`
        return { topic, partition, code, base, detail }
      })
    })
    .flat()
  return { answers, throttleMs: reader.int32() }
}
