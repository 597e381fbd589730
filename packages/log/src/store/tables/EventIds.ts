/**
 * The event ids that each partition has stored, as ranges of sequences: one row for each (partition, incarnation, stream, bucket), and one
 * more for each gap. Written in the transaction of the append, and deleted once the incarnation has not written for long (`forgetOld`).
 * A row that cannot be read or written stops no event: it may be stored twice (`giveUp`).
 */
import { Buffer } from "node:buffer"
import { EventIdCursor } from "leat/record"
import { isDamage } from "../../Fault.ts"
import type { Block } from "../../Block.ts"
import type { IdRange } from "../../Message.ts"
import type { AgeClock, Stamp } from "./AgeClock.ts"
import type { Database } from "./Database.ts"
import type { Quarantine } from "./Quarantine.ts"
import { rowSum } from "./rowSum.ts"
import type { Topic } from "./Topics.ts"
import { type Kept, type Writer, Writers } from "./Writers.ts"

interface Range {
  first: number
  last: number
}

interface LaneKey {
  readonly incarnation: Buffer
  readonly stream: string
  readonly bucket: number
}

/** Sequences of one bucket of one process, in one partition. */
interface IdLane extends LaneKey {
  readonly key: string
  readonly partition: number
  readonly writer: Writer
  /** The range with the highest sequences: nearly every event extends it. */
  top: Range | undefined
  /** Whether `top` is not written yet. */
  isChanged: boolean
  /** Its rows cannot be read or written: its events are stored, and their ids are not kept. */
  readonly isLost: boolean
}

/** Most lanes in memory, about 350 bytes each: 26 streams of 3840 buckets that all have events. Beyond that the cache is cleared. */
const lanesMax = 100_000

/** So many lost lanes, and all are: each has cost a rollback. */
const lostMax = 64

export class EventIds {
  readonly #quarantine: Quarantine
  readonly #ages: AgeClock
  readonly #writers: Writers
  readonly #top
  readonly #before
  readonly #after
  readonly #all
  readonly #put
  readonly #remove
  readonly #some
  readonly #cursor = new EventIdCursor()
  readonly #lanes = new Map<string, IdLane>()
  #changed: Array<IdLane> = []
  /** Keys of lost lanes, until the log is opened again. */
  readonly #lost = new Set<string>()
  /** The lane that is being read or written. */
  #at: IdLane | undefined

