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

/** Records of a batch: [from, to). */
export interface SentRange {
  readonly from: number
  readonly to: number
}

/** The fate of the records, and whether the leader has moved. */
export interface Produced {
  readonly runs: ReadonlyArray<Run>
  readonly hasMoved: boolean
  /** How long the broker asks us to send nothing, in milliseconds. */
  readonly throttleMs: number
}

/** Records count as stored only if the answer has this partition, with an offset. */
export function producedBy(exchange: Exchange, { topic, partition }: Place, { from, to }: SentRange): Produced {
  if ("error" in exchange) {
    const { error, wasWritten } = exchange
    return { runs: [{ from, to, fate: wasWritten ? "unknown" : "notStored", error }], hasMoved: true, throttleMs: 0 }
  }
  const where = `${topic}/${partition}`
  const unclear = (detail: string, cause?: unknown): Produced => {
    const error = failure("Unknown", "send", `${where}: ${detail}`, cause)
    return { runs: [{ from, to, fate: "unknown", error }], hasMoved: true, throttleMs: 0 }
  }
  try {
    const { answers, throttleMs } = readAnswer(exchange.payload)
    const [answer] = answers
    if (answer === undefined || answers.length !== 1 || answer.topic !== topic || answer.partition !== partition)
      return unclear("the broker answered of other partitions than was asked")
    const { code, base } = answer
    if (code !== 0) return { runs: failedRuns(answer, where, { from, to }), hasMoved: movesOn(code), throttleMs }
    if (base < 0n) return unclear(`the broker says stored, at position ${base}`)
    return { runs: [{ from, to, fate: fateOfCode(code), base }], hasMoved: false, throttleMs }
  } catch (error) {
    return unclear("the answer cannot be read", error)
  }
}

/** A broker rejects a batch as a whole and names the faulty records; the others have no error of their own. */
function failedRuns({ code, detail, refused }: Answer, where: string, { from, to }: SentRange): ReadonlyArray<Run> {
  const fate = fateOfCode(code)
  const errorOf = (why: string | null) => {
    const said = `${where}: the broker says ${nameOfCode(code)}${why === null ? "" : `: ${why}`}`
    return failure(reasonOfCode(code), "send", said)
  }
  const own = refused
    .map(({ index, why }) => ({ at: from + index, why }))
    .filter(({ at }) => at >= from && at < to)
    .toSorted((left, right) => left.at - right.at)
  if (fate !== "notStored" || own.length === 0) return [{ from, to, fate, error: errorOf(detail) }]
  const runs: Array<Run> = []
  let next = from
  for (const { at, why } of own) {
    const last = runs.at(-1)
    if (at > next || last?.error === undefined) {
      if (at > next) runs.push({ from: next, to: at, fate })
      runs.push({ from: at, to: at + 1, fate, error: errorOf(why ?? detail) })
    }
    // Neighbours are one run: the policy tries them again together.
    else runs[runs.length - 1] = { ...last, to: at + 1 }
    next = at + 1
  }
  if (next < to) runs.push({ from: next, to, fate })
  return runs
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
  /** The faulty records of a rejected batch. */
  readonly refused: ReadonlyArray<{ readonly index: number; readonly why: string | null }>
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
        const refused = reader.array(() => ({ index: reader.int32(), why: reader.string() }))
        return { topic, partition, code, base, detail: reader.string(), refused }
      })
    })
    .flat()
  return { answers, throttleMs: reader.int32() }
}
