import { Clock, Effect, Stream } from "effect"
import * as Telemetry from "../Telemetry.ts"
import type { Lane } from "../transport/index.ts"
import { monotonicMs, type Wake } from "../Wake.ts"
import { EpochLine } from "./EpochLine.ts"
import type { PlaceEpochs } from "./PlaceEpochs.ts"
import type { ReadableLane } from "./SourceOptions.ts"
import type { PlacePartition, WaitsFor } from "./SettledPositions.ts"

/** How long a record may wait until the control stream has told of its epoch before a warning says so, in milliseconds. */
const tellMs = 10_000

/**
 * A lane in a place of a stream that may move. It gives what the group may read there now, and nothing else: nothing is pulled before there is such a
 * range, and what was pulled behind it is kept. Who reads it knows nothing of epochs. While nobody moves the stream it is the lane that it was.
 * `changed` is signalled when the placement or what is settled may be another one.
 *
 * It tells of no holders that vanished while it stands: its position stands as long as another place is read, and each process that is killed meanwhile
 * would count as one that a record killed.
 */
export function epochLane(lane: Lane, epochs: PlaceEpochs, stream: string, changed: Wake): ReadableLane {
  const { id, partition, start } = lane
  const { positions, topic } = epochs
  const at: PlacePartition = { topic, partition }
  const over = Effect.sync(() => positions.over(at))
  positions.begun(at, Number(start))
  const { placement } = epochs
  const mayRead = placement === undefined || epochs.readableOf(placement, partition).readable !== undefined
  return {
    id,
    partition,
    start,
    abandoned: mayRead ? lane.abandoned : 0,
    batches: batchesOf(lane, epochs, new EpochLine(stream, start), changed),
    revoked: Effect.tap(lane.revoked, over),
    settle: (position) =>
      Effect.andThen(
        lane.settle(position),
        Effect.sync(() => positions.settled(at, Number(position)))
      ),
    release: Effect.ensuring(lane.release, over)
  }
}

function batchesOf(
  { batches, partition, revoked, id }: Lane,
  epochs: PlaceEpochs,
  line: EpochLine,
  changed: Wake
): ReadableLane["batches"] {
  const { positions } = epochs
  const giving = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const pull = yield* Stream.toPull(batches)
    let standsSinceMs: number | undefined
    /** Waits for a change; says whether the lane is no longer held. */
    const stand = (waitsFor: WaitsFor | undefined, version: number) =>
      Effect.acquireUseRelease(
        Effect.sync(() => positions.stand(changed, waitsFor)),
        () => {
          if (positions.version !== version) return Effect.succeed(false)
          const isOver = Effect.raceFirst(Effect.as(changed.wait, false), Effect.as(revoked, true))
          if (line.newer === undefined || standsSinceMs === Number.POSITIVE_INFINITY) return isOver
          standsSinceMs ??= monotonicMs(clock)
          const leftMs = standsSinceMs + tellMs - monotonicMs(clock)
          const told = Effect.suspend(() => {
            standsSinceMs = Number.POSITIVE_INFINITY
            return Telemetry.warn(
              `${id} stands at position ${line.position}: a record says epoch ${line.newer}, of which the control stream has not told yet`
            )
          })
          return Effect.raceFirst(isOver, Effect.as(Effect.delay(told, Math.max(0, leftMs)), false))
        },
        (leave) => Effect.sync(leave)
      )
    const givePlaced = Effect.gen(function* () {
      for (;;) {
        const { placement } = epochs
        const { version } = positions
        line.newer = undefined
        const { readable, waitsFor } = placement === undefined ? {} : epochs.readableOf(placement, partition)
        const isAtEnd = readable?.end !== undefined && line.position >= readable.end
        if (readable !== undefined && !isAtEnd) {
          if (line.isEmpty) {
            line.received(yield* pull)
            continue
          }
          const given = line.take(readable, placement?.epochs[0]?.epoch ?? 0)
          if (given !== undefined) {
            standsSinceMs = undefined
            return [given] as const
          }
          // A batch in which nothing was to be given has gone.
          if (line.isEmpty) continue
        }
        // What is no longer held gives nothing more, and says why.
        const own = isAtEnd ? { topic: epochs.topic, partition, until: readable.end ?? 0 } : undefined
        if (yield* stand(own ?? waitsFor, version)) return yield* pull
      }
    })
    const give = Effect.suspend(() => {
      if (epochs.placement !== undefined || !line.isEmpty) return givePlaced
      return Effect.flatMap(pull, (pulled) => {
        // It may have been placed meanwhile.
        if (epochs.placement === undefined) {
          line.passed(pulled)
          return Effect.succeed(pulled)
        }
        line.received(pulled)
        return givePlaced
      })
    })
    return Stream.fromPull(Effect.succeed(give))
  })
  return Stream.unwrap(giving)
}
