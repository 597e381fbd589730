/** The event of a record, or why it is none. */
import type { ReceivedRecords } from "../transport/index.ts"
import { readMeta, type RecordMeta } from "../record/Wire.ts"
import { NoEvent, type SourceOptions } from "./SourceOptions.ts"

type Reading<T> = Pick<SourceOptions<T>, "stream" | "type" | "decode">

const control = new NoEvent({ skip: "control" })
const otherStream = new NoEvent({ skip: "otherStream" })
const otherType = new NoEvent({ skip: "otherType" })

/** `meta`: what the record says of itself; undefined where it says only that it is an event of the stream. */
export function readEvent<T>(
  { type, decode }: Reading<T>,
  meta: RecordMeta | undefined,
  records: ReceivedRecords,
  index: number
): T | NoEvent {
  if (meta === undefined) return decode(records.value(index))
  if (meta.isMarker) return control
  if (meta.isOtherStream === true) return otherStream
  return meta.type !== undefined && meta.type !== type ? otherType : decode(records.value(index))
}

/** Whether a record can be decoded; undefined where it is no event of the stream. */
export function canDecode<T>(reading: Reading<T>): (records: ReceivedRecords, index: number) => boolean | undefined {
  const { stream } = reading
  return (records, index) => {
    const meta = records.isPlainEvent(index, stream) ? undefined : readMeta(records.headers(index), stream)
    const event = readEvent(reading, meta, records, index)
    if (!(event instanceof NoEvent)) return true
    return event.failure !== undefined && "tag" in event.failure ? false : undefined
  }
}
