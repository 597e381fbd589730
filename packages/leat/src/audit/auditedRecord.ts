/** What an audit needs of a record: whose it is, which event, and which drops it announces. */
import { markerOwner, taggedStream } from "../record/CompactHeader.ts"
import { type DroppedRange, droppedHeader, noticeHasForgotten, noticeIsCut } from "../record/DropNotice.ts"
import type { EventId } from "../record/EventId.ts"
import type { Header } from "../record/Headers.ts"
import { readMeta } from "../record/Wire.ts"

export interface AuditedRecord {
  /** Of the publisher. */
  readonly incarnation: string
  /** What stands for the stream's name in every wire. */
  readonly tag: string
  /** Absent: the record only announces drops. */
  readonly id?: EventId
  readonly dropped: ReadonlyArray<DroppedRange>
  /** Whether the notice had no room for all drops there were. */
  readonly isNoticeCut: boolean
  /** Whether there were drops that no notice lists. */
  readonly hasForgotten: boolean
  /** Whether somebody has put the event there once more, or for the first time, from a dead letter. */
  readonly isReplay: boolean
  /** That it was written in; absent where nobody has said one. */
  readonly epoch: number | undefined
}

/** Reads it; undefined for what leat has not written. */
export function auditedRecord(headers: ReadonlyArray<Header>): AuditedRecord | undefined {
  const { id, dropped, isMarker, replays, epoch } = readMeta(headers, "")
  const notice = headers.find(([name]) => name === droppedHeader)?.[1]
  const said = {
    dropped,
    isNoticeCut: notice !== undefined && noticeIsCut(notice),
    hasForgotten: notice !== undefined && noticeHasForgotten(notice),
    isReplay: replays !== undefined,
    epoch
  }
  if (id !== undefined) {
    const tag = id.stream.startsWith("#") ? id.stream : taggedStream(id.stream)
    return { incarnation: id.incarnation, tag, id: { ...id, stream: tag }, ...said }
  }
  const owner = isMarker ? markerOwner(headers.find(([name]) => name === "leat")?.[1]) : undefined
  return owner === undefined ? undefined : { ...owner, ...said }
}
