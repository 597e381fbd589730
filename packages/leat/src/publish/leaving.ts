/**
 * When the lanes of a leg may be left, because their stream moves: what of them may still be stored where it was sent. Nothing is offered to them
 * any more.
 */
import { Effect } from "effect"
import type { LegLanes } from "./LegLanes.ts"
import type { PumpedPartition } from "./Pumped.ts"
import type { Sink } from "./Sink.ts"

/** From one look at what a spill or a fallback holds to the next one, in milliseconds. */
const lookMs = 1000

/** From one look whether a spill still sends to the next, in milliseconds. */
const quietMs = 10

/** The lanes of a stream in a sink. */
export interface LanesOfSink {
  readonly lanes: LegLanes
  readonly sink: Sink
}

/**
 * Whether all that the lanes hold waits: nothing is on its way, in doubt, or on its way to the dead letters or to a spill. A fence that they owe is
 * not looked at.
 */
export function isUnsettled({ lanes }: Pick<LanesOfSink, "lanes">): boolean {
  return lanes.all.some((lane) => {
    let isWaiting = !lane.isOwed
    lane.census((_, __, ___, place) => (isWaiting &&= place === "queued"))
    return !isWaiting
  })
}

/**
 * Completes when nothing more of them lands where it was sent: what was on its way has its answer, what was in doubt, or was given up while it was, is
 * fenced. What waits still waits: shut the gate first.
 */
export function settled(leg: LanesOfSink): Effect.Effect<void> {
  return Effect.suspend(() => {
    const isFenced = fencesOf(leg)
    return leg.sink.changes.until(() => isFenced(!isUnsettled(leg)))
  })
}

/** As `settled`, and nothing is left of them: neither in the lanes, nor in what takes the place of their destination. */
export function drained(leg: LanesOfSink): Effect.Effect<void> {
  return Effect.suspend(() => {
    const isFenced = fencesOf(leg)
    const isEmpty = () => leg.lanes.all.every((lane) => lane.isEmpty)
    const ofLanes = leg.sink.changes.until(() => isFenced(isEmpty()))
    const look: Effect.Effect<void> = Effect.andThen(
      ofLanes,
      Effect.suspend(() => (standInHolds(leg) ? Effect.andThen(Effect.sleep(lookMs), look) : Effect.void))
    )
    return look
  })
}

/** Completes when the spill, or the fallback, of a sink holds nothing of a stream. */
export function standsInEmpty(sink: Sink, stream: string): Effect.Effect<void> {
  return Effect.suspend(() =>
    holdsOf(sink, stream) ? Effect.andThen(Effect.sleep(lookMs), standsInEmpty(sink, stream)) : Effect.void
  )
}

/** Completes when nothing that stands in for the place of a sink sends to it what is to leave it: a spill keeps that, a fallback has to be empty. */
export function standsInQuiet(sink: Sink, stream: string): Effect.Effect<void> {
  return Effect.suspend(() => {
    const { spill } = sink
    if (spill === undefined) return standsInEmpty(sink, stream)
    return spill.isLeaving ? Effect.andThen(Effect.sleep(quietMs), standsInQuiet(sink, stream)) : Effect.void
  })
}

/**
 * What they owe a fence for: asked with whether the lanes are done, says whether the fences have returned that were due then. Later ones are of
 * others, who may owe one after the other.
 */
function fencesOf({ lanes, sink }: LanesOfSink): (isDone: boolean) => boolean {
  let owed: ReadonlyArray<readonly [PumpedPartition, number]> | undefined
  return (isDone) => {
    if (!isDone) owed = undefined
    else
      owed ??= lanes.partitions.flatMap((number) => {
        const partition = sink.find(number)
        return partition?.isFenceOwed === true ? [[partition, partition.fences] as const] : []
      })
    return (
      owed?.every(
        ([partition, fences]) => partition.isClosed || !partition.isFenceOwed || partition.fences > fences
      ) === true
    )
  }
}

function standInHolds({ lanes, sink }: LanesOfSink): boolean {
  return lanes.partitions.some((partition) => sink.isSpilling(partition)) || holdsOf(sink, lanes.account.stream)
}

/**
 * Whether the spill, or the fallback, holds something of a stream. Whose it is that an earlier process has left in a spill nobody knows: it may be this
 * one's. A fallback does not say whose it is.
 */
export function holdsOf({ spilling, fallingBack, legs }: Sink, stream: string): boolean {
  let ofOthers = 0
  for (const account of legs.keys()) if (account.stream !== stream) ofOthers += account.spilled
  const fallen = (fallingBack?.partitions.length ?? 0) + (fallingBack?.waiting ?? 0)
  return (spilling?.records ?? 0) > ofOthers || fallen > 0
}
