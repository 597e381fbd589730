/**
 * A spill of a place that nobody here has open, which a process before this one has left: what it holds of streams that have left that place is
 * carried to where they are. The rest stays for whoever opens the place, and holds up the settling of what stands behind it: a carrier knows what it
 * has carried, and does not carry that again when it is read again.
 */
import { type Context, Effect } from "effect"
import { type Carrier, type Departures, firstStretch } from "../publish/spill/Departures.ts"
import { readSpill } from "../publish/spill/readSpill.ts"
import { type SpillBounds, SpillLanes } from "../publish/spill/SpillLanes.ts"
import { readMeta } from "../record/Wire.ts"
import type { ReceivedRecord, Transport } from "../transport/index.ts"

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
  const { transport, topic, partitions, sink, context, tell } = orphan
  const spill = readSpill(transport, topic, partitions, context)
  const once = Effect.scoped(
    Effect.gen(function* () {
      const lanes = yield* SpillLanes.open(spill, sink)
      const carrying = Effect.gen(function* () {
        const bounds = yield* lanes.bounds
        const left = bounds.reduce((total, { settled, end }) => total + Math.max(0, Number(end - settled)), 0)
        if (left > 0)
          yield* tell(`carries what a process before this one has left in ${spill.name}`, `: ${left} records`)
        const kept = yield* Effect.forEach(bounds, (one) => partitionCarried(orphan, lanes, one), {
          concurrency: "unbounded"
        })
        const others = kept.reduce((total, count) => total + count, 0)
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

/** Gives how many records stay. */
function partitionCarried(
  { sink, departures }: Orphan,
  lanes: SpillLanes,
  { partition, settled, end }: SpillBounds
): Effect.Effect<number> {
  return Effect.gen(function* () {
    let kept = 0
    let done = settled
    for (let at = settled; at < end;) {
      const { records, next } = yield* lanes.read(partition, at, end)
      for (let left = records; left.length > 0;) {
        const { fate, records: some } = firstStretch(left, sink, departures)
        left = left.slice(some.length)
        if (typeof fate === "string") {
          kept += some.length
          continue
        }
        let count = 0
        yield* fate.carry(some, (more) => {
          // The stream goes on from there: whoever waits for this begins anew.
          if (firstStretch(some, sink, departures).fate !== fate) return false
          for (const record of some.slice(count, count + more)) arrived(record, fate.arrived)
          count += more
          return true
        })
        if (count < some.length) return yield* Effect.never
      }
      at = next
      if (kept > 0) continue
      done = at
      yield* lanes.settle(partition, done)
    }
    yield* lanes.last(partition, done)
    return kept
  })
}

function arrived({ headers }: ReceivedRecord, tell: Carrier["arrived"]): void {
  const { id, isMarker } = readMeta(headers, "")
  if (id !== undefined && !isMarker) tell(id)
}
