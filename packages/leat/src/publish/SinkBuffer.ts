/**
 * The buffer of one sink: its budget of bytes, the batches that hold records, and what is dropped for others when it is full. What a batch is
 * and when it is sent is the lanes' and the pump's.
 */
import { Buffer } from "node:buffer"
import { writeHeader, writeLength } from "../record/Headers.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { markerHeader, type WireIdentity } from "../record/WireWriter.ts"
import type { Leg } from "../routes/Route.ts"
import { ArenaBudget, type ArenaPool } from "./ArenaPool.ts"
import { Backlog } from "./Backlog.ts"
import type { BufferBound } from "./BufferBound.ts"
import type { Queued } from "./Span.ts"

/** What of a leg is for its buffer. */
export type BufferRules = Pick<Leg, "bufferBytesMax" | "batchBytes" | "overflow">

/** Whose drops a record announces. */
type MarkedLane = Pick<WireIdentity, "incarnation" | "stream">

/** Bytes that such a record needs at most. */
const markerBytes = 64

export class SinkBuffer {
  readonly #budget: ArenaBudget
  readonly #backlog = new Backlog()
  readonly #bound: BufferBound | undefined
  #rules: BufferRules

  /** `freed` is called when other sinks have given room back that was wanted here. */
  constructor(pool: ArenaPool, rules: BufferRules, freed: () => void) {
    this.#rules = rules
    this.#bound = pool.bound
    this.#budget = new ArenaBudget(pool, rules.bufferBytesMax, freed)
  }

  /** Takes other rules over. What is buffered stays; a smaller budget only lets nothing more in. */
  configure(rules: BufferRules): void {
    this.#rules = rules
    this.#budget.resize(rules.bufferBytesMax)
  }

  /** The sink has closed. */
  close(): void {
    this.#budget.close()
  }

  /** Bytes of the arenas that hold records. */
  get usedBytes(): number {
    return this.#budget.usedBytes
  }

  /** Bytes that it holds at most. */
  get bytesMax(): number {
    return this.#budget.bytesMax
  }

  /** Of the bound over all buffers, what is its own, in bytes; undefined where there is none. */
  get shareBytes(): number | undefined {
    return this.#bound === undefined ? undefined : this.#budget.shareBytes
  }

  /** The bound over all buffers, in bytes, where that was why the last record had no room; undefined when the buffer itself was full. */
  get fullBytesMax(): number | undefined {
    return this.#budget.lacksShared ? this.#bound?.bytesMax : undefined
  }

  /** Whether `grow` or `take` would give a batch to a lane with this open one. Changes nothing. */
  hasRoom(open: RecordBatch | undefined, bytes: number): boolean {
    if (open !== undefined && open.room >= bytes) return true
    if (open !== undefined && this.#mayGrow(open, bytes) && this.#budget.hasRoomToGrow(open, bytes)) return true
    if (this.#budget.hasRoom(bytes)) return true
    return this.#rules.overflow === "dropOldest" && this.#wouldFit(bytes)
  }

  /** Makes the open batch larger, so that it takes `bytes` more; returns false when another batch has to. */
  grow(open: RecordBatch, bytes: number): boolean {
    return this.#mayGrow(open, bytes) && this.#grow(open, bytes)
  }

  /**
   * A batch that is `begun` then; undefined when there is no room. Where an event was told that there is (`isPromised`), its other legs may have
   * taken it meanwhile, of the bound over all buffers: it has the room all the same.
   */
  take(bytes: number, expectedBytes: number, isPromised: boolean): RecordBatch | undefined {
    const wanted = Math.min(Math.max(bytes, expectedBytes), Math.max(bytes, this.#rules.batchBytes))
    let batch = this.#budget.take(bytes, wanted)
    // Nothing is dropped for what does not fit all the same.
    if (batch === undefined && this.#rules.overflow === "dropOldest" && this.#wouldFit(bytes)) {
      while (batch === undefined && this.#backlog.dropOldest("overflow")) batch = this.#budget.take(bytes, wanted)
    }
    return batch ?? (isPromised && this.#bound !== undefined ? this.#budget.takeAnyway(bytes) : undefined)
  }

  /** A batch for what is written although the buffer is full. */
  takeAnyway(bytes: number): RecordBatch {
    return this.#budget.takeAnyway(bytes)
  }

  /** Makes such a batch larger, so that it takes `bytes` more. */
  growAnyway(batch: RecordBatch, bytes: number): void {
    this.#budget.growAnyway(batch, bytes)
  }

  /** A batch that holds the record of a lane's own which only announces drops, and is no event. */
  takeMarker({ incarnation, stream }: MarkedLane, wallMs: number): RecordBatch {
    const batch = this.takeAnyway(markerBytes)
    const [name, value] = markerHeader({ incarnation, stream })
    const end = writeHeader(batch.arena, writeLength(batch.arena, 0, 1), Buffer.from(name), value)
    batch.place(0, 0, Float64Array.of(wallMs))
    batch.commit(false, 0, end, end, "marker")
    return batch
  }

  /** Batches of another leg stand in their lane. In front of all that it holds, they are older than all that is here. */
  movedIn(all: ReadonlyArray<Queued>, isInFront: boolean): void {
    if (isInFront) for (const queued of all.toReversed()) this.#backlog.addOldest(queued)
    else for (const queued of all) this.#backlog.add(queued)
  }

  /** The batch stands in the queue of its lane. */
  begun(queued: Queued): void {
    this.#backlog.add(queued)
  }

  /** Nothing of the batch is left. */
  give(queued: Queued): void {
    this.#backlog.remove(queued)
    this.#budget.give(queued.batch, queued.isReusable)
  }

  /** Whether the batch still takes `bytes` more, in a larger arena. */
  #mayGrow(open: RecordBatch, bytes: number): boolean {
    return open.bytes + bytes <= Math.max(this.#rules.batchBytes, bytes)
  }

  /**
   * Gives the batch a larger arena. Where the oldest are dropped, they are for this too: many small batches would take the room of the process
   * and not of the budget.
   */
  #grow(open: RecordBatch, bytes: number): boolean {
    if (this.#budget.grow(open, bytes)) return true
    if (this.#rules.overflow !== "dropOldest") return false
    let droppableBytes = 0
    const isEnough = this.#backlog.findDroppable((ofBatch) => {
      droppableBytes += ofBatch
      return this.#budget.hasRoomToGrow(open, bytes, droppableBytes)
    }, open)
    if (!isEnough) return false
    while (this.#backlog.dropOldest("overflow", open)) if (this.#budget.grow(open, bytes)) return true
    return false
  }

  /** Whether there would be room if all that may be dropped were. */
  #wouldFit(bytes: number): boolean {
    let droppableBytes = 0
    return this.#backlog.findDroppable((ofBatch) => {
      droppableBytes += ofBatch
      return this.#budget.hasRoom(bytes, droppableBytes)
    })
  }
}
