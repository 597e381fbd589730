/**
 * What was pulled from a place of a stream that moves, and may not be given yet: a synchronous state machine. It gives the records of the range that may
 * be read, up to its end. A record that is not to be delivered is left out: the positions that are given have a gap there.
 */
import { fateOf, type Readable } from "../control/readable.ts"
import { epochIn } from "../record/CompactHeader.ts"
import { readMeta, saysOnlyEvent } from "../record/Wire.ts"
import type { Position, ReceivedBatch, ReceivedRecords } from "../transport/index.ts"
import type { LaneBatch } from "./ReadLane.ts"
import { recordsOf } from "../transport/ReceivedRecords.ts"

export class EpochLine {
  readonly #stream: string
  #batches: Array<ReceivedBatch> = []
  /** Of the first batch: the first record that was neither given nor left out. */
  #index = 0
  #position: Position
  /** The epoch of the record that it stands before, of which the control stream has not told yet. */
  newer: number | undefined

  /** `start`: the first position that comes. */
  constructor(stream: string, start: Position) {
    this.#stream = stream
    this.#position = start
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0
  }

  /** Behind all that was given. */
  get position(): Position {
    return this.#position
  }

  /** These were given as they came: nobody moves the stream. */
  passed(batches: ReadonlyArray<ReceivedBatch>): void {
    const last = batches.at(-1)
    if (last !== undefined) this.#position = last.next
  }

  received(batches: ReadonlyArray<ReceivedBatch>): void {
    this.#batches.push(...batches)
  }

  /**
   * What may be given now; undefined: nothing, before what is readable is another range. In the range of `firstEpoch`, where the stream lay before
   * anybody moved it, records of an epoch before that count as of it, as those that say none; in a later range they are of a mirror that was there before.
   */
  take(readable: Readable, firstEpoch: number): LaneBatch | undefined {
    const [batch] = this.#batches
    if (batch === undefined) return undefined
    try {
      return this.#taken(batch, recordsOf(batch), readable, firstEpoch)
    } catch {
      // A driver gives it against its type: whoever reads it is told so, and halts its lane.
      return this.#whole(batch)
    }
  }

  #taken(
    batch: ReceivedBatch,
    records: ReceivedRecords,
    readable: Readable,
    firstEpoch: number
  ): LaneBatch | undefined {
    const { from, end = Number.POSITIVE_INFINITY } = readable
    const first = records.contiguousFrom === undefined ? undefined : Number(records.contiguousFrom)
    const kept: Array<number> = []
    let stop: Position | undefined
    this.newer = undefined
    let at = this.#index
    for (; at < records.length && stop === undefined; at++) {
      const position = first === undefined ? Number(records.position(at)) : first + at
      if (position >= end) stop = BigInt(end)
      else if (position >= from) {
        const epoch = this.#epochOf(records, at)
        const isOlder = epoch === undefined || (epoch < firstEpoch && readable.epoch === firstEpoch)
        const fate = isOlder ? "deliver" : fateOf(readable, epoch)
        if (fate === "deliver") kept.push(at)
        else if (fate === "stand") {
          stop = BigInt(position)
          this.newer = epoch
        }
      }
    }
    if (stop !== undefined) return this.#cut(batch, kept, at - 1, stop)
    this.#whole(batch)
    return kept.length === records.length ? batch : partOf(batch, kept, batch.next)
  }

  /** Nothing of it stays here. */
  #whole(batch: ReceivedBatch): ReceivedBatch {
    this.#batches.shift()
    this.#index = 0
    this.#position = batch.next
    return batch
  }

  /** The rest of the batch, from `index` on, stays here. */
  #cut(batch: ReceivedBatch, kept: ReadonlyArray<number>, index: number, stop: Position): LaneBatch | undefined {
    this.#index = index
    if (stop <= this.#position) return undefined
    this.#position = stop
    return partOf(batch, kept, stop)
  }

  /** Undefined where it says none that counts here: a marker is of no epoch, and a topic may have records of other streams, which have epochs of their own. */
  #epochOf(records: ReceivedRecords, index: number): number | undefined {
    try {
      const headers = records.headers(index)
      const [one] = headers
      // Of most records nothing else has to be read.
      if (one !== undefined && saysOnlyEvent(headers, this.#stream)) return epochIn(one[1])
      const { epoch, isMarker, isOtherStream } = readMeta(headers, this.#stream)
      return isMarker || isOtherStream === true ? undefined : epoch
    } catch {
      // What cannot be read is given: whoever handles it halts there, and says why.
      return undefined
    }
  }
}

function partOf({ records, gap }: ReceivedBatch, kept: ReadonlyArray<number>, next: Position): LaneBatch {
  return { records: kept.flatMap((index) => records[index] ?? []), next, gap: gap ?? "otherEpoch" }
}
