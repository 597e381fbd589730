/**
 * What stands in the spill of a place that a stream has left, on its way to where the stream is now: under its own ids, in the epoch that is written.
 * Records of one partition go in one append, which stops at one that is refused: that holds up those of its bucket behind it, and no others.
 */
import { Effect, Result, Scope } from "effect"
import type { Epoch } from "../control/Placement.ts"
import type { Journal, WriteAccount } from "../ledger/Ledger.ts"
import type { Carrier } from "../publish/spill/Departures.ts"
import type { Written } from "../publish/spill/Unproven.ts"
import type { EventId } from "../record/EventId.ts"
import { sizeOf } from "../record/batchOf.ts"
import { inEpoch } from "../record/redress.ts"
import { readMeta } from "../record/Wire.ts"
import * as Telemetry from "../Telemetry.ts"
import { leaving } from "../transport/endWithin.ts"
import { type Forwarder, openForwarder } from "../transport/Forwarder.ts"
import type { ReceivedRecord, TransportError } from "../transport/index.ts"
import { CarriedRecords } from "./CarriedRecords.ts"
import { answered, type Places, placeText } from "./Places.ts"
import { Trouble } from "./Trouble.ts"

/** Records, and their bytes, after which it is told how many have arrived: so many may be copies when this process is killed. */
const [toldEvery, toldBytes] = [1024, 1024 ** 2]

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
  /** Completes when it would count there, as far as is known. */
  readonly mayCount: (stream: string, epoch: number) => Effect.Effect<void>
  /** Completes when nothing is to be swept any more that these have stored in older epochs. */
  readonly swept: (stream: string, epoch: number, members: ReadonlySet<string>) => Effect.Effect<void>
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
  /** Why nothing is stored there at the moment. */
  #trouble: string | undefined
  /** Who has nothing to be swept any more. */
  readonly #isSwept = new Set<string>()
  /** What others have left and this has stored, while it is not known whether it counts there; the last of them is added to. Else it is carried on. */
  #unproven: ReadonlyArray<CarriedRecords> = [new CarriedRecords()]

  constructor(stream: string, to: Epoch, home: CarrierHome) {
    this.#stream = stream
    this.to = to
    this.#home = home
  }

  get what(): string {
    const why = this.#trouble === undefined ? "" : `: ${this.#trouble}`
    return `${this.#stream} is carried to ${placeText(this.to.place)}${why}`
  }

  get written(): Written {
    return { stream: this.#stream, epoch: this.to.epoch, carrier: this }
  }

  readonly arrived = (id: EventId): void => {
    const { journal, carried, member } = this.#home
    if (id.incarnation !== member) {
      this.#unproven.at(-1)?.add(id)
      return
    }
    if (!carried.add(id)) return
    const there = this.#account
    there.stored++
    if (there.movedIn === 0) there.moveBegan?.(there)
    there.movedIn++
    journal?.moved(there, id.bucket, id.seq, "movedOut", "stored")
  }

  readonly asked = (): (() => void) => {
    const before = this.#unproven.filter((some) => !some.isEmpty)
    this.#unproven = [...before, new CarriedRecords()]
    return () => {
      const proven = before.filter((some) => this.#unproven.includes(some))
      this.#unproven = this.#unproven.filter((some) => !proven.includes(some))
      for (const some of proven) {
        // The rows of a process say what has become of its own events: what it was left is beside them.
        const count = this.#home.carried.addAll(some)
        if (count === 0) continue
        this.#account.stored += count
        this.#account.recovered += count
      }
    }
  }

  get #account(): WriteAccount {
    return this.#home.account(placeText(this.to.place), this.to.epoch)
  }

  #hasCarried(record: ReceivedRecord): boolean {
    return [this.#home.carried, ...this.#unproven].some((some) => some.hasCarried(record))
  }

  carry(records: ReadonlyArray<ReceivedRecord>, stored: (count: number) => boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let at = 0; at < records.length;) {
        // One alone at first: where that is refused nothing behind it is stored, again with each process that begins with it.
        const some = at === 0 ? records.slice(0, 1) : portionAt(records, at)
        at += some.length
        let told = 0
        const going = some.flatMap(goingOf)
        for (const one of going) one.isThere = this.#hasCarried(one.record)
        const isOthers = going.some(({ incarnation, isThere }) => !isThere && incarnation !== this.#home.member)
        if (isOthers) yield* this.#home.mayCount(this.#stream, this.to.epoch)
        yield* this.#swept(going)
        for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
          const tried = yield* Effect.result(this.#sent(going))
          this.#trouble = Result.isSuccess(tried) ? undefined : tried.failure.why
          if (Result.isSuccess(tried)) break
          const there = leading(some, going)
          if (there > told && !stored(there - told)) return
          told = there
          yield* this.#tellOnce(tried.failure.why)
          yield* Effect.sleep(pauseMs)
        }
        if (!stored(some.length - told)) return
        const own = this.#home.carried
        for (const { record, isMarker, incarnation } of going)
          if (isMarker) (incarnation === this.#home.member ? own : this.#unproven.at(-1))?.addMarker(record)
      }
    })
  }

  /** What others have left waits for what they have stored behind the end of an epoch: that stood in front of it. */
  #swept(going: ReadonlyArray<Going>): Effect.Effect<void> {
    const { member, swept } = this.#home
    const asked = new Set<string>()
    for (const { incarnation = member, isThere } of going)
      if (!isThere && incarnation !== member && !this.#isSwept.has(incarnation)) asked.add(incarnation)
    if (asked.size === 0) return Effect.void
    return Effect.map(swept(this.#stream, this.to.epoch, asked), () => {
      for (const incarnation of asked) this.#isSwept.add(incarnation)
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
        const left = Map.groupBy(
          going.filter(({ isThere }) => !isThere),
          ({ bucket }) => bucket % partitions
        )
        // A partition that refuses one takes the others all the same.
        const refusals = yield* Effect.forEach(left, ([partition, some]) => this.#append(forwarder, partition, some), {
          concurrency
        })
        const [why] = refusals.flat()
        if (why !== undefined) return yield* new Trouble({ why })
      })
    )
  }

  /** Gives why records are refused. */
  #append(forwarder: Forwarder, partition: number, some: ReadonlyArray<Going>): Effect.Effect<ReadonlyArray<string>> {
    const { place, epoch } = this.to
    const onWaiting = ({ message }: TransportError) => {
      this.#trouble = `${placeText(place)}/${partition}: ${message}`
    }
    return Effect.gen(function* () {
      const whys: Array<string> = []
      const held = new Set<number>()
      for (let left = some; left.length > 0;) {
        const plain = left.map(({ record: { key, value, headers, timeMs } }) => ({
          key,
          value,
          headers: inEpoch(headers, epoch),
          timeMs
        }))
        const fates = yield* leaving(forwarder.appendUntilRefused(partition, plain, onWaiting))
        for (const [index, one] of left.entries()) {
          const fate = fates[index] ?? "unsent"
          // A marker is no event that anybody would miss.
          one.isThere = fate === "stored" || (fate !== "unsent" && one.isMarker)
          if (one.isThere || fate === "unsent" || fate === "stored") continue
          held.add(one.bucket)
          whys.push(`a record is refused by ${placeText(place)}/${partition}: ${fate.message}`)
        }
        left = left.filter(({ isThere, bucket }) => !isThere && !held.has(bucket))
      }
      return whys
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

/** How many records in front are there, or go nowhere. */
function leading(records: ReadonlyArray<ReceivedRecord>, going: ReadonlyArray<Going>): number {
  const missing = new Set(going.flatMap(({ record, isThere }) => (isThere ? [] : [record])))
  const first = records.findIndex((record) => missing.has(record))
  return first < 0 ? records.length : first
}

/** At least one. */
function portionAt(records: ReadonlyArray<ReceivedRecord>, at: number): ReadonlyArray<ReceivedRecord> {
  let end = at
  for (let bytes = 0; end < records.length && end - at < toldEvery; end++) {
    const record = records[end]
    bytes += record === undefined ? 0 : sizeOf(record)
    if (bytes > toldBytes && end > at) break
  }
  return records.slice(at, end)
}
