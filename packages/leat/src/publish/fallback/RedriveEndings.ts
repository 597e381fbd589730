/** What is told when records that stood in a fallback end: the account of their stream, in this process, and consumers. */
import { countReason } from "../../ledger/Counts.ts"
import type { WriteAccount } from "../../ledger/Ledger.ts"
import type { DroppedRange } from "../../record/DropNotice.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Position, ReceivedRecord } from "../../transport/index.ts"
import { CarriedDrops } from "../sendOn/CarriedDrops.ts"
import type { Ending, Unstored } from "../sendOn/Ending.ts"

export interface RedriveEndingsHome {
  /** The account of a stream that has this tag in this sink. */
  readonly accountOf: (tag: string) => WriteAccount
  /** The account of what cannot be read any more: nobody knows of which stream it was, unless the sink has but one. */
  readonly unreadAccount: WriteAccount
  /** Of this leat. */
  readonly incarnation: string
  /** Events of a stream were dropped: a gap, for a later record of it to announce. False: there is none any more. */
  readonly announce: (account: WriteAccount, ranges: ReadonlyArray<DroppedRange>) => boolean
}

export class RedriveEndings {
  readonly notices = new CarriedDrops()
  readonly #home: RedriveEndingsHome
  /** By partition: what stands before this is counted. A partition that comes again begins with what was not settled. */
  readonly #countedTo = new Map<number, Position>()

  constructor(home: RedriveEndingsHome) {
    this.#home = home
  }

  /** `isOfBefore`: they stood in a topic that was made anew since, and their positions say nothing of it. */
  ended(partition: number, records: ReadonlyArray<ReceivedRecord>, how: Ending, isOfBefore: boolean): void {
    for (const record of records) {
      if (!isOfBefore) {
        if (record.position < (this.#countedTo.get(partition) ?? 0n)) continue
        this.#countedTo.set(partition, record.position + 1n)
      }
      const { id, isMarker } = readMeta(record.headers, "")
      if (id !== undefined && !isMarker) count(this.#home.accountOf(id.stream), how, 1)
    }
  }

  /** Records in [from, to) cannot be read any more. Returns how many of them nobody here has counted. */
  missing(partition: number, from: Position, to: Position): number {
    const counted = this.#countedTo.get(partition) ?? 0n
    const first = counted > from ? counted : from
    if (first >= to) return 0
    this.#countedTo.set(partition, to)
    count(this.#home.unreadAccount, { ending: "dropped", reason: "Corrupt" }, Number(to - first))
    return Number(to - first)
  }

  /** Its topic was made anew: the positions mean other records. */
  anew(partition: number): void {
    this.#countedTo.delete(partition)
  }

  /** Consumers are told of a record that will not be stored, and of what it was to announce: by a marker, which is stored before the record is settled. */
  announce(partition: number, record: ReceivedRecord, how: Unstored): void {
    this.notices.drop(partition, record, how, () => false)
  }

  /** The destination takes no marker: a later record of a lane of this leat tells of what was its own. */
  handOver(partition: number): void {
    this.notices.handOver(partition, ({ incarnation, tag }, ranges) => {
      const isOwn = incarnation === this.#home.incarnation
      return isOwn && this.#home.announce(this.#home.accountOf(tag), ranges)
    })
  }
}

function count(account: WriteAccount, how: Ending, events: number): void {
  account.recovered += events
  if (how.ending === "stored") account.stored += events
  else {
    countReason(account[how.ending], how.reason, events)
    // Who had it before may have stored it.
    account.droppedMayBeStored += events
  }
}
