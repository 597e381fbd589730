/**
 * Sends on what a spill gives, each record where its stream is written now. One whose stream has left the destination is not sent there, however long
 * the destination was tried for it before: what had no answer there is carried all the same, and what lands late is a copy.
 */
import { Effect } from "effect"
import type { ReceivedRecord } from "../../transport/index.ts"
import type { SendOn, SentPartition } from "../sendOn/SendOn.ts"
import { type Carrier, type Departures, fateOf, firstStretch } from "./Departures.ts"
import type { SpillPart } from "./Spill.ts"
import type { SpillEndings } from "./SpillEndings.ts"

export class SpillParting {
  readonly #departures: Departures | undefined
  /** Of the destination. */
  readonly #sink: () => string
  readonly #sendOn: SendOn
  readonly #endings: SpillEndings

  constructor(departures: Departures | undefined, sink: () => string, sendOn: SendOn, endings: SpillEndings) {
    this.#departures = departures
    this.#sink = sink
    this.#sendOn = sendOn
    this.#endings = endings
  }

  /**
   * Fences the destination before anything is sent there. Given up when what stands first does not go there any more: a place that is dead fences
   * nothing, and is left for that. `head`: what stands first; undefined: nothing does.
   */
  fenced(sent: SentPartition, part: SpillPart, head: Effect.Effect<ReceivedRecord | undefined>): Effect.Effect<void> {
    const departures = this.#departures
    const fenced = Effect.map(this.#sendOn.fence(sent), () => void (part.isFenced = true))
    if (departures === undefined) return fenced
    const hasLeft: Effect.Effect<void> = Effect.suspend(() => {
      const { changes } = departures
      const changed = Effect.suspend(() => {
        const seen = changes.count
        return changes.until(() => changes.count !== seen)
      })
      if (!departures.isPlaced) return Effect.andThen(changed, hasLeft)
      return Effect.flatMap(head, (first) =>
        first !== undefined && this.#fateOf(first) !== "send" ? Effect.void : Effect.andThen(changed, hasLeft)
      )
    })
    return Effect.raceFirst(fenced, hasLeft)
  }

  /** Of records that the destination has answered for: those that it counts for. Behind one whose stream has left it, nothing has ended. */
  kept(records: ReadonlyArray<ReceivedRecord>): ReadonlyArray<ReceivedRecord> {
    if (this.#departures?.isPlaced !== true) return records
    const first = records.findIndex((record) => this.#fateOf(record) !== "send")
    return first < 0 ? records : records.slice(0, first)
  }

  /** Sends all of them on, and says so; false: something has changed, and what has not ended is to be looked at anew. */
  send(
    sent: SentPartition,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    head: Effect.Effect<ReceivedRecord | undefined>
  ): Effect.Effect<boolean> {
    const departures = this.#departures
    if (departures === undefined) return Effect.as(this.#sendOn.send(sent, records), true)
    return Effect.gen({ self: this }, function* () {
      for (let left = records; left.length > 0;) {
        const { fate, records: some } = firstStretch(left, this.#sink(), departures)
        left = left.slice(some.length)
        const isDone =
          fate === "send"
            ? yield* this.#sent(departures, sent, part, some, this.fenced(sent, part, head))
            : fate === "wait"
              ? yield* this.#waited(departures, sent, some)
              : yield* this.#carried(departures, sent.partition, part, some, fate)
        if (!isDone) return false
      }
      return true
    })
  }

  /** Announces what is left to announce; not to a destination that one of the records has left. */
  announce(sent: SentPartition, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    const announced = this.#sendOn.announce(sent)
    const departures = this.#departures
    return departures === undefined ? announced : Effect.raceFirst(announced, this.#parted(departures, records))
  }

  #sent(
    departures: Departures,
    sent: SentPartition,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    fenced: Effect.Effect<void>
  ): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const { at } = part
      part.sending = records
      const mayCount = () => departures.mayCount(records, this.#sink())
      // What would not count is not sent: it would go there again and again, and each time a copy would stay.
      if (!mayCount()) sent.stands()
      const sending = Effect.as(this.#sendOn.send(sent, records), true)
      const all = departures.changes
        .until(mayCount)
        .pipe(
          Effect.andThen(Effect.suspend(() => (part.isFenced ? Effect.void : fenced))),
          Effect.andThen(Effect.suspend(() => (part.isFenced ? sending : Effect.succeed(false))))
        )
      const parted = Effect.as(this.#parted(departures, records), false)
      const ended = Effect.map(
        Effect.raceFirst(all, parted),
        (isDone) => isDone && part.at > (records.at(-1)?.position ?? -1n)
      )
      const counted = Effect.map(departures.counts(records, this.#sink()), (isCounted) => {
        // It is not settled, so it is carried.
        if (!isCounted) part.at = at > part.settled ? at : part.settled
        return isCounted
      })
      return Effect.ensuring(
        Effect.flatMap(ended, (isDone) => (isDone ? counted : Effect.succeed(false))),
        Effect.sync(() => void (part.sending = []))
      )
    })
  }

  #waited(
    { changes }: Departures,
    sent: SentPartition,
    [first]: ReadonlyArray<ReceivedRecord>
  ): Effect.Effect<boolean> {
    // What is published to the destination meanwhile by other streams goes behind it.
    sent.stands()
    return Effect.as(
      changes.until(() => first === undefined || this.#fateOf(first) !== "wait"),
      false
    )
  }

  #carried(
    { changes }: Departures,
    partition: number,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    carrier: Carrier
  ): Effect.Effect<boolean> {
    const isSame = () => records[0] !== undefined && this.#fateOf(records[0]) === carrier
    let done = 0
    const stored = (count: number) => {
      // It may have gone on from there meanwhile.
      if (!isSame()) return false
      this.#endings.carried(partition, part, records.slice(done, done + count), carrier)
      done += count
      return true
    }
    const carrying = Effect.as(carrier.carry(records, stored), true)
    const parted = Effect.as(
      changes.until(() => !isSame()),
      false
    )
    return Effect.map(Effect.raceFirst(carrying, parted), (isDone) => isDone && done === records.length)
  }

  /** Completes when one of them is not to go to the destination any more. */
  #parted({ changes }: Departures, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    return changes.until(() => this.kept(records).length < records.length)
  }

  #fateOf(record: ReceivedRecord) {
    return this.#departures === undefined ? "send" : fateOf(record, this.#sink(), this.#departures)
  }
}
