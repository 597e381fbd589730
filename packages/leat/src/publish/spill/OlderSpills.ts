/**
 * Spills of the same destination that processes before this one had while its topic had another number of partitions. Nothing goes there any more: what
 * they hold is taken over into the spill of today, in order and before anything of this process, and goes on from there as if it had been left in that.
 */
import { type Context, Effect, Option, Scope } from "effect"
import { readMeta } from "../../record/Wire.ts"
import type { Leg } from "../../routes/Route.ts"
import { warn } from "../../Telemetry.ts"
import { type Forwarder, openForwarder } from "../../transport/Forwarder.ts"
import type { ReceivedRecord, TransportError } from "../../transport/index.ts"
import { answered, asked } from "./answers.ts"
import type { Departures } from "./Departures.ts"
import { spilledPartitions, spillTopic } from "./openSpill.ts"
import { heldIn, readSpill } from "./readSpill.ts"
import type { Spill } from "./Spill.ts"
import { type SpillBounds, SpillLanes } from "./SpillLanes.ts"

/** What is asked of the drain. */
export interface OlderHome {
  readonly leg: Leg
  readonly departures: Departures | undefined
}

interface Refused {
  readonly record: ReceivedRecord
  readonly error: TransportError
}

/** One that holds something. */
interface Older {
  readonly topic: string
  readonly partitions: number
}

export class OlderSpills {
  readonly #spill: Spill
  readonly #home: OlderHome
  readonly #context: Context.Context<never>
  /** Whether it was looked once: at first this process has as many partitions as the topic. */
  #isLater = false
  /** Which were said to belong to another process. */
  readonly #told = new Set<string>()

  constructor(spill: Spill, home: OlderHome, context: Context.Context<never>) {
    this.#spill = spill
    this.#home = home
    this.#context = context
  }

