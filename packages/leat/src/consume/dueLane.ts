import { Clock, Effect, Stream } from "effect"
import { DueLine } from "./DueLine.ts"
import type { Lane, ReceivedBatch } from "../transport/index.ts"
import { monotonicMs, type Wake } from "../Wake.ts"

/**
 * A lane of a retry topic that gives its records when they are due, and not before. Who reads it knows nothing of due times. Nothing is pulled behind
 * what waits, and a lane that ends does not wait for what is not due. `delayMs`: of the tier as it is set; undefined: it is not listed. `changed` is
 * signalled when that may be another one.
 *
 * It tells of no holders that vanished: its position stands for as long as its first record waits, and each process that is killed meanwhile would
 * count as one that the record killed.
 */
export function dueLane(lane: Lane, delayMs: () => number | undefined, changed: Wake): Lane {
  const { id, partition, start, revoked, release } = lane
  const batches = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const pull = yield* Stream.toPull(lane.batches)
    const line = new DueLine()
    const pulled: Array<ReceivedBatch> = []
    const give = Effect.gen(function* () {
      if (line.isEmpty) {
        if (pulled.length === 0) pulled.push(...(yield* pull))
        const [batch] = pulled.splice(0, 1)
        const clocks = { wallMs: clock.currentTimeMillisUnsafe(), nowMs: monotonicMs(clock) }
        if (batch !== undefined) line.received(batch, clocks, delayMs())
      }
      for (let leftMs = leftOf(line, clock); leftMs > 0; leftMs = leftOf(line, clock)) {
        const isOver = yield* Effect.raceFirst(Effect.as(changed.waitFor(leftMs), false), Effect.as(revoked, true))
        // What is no longer held gives nothing more, and says why.
        if (isOver) return yield* pull
        line.configure(delayMs())
      }
      return [line.take(monotonicMs(clock))] as const
    })
    return Stream.fromPull(Effect.succeed(give))
  })
  const settle: Lane["settle"] = (position) => lane.settle(position)
  return { id, partition, start, abandoned: 0, batches: Stream.unwrap(batches), revoked, settle, release }
}

function leftOf(line: DueLine, clock: Clock.Clock): number {
  return line.dueMs - monotonicMs(clock)
}
