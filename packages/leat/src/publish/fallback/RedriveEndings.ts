/** What is told when records that stood in a fallback end: the account of their stream, in this process, and consumers. */
import { countReason } from "../../ledger/Counts.ts"
import type { WriteAccount } from "../../ledger/Ledger.ts"
import { droppedHeader, forgotten, noticeHasForgotten } from "../../record/DropNotice.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Position, ReceivedRecord } from "../../transport/index.ts"
import type { SpillEnding } from "../spill/SpillBook.ts"
import { markerOfEvent, SpillNotices } from "../spill/SpillNotices.ts"

export interface RedriveEndingsHome {
  /** The account of a stream that has this tag in this sink. */
  readonly accountOf: (tag: string) => WriteAccount
}

export class RedriveEndings {
  readonly notices = new SpillNotices()
  readonly #home: RedriveEndingsHome
  /** By partition: what stands before this is counted. A partition that comes again begins with what was not settled. */
  readonly #countedTo = new Map<number, Position>()

  constructor(home: RedriveEndingsHome) {
    this.#home = home
  }

  ended(partition: number, records: ReadonlyArray<ReceivedRecord>, how: SpillEnding): void {
    for (const record of records) {
      const isCounted = record.position < (this.#countedTo.get(partition) ?? 0n)
      if (!isCounted) {
        this.#countedTo.set(partition, record.position + 1n)
        this.#count(record, how)
      }
      if (how.ending !== "stored") this.#announce(partition, record, how)
    }
  }

  #count({ headers }: ReceivedRecord, how: SpillEnding): void {
    const { id, isMarker } = readMeta(headers, "")
    if (id === undefined || isMarker) return
    const account = this.#home.accountOf(id.stream)
    account.recovered++
    if (how.ending === "stored") account.stored++
    else {
      countReason(account[how.ending], how.reason)
      // Who had it before may have stored it, and who comes after may: it is not settled yet.
      account.droppedMayBeStored++
    }
  }

  /** Consumers are told of a record that is not stored, and of what it was to announce. */
  #announce(
    partition: number,
    { headers }: ReceivedRecord,
    how: Exclude<SpillEnding, { readonly ending: "stored" }>
  ): void {
    const { id, isMarker, dropped } = readMeta(headers, "")
    const notice = headers.find(([name]) => name === droppedHeader)?.[1]
    const said = notice !== undefined && noticeHasForgotten(notice) ? [...dropped, forgotten] : dropped
    const [marker] = isMarker ? headers : []
    if (marker !== undefined) this.notices.add(partition, marker, said)
    if (id === undefined) return
    const { bucket, seq } = id
    const reason = how.ending === "dropped" ? how.reason : how.ending
    this.notices.add(partition, markerOfEvent(id), [...said, { bucket, from: seq, to: seq + 1, reason }])
  }
}
