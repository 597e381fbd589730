/** The drops of one lane that no record has announced yet. Its next record carries them, so that a reader can tell a counted drop from a loss. */
import { dropNotice, type DroppedRange, DroppedRanges, droppedHeader, rangesWithin } from "../record/DropNotice.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Span } from "./Span.ts"

/** Bytes of a notice's header beside its text: name and two lengths. */
const noticeHeaderBytes = droppedHeader.length + 10

const none: ReadonlyArray<DroppedRange> = []

export class DropsToTell {
  /** Undefined until there is one: most lanes never drop anything. */
  #dropped: DroppedRanges | undefined

  get ranges(): ReadonlyArray<DroppedRange> {
    return this.#dropped?.all ?? none
  }

  /** They are another lane's to tell. */
  take(): ReadonlyArray<DroppedRange> {
    return this.#dropped?.take() ?? none
  }

  /** A record of the lane was dropped. */
  note(bucket: number, seq: number, reason: string): void {
    this.#dropped ??= new DroppedRanges()
    this.#dropped.add(bucket, seq, reason)
  }

  /** Records of a batch were given up, each but the markers, which nobody would miss. */
  noteRange(batch: RecordBatch, { from, to }: Span, reason: string): void {
    for (let index = from; index < to; index++)
      if (!batch.isMarker(index)) this.note(batch.bucket[index] ?? 0, batch.seq[index] ?? 0, reason)
  }

  /**
   * Puts what was dropped into the headers of the first record. What one has no room for it leaves to the next;
   * one that may be stored already is sent again as it was, so that a transport can know it again and no drop goes unsaid.
   */
  announce(batch: RecordBatch, span: Span, recordBytesMax: number): void {
    batch.withdrawNotice()
    if (span.mayBeStored) {
      // Another record of the batch may have had the notice since.
      if (span.said.length > 0) batch.notice(span.from, droppedHeader, span.notice)
      return
    }
    span.said = none
    const dropped = this.#dropped
    if (dropped === undefined || dropped.all.length === 0) return
    const room = recordBytesMax - batch.recordBytes(span.from) - noticeHeaderBytes
    const count = rangesWithin(dropped.all, room, span.saidMax)
    if (count === 0) return
    span.notice = dropNotice(dropped.all, count)
    batch.notice(span.from, droppedHeader, span.notice)
    span.said = dropped.take(count)
  }

  /** What a record was to announce and did not, or perhaps not, is for a later one to say. */
  takeBack(span: Span): void {
    this.putBack(span.said)
    span.said = none
  }

  /** Drops that an earlier record was to announce, or that were counted before there was a lane. */
  putBack(ranges: ReadonlyArray<DroppedRange>): void {
    if (ranges.length === 0) return
    this.#dropped ??= new DroppedRanges()
    this.#dropped.putBack(ranges)
  }
}
