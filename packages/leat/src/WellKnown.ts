/** The two well-known types that leat reads and writes itself, so that no descriptor code comes along for them. */
import * as codec from "./codec.ts"

/** Seconds and nanoseconds since 1970, as google.protobuf.Timestamp has them. */
export interface Timestamp {
  readonly seconds: bigint
  /** 0 to 999,999,999. */
  readonly nanos: number
}

/** Seconds and nanoseconds of the same sign, as google.protobuf.Duration has them. */
export type Duration = Timestamp

export function writeTimestamp(message: Timestamp, writer: codec.Writer): void {
  codec.writeInt64(writer, 8, message.seconds, "Timestamp.seconds", false)
  codec.writeInt32(writer, 16, message.nanos, "Timestamp.nanos", false)
}

export function readTimestamp(reader: codec.Reader, end: number, depth: number, into?: Timestamp): Timestamp {
  let seconds = into === undefined ? 0n : into.seconds
  let nanos = into === undefined ? 0 : into.nanos
  while (reader.pos < end) {
    const tag = codec.readTag(reader, end)
    if (tag === 8) seconds = codec.readInt64(reader, end)
    else if (tag === 16) nanos = codec.readInt32(reader, end)
    else codec.skipField(reader, tag, end, depth)
  }
  return { seconds, nanos }
}

export const writeDuration = writeTimestamp
export const readDuration = readTimestamp
