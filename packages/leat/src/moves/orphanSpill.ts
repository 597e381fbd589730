/**
 * A spill of a place that nobody here has open, which a process before this one has left: what it holds of streams that have left that place is
 * carried to where they are. The rest stays for whoever opens the place, and holds up the settling of what stands behind it: a carrier knows what it
 * has carried, and does not carry that again when it is read again.
 */
import { Clock, type Context, Effect } from "effect"
import { type Carrier, type Departures, firstStretch } from "../publish/spill/Departures.ts"
import { type ProvenPart, proving, provenSoon, notProven, unprovenText } from "../publish/spill/proving.ts"
import { readSpill } from "../publish/spill/readSpill.ts"
import { type Spill, SpillPart } from "../publish/spill/Spill.ts"
import { Followed } from "../publish/spill/SpillBook.ts"
import { type SpillBounds, SpillLanes } from "../publish/spill/SpillLanes.ts"
import { markerOwner, taggedStream } from "../record/CompactHeader.ts"
import { readMeta } from "../record/Wire.ts"
import type { Position, ReceivedRecord, Transport } from "../transport/index.ts"
import { monotonicMs } from "../Wake.ts"

export interface Orphan {
  readonly transport: Transport
  /** Of the spill. */
  readonly topic: string
  readonly partitions: number
  /** The place that it was for. */
  readonly sink: string
  readonly departures: Departures
  readonly context: Context.Context<never>
  readonly tell: (what: string, more: string) => Effect.Effect<void>
}

/** Completes when all is carried that may be; waits while another process has the spill. */
export function orphanCarried(orphan: Orphan): Effect.Effect<void> {
  const { transport, topic, partitions, sink, context, tell, departures } = orphan
  const spill = readSpill(transport, topic, partitions, context)
  const once = Effect.scoped(
    Effect.gen(function* () {
      const lanes = yield* SpillLanes.open(spill, sink)
      const carrying = Effect.gen(function* () {
        const bounds = yield* lanes.bounds
        const left = bounds.reduce((total, { settled, end }) => total + Math.max(0, Number(end - settled)), 0)
        if (left > 0)
          yield* tell(`carries what a process before this one has left in ${spill.name}`, `: ${left} records`)
        const clock = yield* Clock.Clock
        const parts = bounds.map((one) => new OrphanPart(orphan, spill, lanes, one, () => monotonicMs(clock)))
        for (const one of parts) yield* Effect.forkScoped(proving(departures, one))
        yield* Effect.forEach(parts, (one) => one.carried, { concurrency: "unbounded", discard: true })
        yield* provenSoon(departures, parts)
        yield* Effect.forEach(parts, (one) => one.last, { concurrency: "unbounded", discard: true })
        // It is read again with each look, and settled once it is known.
        if (parts.some(({ part }) => part.unproven.sinceMs !== undefined))
          yield* tell(
            "has carried what an earlier process has left",
            `: ${spill.name} ${unprovenText(departures.trouble)}`
          )
        const others = parts.reduce((total, { kept }) => total + kept, 0)
        if (others > 0)
          yield* tell(
            `leaves records of other streams in ${spill.name}`,
            `: ${others}; they are sent when a process opens one of these, and a process that is started before that carries once more what was carried past them`
          )
        return true
      })
      // Who has got it meanwhile carries what it holds; what is left is looked for anew.
      return yield* Effect.raceFirst(carrying, Effect.as(lanes.lost, false))
    })
  )
  return Effect.asVoid(Effect.repeat(once, { until: (isDone) => isDone }))
}

class OrphanPart implements ProvenPart {
  readonly spill: Spill
  readonly part: SpillPart
  readonly nowMs: () => number
  /** Records that stay. */
  kept = 0
  /** Streams of which some stay: what stands behind those in this partition stays too, whatever has become of its stream meanwhile. */
  readonly #staying = new Set<string | undefined>()
  readonly #orphan: Orphan
  readonly #lanes: SpillLanes
  readonly #bounds: SpillBounds
  /** Nothing stays before this position. */
  #done: Position

  constructor(orphan: Orphan, spill: Spill, lanes: SpillLanes, bounds: SpillBounds, nowMs: () => number) {
    this.spill = spill
    this.part = spill.parts[bounds.partition] ?? new SpillPart(new Followed())
    this.nowMs = nowMs
    this.#orphan = orphan
    this.#lanes = lanes
    this.#bounds = bounds
    this.#done = bounds.settled
  }

  get settle(): Effect.Effect<unknown> {
    return Effect.suspend(() => this.#lanes.settle(this.#bounds.partition, this.#done))
  }

  get last(): Effect.Effect<void> {
    return Effect.suspend(() => this.#lanes.last(this.#bounds.partition, this.#done))
  }

  /** Its stream goes on from where it was carried, and whoever waits for this begins anew. */
  lost(): void {}

  /** Completes when all is carried that may be. */
  get carried(): Effect.Effect<void> {
    const { sink, departures } = this.#orphan
    const { partition, settled, end } = this.#bounds
    return Effect.gen({ self: this }, function* () {
      for (let at = settled; at < end;) {
        const { records, next } = yield* this.#lanes.read(partition, at, end)
        for (let left = records; left.length > 0;) {
          const { fate, records: some } = firstStretch(left, sink, departures)
          left = left.slice(some.length)
          if (typeof fate === "string" || some.some((record) => this.#staying.has(taggedOf(record)))) {
            this.kept += some.length
            for (const record of some) this.#staying.add(taggedOf(record))
            continue
          }
          let count = 0
          yield* fate.carry(some, (more) => {
            // The stream goes on from there: whoever waits for this begins anew.
            if (firstStretch(some, sink, departures).fate !== fate) return false
            this.#stored(some.slice(count, count + more), fate)
            count += more
            return true
          })
          if (count < some.length) return yield* Effect.never
        }
        at = next
        if (this.kept > 0) continue
        this.#done = at
        yield* this.settle
      }
    })
  }

  #stored(records: ReadonlyArray<ReceivedRecord>, carrier: Carrier): void {
    const { part } = this
    const { isOwn } = this.#orphan.departures
    if (records.some((record) => !isOwn(record))) notProven(part, records, [carrier.written])
    for (const record of records) {
      arrived(record, carrier.arrived)
      part.at = record.position + 1n
    }
    if (this.kept === 0) this.#done = part.at
    part.unproven.ended(part.at, this.nowMs())
  }
}

/** The stream of a record, in whichever wire it is. */
function taggedOf({ headers }: ReceivedRecord): string | undefined {
  const { id, isMarker } = readMeta(headers, "")
  const stream = isMarker ? markerOwner(headers[0]?.[1])?.tag : id?.stream
  return stream === undefined || stream.startsWith("#") ? stream : taggedStream(stream)
}

function arrived({ headers }: ReceivedRecord, tell: Carrier["arrived"]): void {
  const { id, isMarker } = readMeta(headers, "")
  if (id !== undefined && !isMarker) tell(id)
}
