/** What is told when records of a spill end: the accounts of their streams, the journal, consumers, and once for all whoever runs the process. */
import { Effect } from "effect"
import { countReason } from "../../ledger/Counts.ts"
import type { Ledger, WriteAccount } from "../../ledger/Ledger.ts"
import { sizeOf } from "../../record/batchOf.ts"
import type { DroppedRange } from "../../record/DropNotice.ts"
import { type EventId, formatEventId } from "../../record/EventId.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Leg } from "../../routes/Route.ts"
import { warn } from "../../Telemetry.ts"
import type { Position, ReceivedRecord } from "../../transport/index.ts"
import type { Pump } from "../Pump.ts"
import { CarriedDrops } from "../sendOn/CarriedDrops.ts"
import type { Ending, Moved, Unstored } from "../sendOn/Ending.ts"
import type { Carrier } from "./Departures.ts"
import type { Spill, SpillPart } from "./Spill.ts"

/** A spill that is tried again so long after it had nothing is another matter, in milliseconds. */
const quietMs = 60_000

/** What is asked of the sink. */
export interface EndingsHome {
  readonly leg: Leg
  readonly ledger: Pick<Ledger, "journal">
  /** The account of a stream that has this tag in this sink. */
  readonly accountOf: (tag: string) => WriteAccount
  /** Of this leat. */
  readonly incarnation: string
  /** Events of a stream were dropped: a gap, for a later record of it to announce. False: there is none any more. */
  readonly announce: (account: WriteAccount, ranges: ReadonlyArray<DroppedRange>) => boolean
}

/** What was sent on since the spill had been empty. */
interface Tally {
  sinceMs: number
  /** Whether it was told that something is in the spill. */
  isTold: boolean
  stored: number
  movedOut: number
  dropped: number
  deadLettered: number
}

export class SpillEndings {
  readonly notices = new CarriedDrops()
  readonly #spill: Spill
  readonly #home: EndingsHome
  readonly #pump: Pick<Pump, "context" | "nowMs">
  #tally: Tally | undefined
  /** When the last partition was turned off without that anything of it was sent on; Infinity: something was. */
  #unusedMs = Number.POSITIVE_INFINITY

  constructor(spill: Spill, home: EndingsHome, pump: Pick<Pump, "context" | "nowMs">) {
    this.#spill = spill
    this.#home = home
    this.#pump = pump
  }

