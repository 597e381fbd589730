/**
 * What the lanes of one leg hold becomes another leg's: the stream has moved, and these lanes have not sent it in time. The same events, dressed for
 * the other place: its wire, its epoch, its partitions. Who waits for them waits on, attempts count anew, and drops that were to be announced are
 * announced there. Its buffer takes all of it, however full it is.
 *
 * In front of what was offered there since, events keep their order: these lanes were offered to before. That is sound because lanes behind a gate have
 * sent nothing. Back again, when a move is called off, what was gated goes behind.
 *
 * @example
 * ```ts
 * old.lanes.gate(true)
 * yield* settled(old)
 * const { refused } = moveOver({ from: old, to: next, isInFront: true, isAbandoned: false })
 * ```
 */
import { ContextHeaders } from "../record/ContextHeaders.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { carriedOf } from "../record/redress.ts"
import type { Outlet } from "./Destinations.ts"
import type { IsStored } from "./LaneQueue.ts"
import { isUnsettled, type LanesOfSink } from "./leaving.ts"
import type { Span } from "./Span.ts"

export interface Move {
  /** Gated. */
  readonly from: LanesOfSink
  /** How records are dressed there. */
  readonly to: LanesOfSink & Pick<Outlet, "wire" | "partitions">
  /** Whether it goes in front of what is there, which is gated and was never sent; else behind it. */
  readonly isInFront: boolean
  /** Whether what is on its way, in doubt, or on its way to the dead letters goes too, perhaps twice: nobody asks its old place any more. */
  readonly isAbandoned: boolean
  /**
   * Of an event that may be stored: whether it is, as somebody has read after the fence. Absent: nobody has read, and all of these move, perhaps a
   * second time.
   */
  readonly isStored?: IsStored
}

/** What has moved, in events; or why nothing has, in one sentence. */
export type Moved =
  | { readonly events: number; readonly refused?: undefined }
  | { readonly events: 0; readonly refused: string }

export function moveOver(move: Move): Moved {
  const refused = refusalOf(move)
  if (refused !== undefined) return { events: 0, refused }
  const { from, to, isInFront, isStored } = move
  const moving = new Moving(to, isStored === undefined)
  const drops = from.lanes.moveOut(isStored ?? nothingStored, (batch, span) => moving.take(batch, span))
  const events = moving.end(isInFront)
  to.lanes.announce(drops)
  return { events }
}

function nothingStored(): boolean {
  return false
}

function refusalOf({ from, to, isInFront, isAbandoned }: Move): string | undefined {
  if (from.lanes === to.lanes) return "the lanes are the same"
  if (!from.lanes.isGated) return "the lanes that are to be left still send"
  if (to.sink.isClosing) return `${to.sink.leg.sink} is closing, and takes nothing more`
  if (!isAbandoned && isUnsettled(from)) return "something is on its way, or in doubt"
  if (!isInFront) return undefined
  // What was sent may be stored: nothing that is older may come behind it.
  if (!to.lanes.isGated || !to.lanes.all.every((lane) => lane.isUnsent))
    return "the lanes that take it have sent already"
  return undefined
}

/** Records on their way from lane to lane, in batches of the sink that takes them. */
class Moving {
  readonly #to: Move["to"]
  readonly #isInDoubt: boolean
  /** By partition, in order. */
  readonly #batches = new Map<number, Array<RecordBatch>>()
  readonly #carried = new ContextHeaders()
  readonly #timeMs = new Float64Array(1)

  /** `isInDoubt`: whether what may be stored may still be when it has moved. */
  constructor(to: Move["to"], isInDoubt: boolean) {
    this.#to = to
    this.#isInDoubt = isInDoubt
  }

  /** A record that only announces drops is left: another one announces them. */
  take(batch: RecordBatch, { from, to, mayBeStored }: Span): void {
    const isDoubtful = batch.isDoubtful || (mayBeStored && this.#isInDoubt)
    for (let index = from; index < to; index++) if (!batch.isMarker(index)) this.#write(batch, index, isDoubtful)
  }

  /** They stand in their lanes. Returns how many there are. */
  end(isInFront: boolean): number {
    let events = 0
    for (const [partition, batches] of this.#batches) {
      for (const { count } of batches) events += count
      this.#to.lanes.moveIn(partition, batches, isInFront)
    }
    return events
  }

  #write(from: RecordBatch, index: number, isDoubtful: boolean): void {
    const { wire, partitions } = this.#to
    const bucket = from.bucket[index] ?? 0
    const seq = from.seq[index] ?? 0
    const key = from.key(index)
    const value = from.value(index)
    this.#timeMs[0] = carriedOf(from.headersBlock(index), this.#carried)
    const keyBytes = key?.length ?? 0
    const bytes = keyBytes + wire.size(bucket, seq, this.#carried) + (value?.length ?? 0)
    const batch = this.#room(bucket % partitions, bytes, isDoubtful)
    batch.place(bucket, seq, this.#timeMs)
    if (key !== null) batch.arena.set(key, batch.bytes)
    const headersAt = batch.bytes + keyBytes
    const valueAt = wire.write(batch, headersAt, this.#carried)
    if (value !== null) batch.arena.set(value, valueAt)
    const end = valueAt + (value?.length ?? 0)
    batch.commit(key !== null, headersAt, valueAt, end, value === null ? "tombstone" : "event")
    // The time of the event may lie ahead of that with which a broker takes its record: see `WriteLane.resume`.
    batch.time[batch.count - 1] = from.timeMs(index)
    batch.follow(from, index)
  }

  /** The batch that takes the next record of a partition. Those that may be stored elsewhere have batches of their own. */
  #room(partition: number, bytes: number, isDoubtful: boolean): RecordBatch {
    const { buffer, rules } = this.#to.sink
    let batches = this.#batches.get(partition)
    if (batches === undefined) this.#batches.set(partition, (batches = []))
    const last = batches.at(-1)
    const isFull =
      last === undefined ||
      last.isDoubtful !== isDoubtful ||
      last.count >= rules.batchRecords ||
      last.bytes + bytes > rules.batchBytes
    if (!isFull) {
      if (last.room < bytes) buffer.growAnyway(last, bytes)
      return last
    }
    const batch = buffer.takeAnyway(bytes)
    batch.isDoubtful = isDoubtful
    batches.push(batch)
    return batch
  }
}
