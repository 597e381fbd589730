/**
 * What this process has carried out of spills to where its stream is. A record that stands behind one of another stream cannot be settled before that
 * is sent, and is read again with each look. By id, and not by where it stands: a disk may be made anew, and an id never is.
 */
import type { EventId } from "../record/EventId.ts"
import { readMeta } from "../record/Wire.ts"
import type { ReceivedRecord } from "../transport/index.ts"

/** Sequences [from, to). */
interface Range {
  from: number
  to: number
}

export class CarriedRecords {
  /** By incarnation, stream and bucket: disjoint, in rising order, with a gap between two of them. */
  readonly #events = new Map<string, Array<Range>>()
  /** By what they say. There are few: who drops events writes one when it closes. */
  readonly #markers = new Set<string>()

  hasCarried(record: ReceivedRecord): boolean {
    const { id, isMarker } = readMeta(record.headers, "")
    if (isMarker) return this.#markers.has(markerText(record))
    return id !== undefined && this.has(id)
  }

  has(id: EventId): boolean {
    const ranges = this.#events.get(bucketText(id)) ?? []
    return isWithin(ranges[lastFrom(ranges, id.seq)], id.seq)
  }

  get isEmpty(): boolean {
    return this.#events.size + this.#markers.size === 0
  }

  /** All of others; gives how many events of these were not there. */
  addAll(others: CarriedRecords): number {
    let count = 0
    for (const marker of others.#markers) this.#markers.add(marker)
    for (const [key, ranges] of others.#events)
      for (const { from, to } of ranges) for (let seq = from; seq < to; seq++) if (this.#add(key, seq)) count++
    return count
  }

  /** An event; false: it was there. */
  add(id: EventId): boolean {
    return this.#add(bucketText(id), id.seq)
  }

  #add(key: string, seq: number): boolean {
    const ranges = this.#events.get(key) ?? []
    this.#events.set(key, ranges)
    const at = lastFrom(ranges, seq)
    const before = ranges[at]
    if (isWithin(before, seq)) return false
    const after = ranges[at + 1]
    if (before?.to === seq) before.to = after?.from === seq + 1 ? after.to : seq + 1
    else if (after?.from === seq + 1) after.from = seq
    else ranges.splice(at + 1, 0, { from: seq, to: seq + 1 })
    if (after !== undefined && before?.to === after.to) ranges.splice(at + 1, 1)
    return true
  }

  addMarker(record: ReceivedRecord): void {
    this.#markers.add(markerText(record))
  }
}

const bucketText = ({ incarnation, stream, bucket }: EventId) => `${incarnation} ${bucket} ${stream}`

const isWithin = (range: Range | undefined, seq: number) => range !== undefined && range.from <= seq && seq < range.to

/** Index of the last range that begins at a sequence or before it; -1: none does. */
function lastFrom(ranges: ReadonlyArray<Range>, seq: number): number {
  let low = 0
  for (let high = ranges.length; low < high;) {
    const middle = (low + high) >> 1
    if ((ranges[middle]?.from ?? 0) > seq) high = middle
    else low = middle + 1
  }
  return low - 1
}

const markerText = ({ headers }: ReceivedRecord) =>
  JSON.stringify(headers.map(([name, value]) => [name, Buffer.from(value).toString("latin1")]))
