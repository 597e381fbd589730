import type { PlainRecord } from "leat/transport"
import {
  type ExactJson,
  type ExactObject,
  isExactObject,
  JsonNumber,
  parseExactJson,
  plainJson
} from "./json/ExactJson.ts"

/** A whole record, as `events tail --format jsonl` wrote it. */
export interface RecordLine {
  readonly kind: "record"
  readonly topic: string
  /** Of the topic, where the line tells it. */
  readonly partitions: number | undefined
  readonly compacted: boolean
  readonly partition: number
  readonly record: PlainRecord
}

/** An event in protobuf's JSON, or `{ "event": … }` around it: which of the two, the contract tells. */
export interface EventJson {
  readonly kind: "event"
  readonly json: ExactObject
}

type Fields = Readonly<Record<string, unknown>>

/** Longest name of a topic that the log takes, in bytes of UTF-8. */
const topicBytesMax = 512

const partitionsMax = 10_000

/** What a Date holds. */
const timeMsMax = 8.64e15

/** Reads one line; throws what is wrong with it. */
export function parseLine(text: string): RecordLine | EventJson {
  const value = parseJson(text)
  if (!isExactObject(value)) throw new Error(`it is ${describe(value)}; write one JSON object a line`)
  if (!isWellFormed(value)) throw new Error("it has half of a surrogate pair, which UTF-8 cannot hold")
  if (value.has("rawValue") && value.has("partition")) return recordLine(plainJson(value) as Fields)
  return { kind: "event", json: value }
}

function parseJson(text: string): ExactJson {
  try {
    return parseExactJson(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new Error(`it is no JSON: ${error.message}`, { cause: error })
  }
}

function recordLine(line: Fields): RecordLine {
  const { topic, partitions, compacted, timeMs, headers } = line
  if (typeof topic !== "string" || topic === "") throw wrong("topic", "the name of a topic")
  if (Buffer.byteLength(topic) > topicBytesMax || topic.includes("\0"))
    throw wrong("topic", `a name of at most ${topicBytesMax} bytes without NUL, which the log takes`)
  if (partitions !== undefined && !isWhole(partitions, 1, partitionsMax))
    throw wrong("partitions", `a number from 1 to ${partitionsMax}`)
  if (!isWhole(line["partition"], 0, partitionsMax)) throw wrong("partition", "the number of a partition")
  if (typeof timeMs !== "number" || !(Math.abs(timeMs) <= timeMsMax)) throw wrong("timeMs", "epoch milliseconds")
  if (!Array.isArray(headers)) throw wrong("headers", 'a list of ["name", "base64"]')
  const key = bytesOf(line["rawKey"], "rawKey")
  const value = bytesOf(line["rawValue"], "rawValue")
  const record = { key, value, headers: headers.map(headerOf), timeMs }
  return { kind: "record", topic, partitions, compacted: compacted === true, partition: line["partition"], record }
}

function headerOf(header: unknown): readonly [string, Uint8Array] {
  const [name, value] = Array.isArray(header) ? (header as ReadonlyArray<unknown>) : []
  const bytes = value === null ? null : bytesOf(value, "headers")
  if (typeof name !== "string" || bytes === null) throw wrong("headers", 'a list of ["name", "base64"]')
  return [name, bytes]
}

function bytesOf(value: unknown, name: string): Uint8Array | null {
  if (value === null) return null
  if (typeof value !== "string" || !/^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(value))
    throw wrong(name, "bytes in base64, or null")
  return Buffer.from(value, "base64")
}

function wrong(name: string, wanted: string): Error {
  return new Error(`its ${name} must be ${wanted}`)
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
}

function isWellFormed(value: ExactJson): boolean {
  if (typeof value === "string") return value.isWellFormed()
  if (Array.isArray(value)) return value.every((held: ExactJson) => isWellFormed(held))
  if (!isExactObject(value)) return true
  return [...value].every(([name, held]) => name.isWellFormed() && isWellFormed(held))
}

function describe(value: ExactJson): string {
  if (value === null) return "null"
  if (value instanceof JsonNumber) return "a number"
  return Array.isArray(value) ? "an array" : `a ${typeof value}`
}
