/**
 * What stands in the spill of a place that a stream has left, on its way to where the stream is now: under its own ids, in the epoch that is written.
 * Records of one bucket go one behind the other, each when the one before is stored: one that is refused holds up those behind it, and no others.
 */
import { Effect, Result, Scope } from "effect"
import type { Epoch } from "../control/Placement.ts"
import type { Journal, WriteAccount } from "../ledger/Ledger.ts"
import type { Carrier } from "../publish/spill/Departures.ts"
import { inEpoch } from "../record/redress.ts"
import type { EventId } from "../record/EventId.ts"
import { readMeta } from "../record/Wire.ts"
import * as Telemetry from "../Telemetry.ts"
import { leaving } from "../transport/endWithin.ts"
import { type Forwarder, openForwarder } from "../transport/Forwarder.ts"
import type { ReceivedRecord } from "../transport/index.ts"
import type { CarriedRecords } from "./CarriedRecords.ts"
import { answered, type Places, placeText } from "./Places.ts"
import { Trouble } from "./Trouble.ts"

/** Records after which it is told how many have arrived. */
const toldEvery = 256

/** Partitions that are written at the same time. */
const concurrency = 16

/** Pauses between two tries, in milliseconds. */
const [againMs, againMsMax] = [200, 5000]

export interface CarrierHome {
  readonly places: Places
  readonly carried: CarriedRecords
  readonly journal: Journal | undefined
  /** The incarnation. */
  readonly member: string
  /** Whether what was stored just now counts where the stream is: asked of what a process before this one has left, which nobody sweeps. */
  readonly counts: (stream: string, epoch: number) => Effect.Effect<boolean>
  /** Completes when it would count there, as far as is known. */
  readonly mayCount: (stream: string, epoch: number) => Effect.Effect<void>
  /** Of the stream in a place and epoch. */
  readonly account: (sink: string, epoch: number) => WriteAccount
}

/** A record on its way. */
interface Going {
  readonly record: ReceivedRecord
  readonly bucket: number
  /** Of who has published it. */
  readonly incarnation: string | undefined
  readonly isMarker: boolean
  isThere: boolean
}

export class SpillCarrier implements Carrier {
  readonly to: Epoch
  readonly #stream: string
  readonly #home: CarrierHome
  #isTold = false

  constructor(stream: string, to: Epoch, home: CarrierHome) {
    this.#stream = stream
    this.to = to
    this.#home = home
  }

  readonly arrived = (id: EventId): void => {
    const { journal, account, carried } = this.#home
    if (!carried.add(id)) return
    const there = account(placeText(this.to.place), this.to.epoch)
    if (there.movedIn === 0) there.moveBegan?.(there)
    there.movedIn++
    there.stored++
    journal?.moved(there, id.bucket, id.seq, "movedOut", "stored")
  }

  carry(records: ReadonlyArray<ReceivedRecord>, stored: (count: number) => boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let at = 0; at < records.length; at += toldEvery) {
        const some = records.slice(at, at + toldEvery)
        const going = some.flatMap(goingOf)
        for (const one of going) one.isThere = this.#home.carried.hasCarried(one.record)
        const isOthers = going.some(({ incarnation, isThere }) => !isThere && incarnation !== this.#home.member)
        if (isOthers) yield* this.#home.mayCount(this.#stream, this.to.epoch)
        for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
          const tried = yield* Effect.result(this.#sent(going))
          if (Result.isSuccess(tried)) break
          yield* this.#tellOnce(tried.failure.why)
          yield* Effect.sleep(pauseMs)
        }
        // What is not stored where it counts is not settled, and is carried on.
        if (isOthers && !(yield* this.#home.counts(this.#stream, this.to.epoch))) return
        if (!stored(some.length)) return
        for (const { record, isMarker } of going) if (isMarker) this.#home.carried.addMarker(record)
      }
    })
  }

  #sent(going: ReadonlyArray<Going>): Effect.Effect<void, Trouble> {
    const { place } = this.to
    if (going.every(({ isThere }) => isThere)) return Effect.void
    return this.#home.places.using(place.cluster, (target) =>
      Effect.gen({ self: this }, function* () {
        const scope = yield* Effect.scope
        const { topic, partitions } = place
        const opened = Scope.provide(openForwarder(target, { topic, partitions }), scope)
        const forwarder = yield* answered(opened, `${placeText(place)} cannot be written`)
        for (const round of rounds(going.filter(({ isThere }) => !isThere)))
          yield* Effect.forEach(
            Map.groupBy(round, ({ bucket }) => bucket % place.partitions),
            ([partition, some]) => this.#append(forwarder, partition, some),
            { concurrency, discard: true }
          )
      })
    )
  }

  #append({ append }: Forwarder, partition: number, some: ReadonlyArray<Going>): Effect.Effect<void, Trouble> {
    const { place, epoch } = this.to
    const plain = some.map(({ record: { key, value, headers, timeMs } }) => ({
      key,
      value,
      headers: inEpoch(headers, epoch),
      timeMs
    }))
    return Effect.gen({ self: this }, function* () {
      const refusals = yield* leaving(append(partition, plain, () => undefined))
      let why: string | undefined
      for (const [index, one] of some.entries()) {
        const refusal = refusals[index]
        // A marker is no event that anybody would miss.
        one.isThere = refusal === undefined || one.isMarker
        if (!one.isThere) why ??= refusal?.message
      }
      if (why !== undefined)
        return yield* new Trouble({ why: `a record is refused by ${placeText(place)}/${partition}: ${why}` })
    })
  }

  #tellOnce(why: string): Effect.Effect<void> {
    if (this.#isTold) return Effect.void
    this.#isTold = true
    return Telemetry.warn(
      `the move of ${this.#stream} waits: what a spill held for the place that it has left is not stored where it is now, and nothing of this process is until it is: ${why}`
    )
  }
}

/** What says no bucket only announces drops that nobody can place: it goes nowhere. */
function goingOf(record: ReceivedRecord): ReadonlyArray<Going> {
  const { id, dropped, isMarker } = readMeta(record.headers, "")
  const bucket = id?.bucket ?? dropped[0]?.bucket
  return bucket === undefined ? [] : [{ record, bucket, incarnation: id?.incarnation, isMarker, isThere: false }]
}

/** In each, a bucket comes once. */
function rounds(going: ReadonlyArray<Going>): ReadonlyArray<ReadonlyArray<Going>> {
  const all: Array<Array<Going>> = []
  const seen = new Map<number, number>()
  for (const one of going) {
    const index = seen.get(one.bucket) ?? 0
    seen.set(one.bucket, index + 1)
    const round = all[index]
    if (round === undefined) all[index] = [one]
    else round.push(one)
  }
  return all
}