  /** A partition is turned on. */
  begin(): void {
    if (this.#pump.nowMs - this.#unusedMs > quietMs) this.#tally = undefined
    this.#unusedMs = Number.POSITIVE_INFINITY
    this.#tally ??= { sinceMs: this.#pump.nowMs, isTold: false, stored: 0, movedOut: 0, dropped: 0, deadLettered: 0 }
  }

  /** Tells that something is in the spill, or will be; once until it is empty. */
  tellOnce(sentence: string): void {
    if (this.#tally?.isTold === false) this.tell(sentence)
  }

  /** Tells what is in the spill. */
  tell(sentence: string): void {
    if (this.#tally !== undefined) this.#tally.isTold = true
    this.#say(sentence)
  }

  /** Nothing of it is left. */
  empty(): void {
    if (this.#tally === undefined) return
    const { sinceMs, isTold, stored, movedOut, dropped, deadLettered } = this.#tally
    // Nothing has come there, because it takes nothing: that its partition tries the destination now and then is no news.
    if (stored + movedOut + dropped + deadLettered === 0) {
      this.#unusedMs = this.#pump.nowMs
      return
    }
    this.#tally = undefined
    if (!isTold) return
    const others = [
      ...(movedOut === 0 ? [] : [`${movedOut} carried to where their streams are now`]),
      ...(dropped === 0 ? [] : [`${dropped} dropped`]),
      ...(deadLettered === 0 ? [] : [`${deadLettered} set aside`])
    ]
    const lost = others.length === 0 ? "" : `, ${others.join(" and ")}`
    const seconds = Math.round((this.#pump.nowMs - sinceMs) / 1000)
    const how = stored === 0 && movedOut > 0 ? "is left" : "stores again"
    this.#say(
      `${this.#home.leg.sink} ${how}: ${this.#spill.name} is empty after ${seconds} seconds, ${stored} events of it stored${lost}`
    )
  }

  /** Records have ended, one behind the other. What is not settled when it is told may be sent on once more, by a process that comes. */
  ended(
    partition: number,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    how: Ending | Moved,
    isSettled: boolean,
    arrived?: Carrier["arrived"]
  ): void {
    let bytes = 0
    for (const record of records) {
      this.missing(partition, part, record.position)
      part.at = record.position + 1n
      bytes += sizeOf(record)
      const meta = readMeta(record.headers, "")
      const mayBeStored = !isSettled || record.position < part.doubtEnd
      const account = part.book.end(record.position, meta, how, mayBeStored)
      if (meta.id !== undefined && !part.unnoted.isEmpty) part.unnoted.ended(formatEventId(meta.id))
      if (meta.isMarker) part.markers = Math.max(0, part.markers - 1)
      // What somebody else has put there goes on too, and is no event.
      else if (meta.id !== undefined && this.#tally !== undefined) this.#tally[how.ending]++
      if (meta.id !== undefined && !meta.isMarker) arrived?.(meta.id)
      if (account !== undefined && meta.id !== undefined) this.#told(account, meta.id, how)
      else if (meta.id?.incarnation !== this.#home.incarnation) this.#recovered(meta.id, how)
    }
    part.room.ended(part.at, bytes)
    part.unproven.ended(part.at, this.#pump.nowMs)
  }

  /** This process had put a record there that has ended: what an earlier one has left in front of it is sent once more, and this is not. */
  passed(part: SpillPart, record: ReceivedRecord): void {
    part.at = record.position + 1n
    part.room.ended(part.at, sizeOf(record))
  }

  /** Records were stored where their stream is written now. */
  carried(partition: number, part: SpillPart, records: ReadonlyArray<ReceivedRecord>, { arrived }: Carrier): void {
    this.ended(partition, part, records, { ending: "movedOut" }, true, arrived)
  }

  /** An event of this leat has ended: the journal sees it. */
  #told(account: WriteAccount, { bucket, seq }: EventId, how: Ending | Moved): void {
    const reason = "reason" in how ? how.reason : undefined
    this.#home.ledger.journal?.moved(account, bucket, seq, "spilled", how.ending, reason)
  }

  /**
   * A record will end otherwise than stored: consumers are told of it, and of what it was to announce, by a later record of its lane. What no lane
   * of this process announces is carried until a marker has told it, which has to be before the record is settled.
   */
  announce(partition: number, part: SpillPart, record: ReceivedRecord, how: Unstored): void {
    this.notices.drop(partition, record, how, (id, ranges) => {
      if (id.incarnation !== this.#home.incarnation) return false
      const account = part.book.accountAt(record.position, readMeta(record.headers, ""))
      // What this leat has given up on its way to the spill was announced then.
      return account === undefined || this.#home.announce(account, ranges)
    })
  }

  /** One that an earlier process has left. What that had on its way when it ended may be stored. What was carried elsewhere is counted there. */
  #recovered(id: EventId | undefined, how: Ending | Moved): void {
    if (id === undefined || how.ending === "movedOut") return
    const account = this.#home.accountOf(id.stream)
    account.recovered++
    if (how.ending === "stored") account.stored++
    else {
      countReason(account[how.ending], how.reason)
      account.droppedMayBeStored++
    }
  }

  /** The topic of the spill was made anew: what stood there is lost. */
  anew(partition: number, part: SpillPart): void {
    const count = part.book.skip(part.at, part.seenEnd, "Corrupt", true)
    part.renew()
    this.#say(
      `${this.#spill.name}, partition ${partition}, was made anew while it was in use: ${count} events that stood there are lost, and counted as dropped (Corrupt), which may be stored`
    )
    if (this.#tally !== undefined) this.#tally.dropped += count
  }

  /** Positions before `to` that cannot be read any more. */
  missing(partition: number, part: SpillPart, to: Position): void {
    if (to <= part.at) return
    const count = Number(to - part.at)
    this.#say(
      `${count} records of ${this.#spill.name}, partition ${partition}, cannot be read any more: the events are lost, and counted as dropped`
    )
    // Of one that had no answer nobody knows which it is.
    part.book.skip(part.at, to, "Corrupt", part.at < part.doubtEnd)
    part.at = to
    if (this.#tally !== undefined) this.#tally.dropped += count
  }

  #say(sentence: string): void {
    Effect.runForkWith(this.#pump.context)(warn(sentence))
  }
}
