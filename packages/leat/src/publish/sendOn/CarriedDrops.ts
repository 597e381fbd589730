/**
 * Drops of a spill or a fallback that no lane of this process announces: those of other processes, and those that a marker was to announce. They
 * are told by markers of their publishers, which are stored before what was dropped is settled.
 */
import { markerOf, markerOwner } from "../../record/CompactHeader.ts"
import {
  dropNotice,
  type DroppedRange,
  DroppedRanges,
  droppedHeader,
  forgotten,
  noticeHasForgotten,
  rangesWithin
} from "../../record/DropNotice.ts"
import type { PlainRecord } from "../../record/batchOf.ts"
import type { EventId } from "../../record/EventId.ts"
import type { Header } from "../../record/Headers.ts"
import { readMeta } from "../../record/Wire.ts"
import type { ReceivedRecord } from "../../transport/index.ts"
import { reasonOf, type Unstored } from "./Ending.ts"

/** Bytes of a marker beside its notice, at most. */
const markerBytes = 64

/** What one publisher has to say of one stream. */
interface Carried {
  readonly marker: Header
  readonly dropped: DroppedRanges
}

export class CarriedDrops {
  /** By partition, then by what stands in the header of the marker. */
  readonly #carried = new Map<number, Map<string, Carried>>()
  /** The same of what the destination did not take: settled, and to be told when it takes markers again. */
  readonly #refused = new Map<number, Map<string, Carried>>()

  /**
   * A record ends otherwise than stored: that is to be told, and what it was to announce. `isTold`: whether a lane of this process will tell it of
   * the event, or nobody has to.
   */
  drop(
    partition: number,
    { headers }: Pick<ReceivedRecord, "headers">,
    how: Unstored,
    isTold: (id: EventId, ranges: ReadonlyArray<DroppedRange>) => boolean
  ): void {
    const { id, isMarker, dropped } = readMeta(headers, "")
    const notice = headers.find(([name]) => name === droppedHeader)?.[1]
    const said = notice !== undefined && noticeHasForgotten(notice) ? [...dropped, forgotten] : dropped
    const [marker] = isMarker ? headers : []
    if (marker !== undefined) this.add(partition, marker, said)
    if (id === undefined) return
    const { bucket, seq } = id
    const ranges = [...said, { bucket, from: seq, to: seq + 1, reason: reasonOf(how) }]
    if (!isTold(id, ranges)) this.add(partition, markerOfEvent(id), ranges)
  }

  /** Drops that the marker is to announce. */
  add(partition: number, marker: Header, ranges: ReadonlyArray<DroppedRange>): void {
    if (ranges.length === 0) return
    put(this.#carried, partition, marker, ranges)
  }

  /** The destination refuses what is carried. */
  refused(partition: number): void {
    for (const { marker, dropped } of this.#carried.get(partition)?.values() ?? [])
      put(this.#refused, partition, marker, dropped.take())
    this.#carried.delete(partition)
  }

  /** What was refused is carried again. */
  again(partition: number): void {
    for (const { marker, dropped } of this.#refused.get(partition)?.values() ?? [])
      put(this.#carried, partition, marker, dropped.take())
    this.#refused.delete(partition)
  }

  /** The next record that announces some of them, and what it announces is told once it is stored; undefined: nothing is left. */
  next(partition: number, recordBytesMax: number, timeMs: number) {
    for (const [name, { marker, dropped }] of this.#carried.get(partition) ?? []) {
      const count = Math.max(1, rangesWithin(dropped.all, recordBytesMax - markerBytes))
      const headers = [marker, [droppedHeader, dropNotice(dropped.all, count)]] as const
      const record: PlainRecord = { key: null, value: null, headers, timeMs }
      const told = () => {
        dropped.take(count)
        if (dropped.all.length === 0) this.#carried.get(partition)?.delete(name)
      }
      return { record, told }
    }
    return undefined
  }

  /** Whether there is something of which nobody was told yet. */
  isCarried(partition: number): boolean {
    return (this.#carried.get(partition)?.size ?? 0) > 0
  }

  /** Whether there is something that the destination did not take. */
  isRefused(partition: number): boolean {
    return (this.#refused.get(partition)?.size ?? 0) > 0
  }

  /** The partitions with something that the destination did not take. */
  get refusedIn(): ReadonlyArray<number> {
    return Array.from(this.#refused.keys()).filter((partition) => this.isRefused(partition))
  }

  /** Of what was refused, gives up what somebody else will tell: `isTold` says it of the publisher and the stream of a marker. */
  handOver(
    partition: number,
    isTold: (
      owner: { readonly incarnation: string; readonly tag: string },
      ranges: ReadonlyArray<DroppedRange>
    ) => boolean
  ): void {
    const all = this.#refused.get(partition)
    for (const [name, { marker, dropped }] of all ?? []) {
      const owner = markerOwner(marker[1])
      if (owner !== undefined && isTold(owner, dropped.all)) all?.delete(name)
    }
  }

  /** Nobody is told of what is carried any more. */
  forget(partition: number): void {
    this.#carried.delete(partition)
  }
}

function put(
  to: Map<number, Map<string, Carried>>,
  partition: number,
  marker: Header,
  ranges: ReadonlyArray<DroppedRange>
): void {
  const all = to.get(partition) ?? new Map<string, Carried>()
  to.set(partition, all)
  const name = Buffer.from(marker[1]).toString("hex")
  const carried = all.get(name) ?? { marker, dropped: new DroppedRanges() }
  all.set(name, carried)
  // They come in order: what is put in front of the others are the others.
  const before = carried.dropped.take()
  carried.dropped.putBack(ranges)
  carried.dropped.putBack(before)
}

/** The marker of the publisher and the stream of an event. */
export function markerOfEvent({ incarnation, stream }: EventId): Header {
  return ["leat", markerOf(Buffer.from(incarnation.replaceAll("-", ""), "hex"), stream)]
}