  constructor(db: Database, quarantine: Quarantine, ages: AgeClock) {
    this.#quarantine = quarantine
    this.#ages = ages
    this.#writers = new Writers(db, quarantine)
    const lane = "partition = ? AND incarnation = ? AND stream = ? AND bucket = ?"
    const select = "SELECT first, last, sum FROM id_range"
    this.#top = db.prepare(`${select} WHERE ${lane} ORDER BY first DESC LIMIT 1`)
    this.#before = db.prepare(`${select} WHERE ${lane} AND first <= ? ORDER BY first DESC LIMIT 1`)
    this.#after = db.prepare(`${select} WHERE ${lane} AND first > ? ORDER BY first LIMIT 1`)
    this.#put = db.prepare("INSERT OR REPLACE INTO id_range VALUES (?, ?, ?, ?, ?, ?, ?)")
    this.#all = db.prepare(
      "SELECT partition, stream, bucket, first, last, sum FROM id_range WHERE partition BETWEEN ? AND ? AND incarnation = ?"
    )
    this.#remove = db.prepare(`DELETE FROM id_range WHERE ${lane} AND first = ?`)
    this.#some = db.prepare(
      "SELECT stream, bucket, first FROM id_range WHERE partition = ? AND incarnation = ? LIMIT ?"
    )
  }

  /** Adds the ids of a batch, inside a write. Returns the duplicates, if there are any: records whose event the partition has stored. */
  take(partition: number, block: Block, now: Stamp): ReadonlySet<number> | undefined {
    let duplicates: Set<number> | undefined
    let lane: IdLane | undefined
    const cursor = this.#cursor
    for (let index = 0; index < block.count; index++) {
      if (!cursor.read(block.data, block.headersStart(index))) continue
      if (lane === undefined || !isLaneOf(lane, cursor)) {
        lane = this.#lane(partition, cursor)
        this.#writers.note(lane.writer, now)
      }
      if (lane.isLost || this.#add(partition, lane, cursor.seq)) continue
      duplicates ??= new Set()
      duplicates.add(index)
    }
    for (const one of this.#changed) this.#save(partition, one)
    this.#changed = []
    return duplicates
  }

  /** The ranges that the partitions of a topic have stored of one incarnation. */
  of({ firstPartition, partitions }: Topic, incarnation: Uint8Array): ReadonlyArray<IdRange> {
    const id = Buffer.from(incarnation)
    return this.#all.all(firstPartition, firstPartition + partitions - 1, id).flatMap((row) => {
      const lane = { incarnation: id, stream: String(row["stream"]), bucket: Number(row["bucket"]) }
      const range = this.#verified(Number(row["partition"]), lane, row)
      return range === undefined ? [] : [{ stream: lane.stream, bucket: lane.bucket, ...range }]
    })
  }

  /** Which ids of an incarnation are kept: what was deleted is not among `of`. */
  keptOf(incarnation: Uint8Array): Kept {
    try {
      return this.#writers.of(incarnation).kept
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#writers.report()
      return "some"
    }
  }

  /** Whether an incarnation has not written for `idsMs` and still has ids. */
  hasOld(idsMs: number): boolean {
    try {
      return this.#writers.due(this.#ages, idsMs) !== undefined
    } catch (error) {
      if (!isDamage(error)) throw error
      // They are kept longer than that; what else is to be done must not wait for them.
      this.#writers.report()
      return false
    }
  }

  /** Deletes ids of an incarnation that has not written for `idsMs`, `rowsMax` of them, in all partitions of the log, inside a write. False if there is none. */
  forgetOld(partitions: Iterable<number>, idsMs: number, rowsMax: number): boolean {
    const writer = this.#writers.due(this.#ages, idsMs)
    if (writer === undefined) return false
    const { incarnation } = writer
    let left = rowsMax
    for (const partition of partitions) {
      const rows = this.#some.all(partition, incarnation, left)
      for (const { stream, bucket, first } of rows)
        this.#remove.run(partition, incarnation, stream ?? "", bucket ?? 0, first ?? 0)
      left -= rows.length
      if (left === 0) break
    }
    this.#writers.save({ ...writer, kept: left === 0 ? "some" : "none" })
    this.forget()
    return true
  }

  /**
   * After a write that has failed, before its rollback: whether damage to ids was the cause. Then it can be done again, without these ids.
   * In the same transaction it cannot go on: after damage SQLite refuses every write until the rollback.
   */
  giveUp(error: unknown): boolean {
    if (!isDamage(error)) return false
    if (this.#at === undefined) return this.#writers.giveUp()
    const { key, partition } = this.#at
    this.#lost.add(key)
    this.#quarantine.report({ partition, base: 0, end: 0, what: "ids" })
    return true
  }

  /** Another process has committed, or a write was rolled back. */
  forget(): void {
    this.#at = undefined
    this.#writers.forget()
    this.#lanes.clear()
    this.#changed = []
  }

  /** False if the lane has it already. */
  #add(partition: number, lane: IdLane, seq: number): boolean {
    const { top } = lane
    if (top !== undefined && seq <= top.last) return seq < top.first && this.#insert(partition, lane, seq)
    if (top !== undefined && seq === top.last + 1) top.last = seq
    else {
      if (lane.isChanged) this.#save(partition, lane)
      lane.top = { first: seq, last: seq }
    }
    if (!lane.isChanged) this.#changed.push(lane)
    lane.isChanged = true
    return true
  }

  /** Adds a late sequence, below the highest range. */
  #insert(partition: number, lane: IdLane, seq: number): boolean {
    if (lane.isChanged) this.#save(partition, lane)
    const { incarnation, stream, bucket } = lane
    this.#at = lane
    const before = this.#verified(partition, lane, this.#before.get(partition, incarnation, stream, bucket, seq))
    if (before !== undefined && before.last >= seq) {
      this.#at = undefined
      return false
    }
    const after = this.#verified(partition, lane, this.#after.get(partition, incarnation, stream, bucket, seq))
    const joinsBefore = before !== undefined && before.last === seq - 1
    const joinsAfter = after !== undefined && after.first === seq + 1
    const range = { first: joinsBefore ? before.first : seq, last: joinsAfter ? after.last : seq }
    if (joinsAfter) this.#remove.run(partition, incarnation, stream, bucket, after.first)
    this.#write(partition, lane, range)
    lane.top = this.#topOf(partition, lane)
    return true
  }

  #topOf(partition: number, lane: IdLane): Range | undefined {
    const { incarnation, stream, bucket } = lane
    this.#at = lane
    const row = this.#top.get(partition, incarnation, stream, bucket)
    this.#at = undefined
    return this.#verified(partition, lane, row)
  }

  #save(partition: number, lane: IdLane): void {
    lane.isChanged = false
    if (lane.top !== undefined) this.#write(partition, lane, lane.top)
  }

  #write(partition: number, lane: IdLane, range: Range): void {
    const { incarnation, stream, bucket } = lane
    this.#at = lane
    this.#put.run(partition, incarnation, stream, bucket, range.first, range.last, sumOf(partition, lane, range))
    this.#at = undefined
  }

  #lane(partition: number, { incarnation, stream, bucket }: EventIdCursor): IdLane {
    const id = Buffer.from(incarnation)
    const key = `${partition}/${bucket}/${id.toString("latin1")}/${stream}`
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    if (this.#lanes.size >= lanesMax) {
      for (const one of this.#changed) this.#save(partition, one)
      this.forget()
    }
    const writer = this.#writers.of(id)
    const isLost = this.#lost.size >= lostMax || this.#lost.has(key)
    const found = { key, partition, writer, incarnation: id, stream, bucket, isLost }
    const lane: IdLane = { ...found, top: undefined, isChanged: false }
    if (isLost) this.#writers.lessen(writer)
    else lane.top = this.#topOf(partition, lane)
    this.#lanes.set(key, lane)
    return lane
  }

  /** A range that does not verify counts as empty: storing an event twice is better than rejecting a new event as its duplicate. */
  #verified(partition: number, lane: LaneKey, row: Record<string, unknown> | undefined): Range | undefined {
    if (row === undefined) return undefined
    const range = { first: Number(row["first"]), last: Number(row["last"]) }
    if (row["sum"] === sumOf(partition, lane, range)) return range
    this.#quarantine.report({ partition, base: range.first, end: range.first, what: "ids" })
    return undefined
  }
}

function isLaneOf({ incarnation, stream, bucket }: IdLane, id: EventIdCursor): boolean {
  if (bucket !== id.bucket || stream !== id.stream) return false
  for (let index = 15; index >= 0; index--) if (incarnation[index] !== id.incarnation[index]) return false
  return true
}

function sumOf(partition: number, { incarnation, stream, bucket }: LaneKey, { first, last }: Range): number {
  return rowSum(partition, incarnation, stream, bucket, first, last)
}
