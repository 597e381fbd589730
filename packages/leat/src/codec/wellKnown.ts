/** The two well-known types that leat reads and writes itself, so that no descriptor code comes along for them. */
import type { Reader, Writer } from "protobufjs/minimal.js"
import { checkDuration, checkTimestamp } from "./exact.ts"
import { readInt32, readInt64, readTag } from "./readFields.ts"
import { skipField } from "./skipField.ts"
import { writeInt32, writeInt64 } from "./writeFields.ts"

/** Seconds and nanoseconds since 1970, as google.protobuf.Timestamp has them; in the years 1 to 9999. */
export interface Timestamp {
  readonly seconds: bigint
  /** 0 to 999,999,999. */
  readonly nanos: number
}

/** Seconds and nanoseconds of the same sign, as google.protobuf.Duration has them; at most 10,000 years. */
export type Duration = Timestamp

/** Writes the fields of a Timestamp; one that has no JSON in any language is refused. */
export function writeTimestamp(message: Timestamp, writer: Writer): void {
  const { seconds, nanos } = message
  writeInt64(writer, 8, seconds, "Timestamp.seconds", false)
  writeInt32(writer, 16, nanos, "Timestamp.nanos", false)
  checkTimestamp(seconds, nanos, "Timestamp")
}

/** Writes the fields of a Duration; one that has no JSON in any language is refused. */
export function writeDuration(message: Duration, writer: Writer): void {
  const { seconds, nanos } = message
  writeInt64(writer, 8, seconds, "Duration.seconds", false)
  writeInt32(writer, 16, nanos, "Duration.nanos", false)
  checkDuration(seconds, nanos, "Duration")
}

/** Reads the fields of a Timestamp up to `end`, over those of earlier occurrences. What others wrote is given as it is, in range or not. */
export function readTimestamp(reader: Reader, end: number, depth: number, into?: Timestamp): Timestamp {
  let seconds = into === undefined ? 0n : into.seconds
  let nanos = into === undefined ? 0 : into.nanos
  while (reader.pos < end) {
    const tag = readTag(reader, end)
    if (tag === 8) seconds = readInt64(reader, end)
    else if (tag === 16) nanos = readInt32(reader, end)
    else skipField(reader, tag, end, depth)
  }
  return { seconds, nanos }
}

/** Reads the fields of a Duration, which are those of a Timestamp. */
export const readDuration = readTimestamp
