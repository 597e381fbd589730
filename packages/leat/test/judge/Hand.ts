/** Histories that are written by hand, for the judge. */
import type { Place } from "leat"
import { Chronicle, type GroupFact, judge, type Said, type VerdictKind } from "leat/testing"

export const sink = "c0/notes"
export const idOf = (seq: number) => `inc/notes/0/${seq}`
export const bytes = (text: string) => Buffer.from(text)

/** A history by hand: one stream with one required leg and one group; the times are those of the calls below. */
export class Hand {
  readonly chronicle = new Chronicle()

  constructor(group: Partial<Pick<GroupFact, "mayRepeat" | "isWhole" | "ending" | "delaysMs">> = {}) {
    this.chronicle.streams.push({ stream: "notes", required: [sink], sinks: [sink], isOrdered: true })
    this.chronicle.groups.push({
      group: "readers",
      sink,
      stream: "notes",
      mayRepeat: group.mayRepeat ?? false,
      isWhole: group.isWhole ?? false,
      isOrdered: true,
      ending: group.ending ?? "retry",
      delaysMs: group.delaysMs
    })
  }

  begin(serial: number, key = "k", api: "publish" | "offer" = "publish") {
    const headers = [["own", bytes(`${serial}`)]] as const
    return this.chronicle.begin({ serial, leat: 0, stream: "notes", api, key, value: bytes(`${serial}`), headers })
  }

  /** The leg of an event goes through these places. */
  leg(seq: number, ...places: ReadonlyArray<Place>) {
    const leg = { leat: 0, sink, stream: "notes", id: idOf(seq), bucket: 0, seq }
    for (const [index, to] of places.entries()) {
      this.chronicle.move(leg, places[index - 1], to)
      if (to === "inDoubt") this.chronicle.doubt(`${sink} ${leg.id}`)
    }
  }

  copy(
    serial: number,
    seq: number,
    position: number,
    changes: { readonly key?: string; readonly value?: string } = {}
  ) {
    this.chronicle.copies.push({
      sink,
      partition: 0,
      position: BigInt(position),
      id: idOf(seq),
      lane: "inc/notes/0",
      seq,
      serial,
      key: bytes(changes.key ?? "k"),
      value: bytes(changes.value ?? `${serial}`),
      headers: [
        ["leat", bytes("id")],
        ["own", bytes(`${serial}`)]
      ]
    })
  }

  /** An event that was published, stored and told so. */
  stored(serial: number, seq: number, said: Said = "stored", key = "k") {
    const call = this.begin(serial, key)
    this.leg(seq, "queued", "inFlight", "stored")
    this.copy(serial, seq, seq, { key })
    this.chronicle.end(call, said, idOf(seq))
    return call
  }

  handle(
    serial: number,
    seq: number,
    { member = 0, isDone = true, key = "k", overlaps = false, isTakenBack = false } = {}
  ) {
    const handling = {
      group: "readers",
      member,
      key,
      id: idOf(seq),
      serial,
      topic: "notes",
      partition: 0,
      position: BigInt(seq),
      isAlone: true,
      isPoison: false,
      beganAt: this.chronicle.tick(),
      endedAt: overlaps ? this.chronicle.tick() + 100 : this.chronicle.tick(),
      isDone,
      isTakenBack
    }
    this.chronicle.handlings.push(handling)
  }

  books(
    changes: Partial<{ offered: number; admitted: number; waiting: number; timeout: number; stored: number }> = {}
  ) {
    const calls = this.chronicle.calls.size
    const admitted = new Set(Array.from(this.chronicle.legs.values(), ({ id }) => id)).size
    this.chronicle.streamBooks.push({
      leat: 0,
      stream: "notes",
      offered: changes.offered ?? calls,
      admitted: changes.admitted ?? admitted,
      rejected: changes.timeout === undefined ? {} : { timeout: changes.timeout },
      waiting: changes.waiting ?? 0
    })
    const stored = changes.stored ?? admitted
    const counts = { stored, fellBack: 0, deadLettered: 0, dropped: 0, spilled: 0, recovered: 0 }
    this.chronicle.legBooks.push({ leat: 0, stream: "notes", sink, admitted, ...counts })
  }

  get kinds(): ReadonlyArray<VerdictKind> {
    return [...new Set(judge(this.chronicle).map(({ kind }) => kind))].toSorted()
  }
}
