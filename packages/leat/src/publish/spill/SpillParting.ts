/**
 * Sends on what a spill gives, each record where its stream is written now. One whose stream has left the destination is not sent there, however long
 * the destination was tried for it before: what had no answer there is carried all the same, and what lands late is a copy.
 */
import { Effect } from "effect"
import type { ReceivedRecord } from "../../transport/index.ts"
import type { Pump } from "../Pump.ts"
import type { SendOn, SendOnHome, SentPartition } from "../sendOn/SendOn.ts"
import { type Carrier, type Departures, fateOf, firstStretch } from "./Departures.ts"
import { notProven } from "./proving.ts"
import type { SpillPart } from "./Spill.ts"
import type { SpillEndings } from "./SpillEndings.ts"
import { meanwhile } from "../meanwhile.ts"

/** Before it is told that the control stream is waited for, in milliseconds. */
const againMs = 5000

/** What is asked of the sink. */
export interface PartingHome extends Pick<SendOnHome, "leg" | "fails" | "stores"> {
  /** Undefined: no stream is ever moved. */
  readonly departures: Departures | undefined
}

/** What sends it to the destination. */
export type Sending = Pick<SendOn, "fence" | "send" | "announce">

export class SpillParting {
  readonly #departures: Departures | undefined
  /** Of the destination. */
  readonly #sink: () => string
  readonly #sendOn: Sending
  readonly #endings: SpillEndings
  readonly #home: PartingHome
  readonly #pump: Pick<Pump, "nowMs">

  constructor(home: PartingHome, pump: Pick<Pump, "nowMs">, sendOn: Sending, endings: SpillEndings) {
    this.#departures = home.departures
    this.#sink = () => home.leg.sink
    this.#sendOn = sendOn
    this.#endings = endings
    this.#home = home
    this.#pump = pump
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
      const hasEnded = (record: ReceivedRecord) => record.position < part.ownEnd && departures.isOwn(record)
      for (let left = records; left.length > 0;) {
        const [first] = left
        if (first !== undefined && hasEnded(first)) {
          this.#endings.passed(part, first)
          left = left.slice(1)
          continue
        }
        const { fate, records: alike } = firstStretch(left, this.#sink(), departures)
        const end = alike.findIndex(hasEnded)
        const some = end < 0 ? alike : alike.slice(0, end)
        left = left.slice(some.length)
        const isDone =
          fate === "send"
            ? yield* this.#sent(departures, sent, part, some, this.fenced(sent, part, head))
            : fate === "wait"
              ? yield* this.#telling(departures, sent, this.#waited(departures, sent, some))
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
      const last = records.at(-1)
      const mayCount = () => departures.mayCount(records, this.#sink())
      // What would not count is not sent: it would go there again and again, and each time a copy would stay.
      if (!mayCount()) sent.stands()
      const sending = Effect.suspend(() => {
        // Before it is sent: what of it ends otherwise than stored is settled at once.
        notProven(part, records, departures.leftIn(records, this.#sink()))
        return Effect.as(this.#sendOn.send(sent, records), true)
      })
      const all = this.#telling(departures, sent, departures.changes.until(mayCount)).pipe(
        Effect.andThen(Effect.suspend(() => (part.isFenced ? Effect.void : fenced))),
        Effect.andThen(Effect.suspend(() => (part.isFenced && mayCount() ? sending : Effect.succeed(false))))
      )
      const parted = Effect.as(this.#parted(departures, records), false)
      return meanwhile(
        () => (part.sending = records),
        Effect.map(Effect.raceFirst(all, parted), (isDone) => isDone && part.at > (last?.position ?? -1n)),
        () => {
          part.sending = []
          part.unproven.quiet(part.at)
        }
      )
    })
  }

  /** What waits for something of the control stream while that is away is told of as any standstill. */
  #telling<A>(departures: Departures, { partition }: SentPartition, waiting: Effect.Effect<A>): Effect.Effect<A> {
    return Effect.suspend(() => {
      const sinceMs = this.#pump.nowMs
      const told = Effect.sync(() => {
        const { trouble } = departures
        const why = `what its spill holds waits for the control stream: ${trouble}`
        if (trouble !== undefined) this.#home.fails(partition, sinceMs, why)
      })
      return Effect.raceFirst(waiting, Effect.forever(Effect.andThen(Effect.sleep(againMs), told)))
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
    { changes, isOwn }: Departures,
    partition: number,
    part: SpillPart,
    records: ReadonlyArray<ReceivedRecord>,
    carrier: Carrier
  ): Effect.Effect<boolean> {
    const isSame = () => records[0] !== undefined && this.#fateOf(records[0]) === carrier
    let done = 0
    let sinceMs = this.#pump.nowMs
    let isStanding = false
    const stored = (count: number) => {
      // It may have gone on from there meanwhile.
      if (!isSame()) return false
      const some = records.slice(done, done + count)
      if (some.some((record) => !isOwn(record))) notProven(part, some, [carrier.written])
      this.#endings.carried(partition, part, some, carrier)
      done += count
      sinceMs = this.#pump.nowMs
      if (isStanding) this.#home.stores(partition)
      isStanding = false
      return true
    }
    const carrying = Effect.as(carrier.carry(records, stored), true)
    const parted = Effect.as(
      changes.until(() => !isSame()),
      false
    )
    // A stream that stays waits behind it, although its cluster is well.
    const telling = Effect.andThen(Effect.sleep(againMs), () =>
      Effect.sync(() => {
        if (this.#pump.nowMs - sinceMs < againMs) return
        isStanding = true
        this.#home.fails(partition, sinceMs, `what its spill holds of ${carrier.what}`)
      })
    )
    return Effect.map(
      Effect.raceAllFirst([carrying, parted, Effect.forever(telling)]),
      (isDone) => isDone && done === records.length
    )
  }

  /** Completes when one of them is not to go to the destination any more. */
  #parted({ changes }: Departures, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    return changes.until(() => this.kept(records).length < records.length)
  }

  #fateOf(record: ReceivedRecord) {
    return this.#departures === undefined ? "send" : fateOf(record, this.#sink(), this.#departures)
  }
}
