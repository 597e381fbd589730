/**
 * Sends what stands in a spill of other partitions to the destination from where it is: its disk has no room for a copy in the spill of today, and only
 * this makes some. It is settled, and trimmed, behind the answer of the destination, as what stands in the spill of today is.
 */
import { Effect, type Scope } from "effect"
import type { Pump } from "../Pump.ts"
import { type HaltedRecord, SendOn, type SentPartition } from "../sendOn/SendOn.ts"
import type { ReceivedRecord, Writer } from "../../transport/index.ts"
import type { OlderHome, OlderTurn } from "./OlderSpills.ts"
import { type ProvenPart, proving, provenSoon } from "./proving.ts"
import { sentPartition } from "./sentPartition.ts"
import type { Spill, SpillPart } from "./Spill.ts"
import { SpillEndings } from "./SpillEndings.ts"
import type { Portion, SpillLanes } from "./SpillLanes.ts"
import { SpillParting } from "./SpillParting.ts"
import { SpreadSending } from "./SpreadSending.ts"

export interface OlderSending {
  readonly older: Spill
  readonly lanes: SpillLanes
  readonly home: OlderHome
  readonly pump: Pick<Pump, "transport" | "context" | "nowMs" | "wallMs">
  readonly turn: OlderTurn
  readonly destination: Writer
  /** Where a record of a partition of the older spill goes now. */
  readonly partitionOf: (record: ReceivedRecord, partition: number) => number
}

export class OlderSender {
  readonly #sending: OlderSending
  readonly #endings: SpillEndings
  readonly #sendOn: SendOn
  readonly #partings = new Map<number, SpillParting>()

  constructor(sending: OlderSending) {
    const { older, home, pump } = sending
    this.#sending = sending
    this.#endings = new SpillEndings(older, home, pump)
    this.#sendOn = new SendOn(older.name, this.#endings.notices, home, pump)
    this.#endings.begin()
  }

  get halted(): ReadonlyArray<HaltedRecord> {
    return this.#sendOn.halted
  }

  resume(): void {
    this.#sendOn.resume()
  }

  get leave(): Effect.Effect<void> {
    return this.#sendOn.leave
  }

  /** Waits for the answers to what is on its way, so long at most. */
  quietAll(mostMs: number): Effect.Effect<void> {
    return this.#sendOn.quietAll(mostMs)
  }

  /** Settles what counts where it was stored, as long as its scope is open. */
  get proving(): Effect.Effect<void, never, Scope.Scope> {
    const { departures } = this.#sending.home
    if (departures === undefined) return Effect.void
    return Effect.forEach(this.#proven, (one) => Effect.forkScoped(proving(departures, one)), { discard: true })
  }

  /** Before it is given back. */
  get provenSoon(): Effect.Effect<void> {
    const { departures } = this.#sending.home
    return departures === undefined ? Effect.void : provenSoon(departures, this.#proven)
  }

  get #proven(): ReadonlyArray<ProvenPart> {
    const { older, lanes, pump } = this.#sending
    return older.parts.map((part, partition) => ({
      spill: older,
      part,
      nowMs: () => pump.nowMs,
      settle: Effect.suspend(() => lanes.settle(partition, part.at)),
      // It is looked at with the next portion, or the next time.
      lost: () => undefined
    }))
  }

  /** Sends a portion on, and has it settled. What has not ended then is to be read anew: where it goes has changed. */
  send(partition: number, part: SpillPart, { records, next }: Portion): Effect.Effect<void> {
    const { lanes } = this.#sending
    const parting = this.#partingOf(partition, part)
    const sent = this.#sent(partition, part, parting)
    const head = Effect.succeed(records.find(({ position }) => position >= part.at))
    return Effect.gen({ self: this }, function* () {
      if (!(yield* parting.send(sent, part, records, head))) return
      this.#endings.missing(partition, part, next)
      yield* parting.announce(sent, records)
      yield* lanes.settle(partition, next)
    })
  }

  #partingOf(partition: number, part: SpillPart): SpillParting {
    const { home, pump, partitionOf } = this.#sending
    const { notices } = this.#endings
    const found = this.#partings.get(partition)
    if (found !== undefined) return found
    const spread = new SpreadSending({
      sendOn: this.#sendOn,
      part,
      partitionOf: (record) => partitionOf(record, partition),
      announce: (to, record, how) => this.#endings.announce(to, part, record, how),
      untold: (to) => notices.forget(to)
    })
    const parting = new SpillParting(home, pump, spread, this.#endings)
    this.#partings.set(partition, parting)
    part.isFenced = true
    return parting
  }

  #sent(partition: number, part: SpillPart, parting: SpillParting): SentPartition {
    const { lanes, destination, turn } = this.#sending
    return sentPartition({ partition, part, lanes, writer: destination, parting, endings: this.#endings, turn })
  }
}