  /** Whether any of them holds something; asked once. */
  get isHolding(): Effect.Effect<boolean, TransportError> {
    return Effect.map(this.#holding, (found) => found.length > 0)
  }

  /** Takes over what they hold. Who is dead gives a spill back within its lease; one that another process still has after `waitMs` stays as it is. */
  taken(waitMs: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const holding = yield* asked(answered(this.#holding, this.#spill.place, "bounds"), this.#spill)
      for (const one of holding) yield* Effect.scoped(this.#takenFrom(one, waitMs))
      this.#isLater = true
      this.#spill.why = undefined
    })
  }

  /** Those of fewer partitions first: a topic gets more. */
  get #holding(): Effect.Effect<ReadonlyArray<Older>, TransportError> {
    const { transport } = this.#spill.place
    const { leg } = this.#home
    return Effect.gen({ self: this }, function* () {
      const found: Array<Older> = []
      const counts = (yield* spilledPartitions(transport, leg)).toSorted((a, b) => a - b)
      for (const partitions of counts) {
        const own = this.#spill.parts.length
        // Later the topic may have got more, and those are of processes that know it.
        if (partitions === own || (this.#isLater && partitions > own)) continue
        const topic = spillTopic(leg, partitions)
        if ((yield* heldIn(transport, topic)) > 0) found.push({ topic, partitions })
      }
      return found
    })
  }

  #takenFrom({ topic, partitions }: Older, waitMs: number): Effect.Effect<void, never, Scope.Scope> {
    const { sink } = this.#home.leg
    const older = readSpill(this.#spill.place.transport, topic, partitions, this.#context)
    return Effect.gen({ self: this }, function* () {
      this.#spill.why = () => `waits for ${older.name}, which ${older.why?.() ?? "is read"}`
      const opened = yield* Effect.timeoutOption(SpillLanes.open(older, sink), waitMs)
      if (Option.isSome(opened)) {
        const lanes = opened.value
        return yield* Effect.raceFirst(this.#copied(older, lanes), lanes.lost)
      }
      if (this.#told.has(topic)) return
      this.#told.add(topic)
      yield* warn(
        `${older.name}, which is of ${partitions} partitions where ${sink} has ${this.#spill.parts.length} now, belongs to another process still: what it holds is sent once that has ended`
      )
    })
  }

  #copied(older: Spill, lanes: SpillLanes): Effect.Effect<void, never, Scope.Scope> {
    const { place, parts, name } = this.#spill
    const { transport, topic } = place
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Effect.scope
      const opening = Scope.provide(openForwarder(transport, { topic, partitions: parts.length }), scope)
      const forwarder = yield* asked(answered(opening, place, "openWriter"), this.#spill)
      let taken = 0
      for (const bounds of yield* lanes.bounds) taken += yield* this.#copiedOf(older, lanes, forwarder, bounds)
      if (taken === 0) return
      yield* warn(
        `${taken} records of ${older.name} are taken over into ${name}: ${this.#home.leg.sink} had ${older.parts.length} partitions then, and has ${parts.length} now`
      )
    })
  }

  /** Gives how many were taken over. What is not there any more is told, and what the disk refuses stays, with all behind it. */
  #copiedOf(
    older: Spill,
    lanes: SpillLanes,
    forwarder: Forwarder,
    { partition, start, settled, end }: SpillBounds
  ): Effect.Effect<number> {
    return Effect.gen({ self: this }, function* () {
      let taken = 0
      let at = start > settled ? start : settled
      let missing = Number(at - settled)
      while (at < end) {
        const { records, next } = yield* lanes.read(partition, at, end)
        const refused = yield* this.#appended(forwarder, partition, records)
        const stays = refused === undefined ? records.length : records.indexOf(refused.record)
        const to = refused?.record.position ?? next
        missing += Number(to - at) - stays
        taken += stays
        at = to
        yield* lanes.settle(partition, at)
        if (refused === undefined) continue
        yield* warn(
          `${older.name} keeps what it holds of partition ${partition} from position ${at} on: ${this.#spill.name} refuses it: ${refused.error.message}`
        )
        break
      }
      yield* lanes.last(partition, at)
      if (missing > 0)
        yield* warn(
          `${missing} records of partition ${partition} of ${older.name} cannot be read: events for ${this.#home.leg.sink} that stood there are lost`
        )
      return taken
    })
  }

  /** Says which is the first that is refused for good. The first of all goes alone: behind one that is refused nothing is copied, again with each look. */
  #appended(
    forwarder: Forwarder,
    partition: number,
    records: ReadonlyArray<ReceivedRecord>
  ): Effect.Effect<Refused | undefined> {
    const rest = Map.groupBy(records.slice(1), (record) => this.#partitionOf(record, partition))
    const runs = [
      ...records.slice(0, 1).map((record) => [this.#partitionOf(record, partition), [record]] as const),
      ...rest
    ]
    return Effect.gen(function* () {
      let first: Refused | undefined
      for (const [to, some] of runs) {
        const fates = yield* forwarder.appendUntilRefused(to, some)
        for (const [index, error] of fates.entries()) {
          const record = some[index]
          if (typeof error === "string" || record === undefined) continue
          if (first === undefined || record.position < first.record.position) first = { record, error }
        }
        if (first?.record === records[0]) break
      }
      return first
    })
  }

  /** As whoever publishes it: a stream that is placed goes to as many partitions as the place had when it was placed there. */
  #partitionOf({ headers }: ReceivedRecord, partition: number): number {
    const { parts } = this.#spill
    const { leg, departures } = this.#home
    const { id, dropped, epoch } = readMeta(headers, "")
    // What says no bucket only announces drops that nobody can place.
    const bucket = id?.bucket ?? dropped[0]?.bucket ?? partition
    const written = id === undefined ? undefined : departures?.partitionsOf(id.stream, leg.sink, epoch)
    return bucket % Math.min(written ?? parts.length, parts.length)
  }
}
