/** The events of a stored range, batch by batch: each record that is one, each that cannot be read as one, and what is not there any more. */
import { type ReadFrom, RecordInfo } from "./DeliveryInfo.ts"
import { readEvent } from "./readEvent.ts"
import { NoEvent } from "./SourceOptions.ts"
import type { StoredEvent, StoredGap, StoredParts, StoredRange } from "./storedRanges.ts"
import { isOfEpoch } from "../record/isOfEpoch.ts"
import { readMeta } from "../record/Wire.ts"
import { recordsOf } from "../transport/ReceivedRecords.ts"
import type { Position, ReceivedBatch, ReceivedRecords } from "../transport/index.ts"

/** Why nothing is there, as a person says it. What compaction has superseded, and marks of transactions, are no loss. */
const reasons: Readonly<Record<StoredGap["reason"], string>> = {
  expired: "retention has deleted them",
  corrupt: "what is stored there does not verify"
}

export class StoredEvents<T> {
  readonly #parts: StoredParts<T>
  readonly #range: StoredRange
  readonly #from: ReadFrom
  /** First epoch of a stream that is placed. */
  readonly #firstEpoch: number | undefined
  /** Position behind all that came. */
  #next: Position

  constructor(parts: StoredParts<T>, range: StoredRange) {
    this.#parts = parts
    this.#range = range
    const { stream, isKeyPersonal, whereabouts } = parts
    const { cluster, topic, partition } = range
    this.#from = { cluster, topic, stream, partition, isKeyPersonal }
    this.#firstEpoch = whereabouts?.placement()?.epochs[0]?.epoch
    this.#next = range.from
  }

  /** Those of the next batch. */
  of(batch: ReceivedBatch): ReadonlyArray<StoredEvent<T>> {
    const records = recordsOf(batch)
    const found: Array<StoredEvent<T>> = []
    for (let index = 0; index < records.length; index++) {
      // Where positions rise by one only the first can stand behind a gap.
      if (index === 0 || records.contiguousFrom === undefined) {
        const position = records.position(index)
        this.#passOver(position, batch.gap, found)
        this.#next = position + 1n
      }
      this.#read(records, index, found)
    }
    const first = records.contiguousFrom
    if (first !== undefined && records.length > 0) this.#next = first + BigInt(records.length)
    this.#passOver(batch.next, batch.gap, found)
    return found
  }

  #read(records: ReceivedRecords, index: number, found: Array<StoredEvent<T>>): void {
    const { stream, type, decode } = this.#parts
    const firstEpoch = this.#firstEpoch
    const isPlain = firstEpoch === undefined && records.isPlainEvent(index, stream)
    const meta = isPlain ? undefined : readMeta(records.headers(index), stream)
    if (firstEpoch !== undefined && !isOfEpoch(this.#range.epoch, firstEpoch, meta?.epoch)) return
    const event = readEvent({ stream, type, decode }, meta, records, index)
    const info = new RecordInfo(records, index, this.#from, meta)
    if (!(event instanceof NoEvent)) found.push({ event, info })
    else if (event.failure === undefined) found.push({ event: undefined, info })
    else if ("tag" in event.failure)
      found.push({ event: undefined, fault: event.failure.detail ?? event.failure.tag, info })
  }

  /** Nothing stands between what came and a position. */
  #passOver(position: Position, reason: ReceivedBatch["gap"], found: Array<StoredEvent<T>>): void {
    const from = this.#next
    const to = position < this.#range.to ? position : this.#range.to
    if (from >= to) return
    this.#next = to
    if (reason === "expired" || reason === "corrupt") found.push(this.#missing({ reason, from, to }))
  }

  #missing(gap: StoredGap): StoredEvent<T> {
    const { topic, partition } = this.#range
    const count = gap.to - gap.from
    const which = count === 1n ? `one position of partition` : `${count} positions of partition`
    const begin = count === 1n ? `${gap.from}` : `from ${gap.from} on`
    const fault = `nothing can be read at ${which} ${partition} of topic ${topic}, ${begin}: ${reasons[gap.reason]}`
    const none = { position: gap.from, key: null, value: null, headers: [], timeMs: Number.NaN }
    const records = recordsOf({ records: [none], next: gap.to })
    return { event: undefined, fault, gap, info: new RecordInfo(records, 0, this.#from, undefined) }
  }
}
