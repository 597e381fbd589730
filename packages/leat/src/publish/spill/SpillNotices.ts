/**
 * Drops of a spill that no lane of this process announces: those of earlier processes, and those that a marker was to announce. They are told by
 * markers of their publishers, which are stored before what was dropped is settled.
 */
import { markerOf } from "../../record/CompactHeader.ts"
import { dropNotice, type DroppedRange, DroppedRanges, droppedHeader, rangesWithin } from "../../record/DropNotice.ts"
import type { PlainRecord } from "../../record/batchOf.ts"
import type { EventId } from "../../record/EventId.ts"
import type { Header } from "../../record/Headers.ts"

/** Bytes of a marker beside its notice, at most. */
const markerBytes = 64

/** What one publisher has to say of one stream. */
interface Carried {
  readonly marker: Header
  readonly dropped: DroppedRanges
}

export class SpillNotices {
  /** By partition, then by what stands in the header of the marker. */
  readonly #carried = new Map<number, Map<string, Carried>>()

  /** Drops that the marker is to announce. */
  add(partition: number, marker: Header, ranges: ReadonlyArray<DroppedRange>): void {
    if (ranges.length === 0) return
    const all = this.#carried.get(partition) ?? new Map<string, Carried>()
    this.#carried.set(partition, all)
    const name = Buffer.from(marker[1]).toString("hex")
    const carried = all.get(name) ?? { marker, dropped: new DroppedRanges() }
    all.set(name, carried)
    // They come in order: what is put in front of the others are the others.
    const before = carried.dropped.take()
    carried.dropped.putBack(ranges)
    carried.dropped.putBack(before)
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

  /** Nobody is told any more. */
  forget(partition: number): void {
    this.#carried.delete(partition)
  }
}

/** The marker of the publisher and the stream of an event. */
export function markerOfEvent({ incarnation, stream }: EventId): Header {
  return ["leat", markerOf(Buffer.from(incarnation.replaceAll("-", ""), "hex"), stream)]
}
