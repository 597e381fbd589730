import { expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Scheduler, Stream } from "effect"
import { TestClock } from "effect/testing"
import { deadLetterHeaders, type Lane, type ReceivedBatch, TransportError } from "leat/transport"
import { describe } from "vitest"
import { dueLane } from "../../src/consume/dueLane.ts"
import { Wake } from "../../src/Wake.ts"

const lost = new TransportError({ reason: "LaneLost", transport: "memory", operation: "pull", detail: "gone" })

/** One record that is moved at the begin of time, and waits so many seconds. */
const batch = (position: number, seconds: number): ReceivedBatch => ({
  records: [
    {
      position: BigInt(position),
      key: null,
      value: null,
      headers: deadLetterHeaders({ by: "leat", replays: 0, moves: 1, atMs: 0, dueMs: seconds * 1000 }),
      timeMs: 0
    }
  ],
  next: BigInt(position + 1)
})

/** A lane that gives these batches, each when it is pulled, and then what `end` says when it is no longer held. */
const scripted = (batches: ReadonlyArray<ReadonlyArray<ReceivedBatch>>, end: Effect.Effect<never, TransportError>) => {
  const isOver = Deferred.makeUnsafe<void>()
  const log: Array<string> = []
  let pulls = 0
  const pull = Effect.suspend((): Effect.Effect<readonly [ReceivedBatch, ...Array<ReceivedBatch>], TransportError> => {
    const [first, ...others] = batches[pulls++] ?? []
    log.push(`pull ${pulls}`)
    return first === undefined ? Effect.andThen(Deferred.await(isOver), end) : Effect.succeed([first, ...others])
  })
  const inner: Lane = {
    id: "t/0",
    partition: 3,
    start: 7n,
    abandoned: 5,
    batches: Stream.fromPull(Effect.succeed(Effect.suspend(() => (Deferred.isDoneUnsafe(isOver) ? end : pull)))),
    revoked: Deferred.await(isOver),
    settle: (position) => Effect.sync(() => void log.push(`settle ${position}`)),
    release: Effect.sync(() => void log.push("release"))
  }
  const set: { delayMs: number | undefined } = { delayMs: undefined }
  const changed = new Wake(Scheduler.Scheduler.defaultValue())
  const lane = dueLane(inner, () => set.delayMs, changed)
  const given: Array<number> = []
  const running = Effect.forkChild(
    Stream.runForEach(lane.batches, ({ records }) =>
      Effect.sync(() => void given.push(...records.map(({ position }) => Number(position))))
    )
  )
  return { lane, given, log, running, set, changed, over: Deferred.succeed(isOver, undefined) }
}

const never = Effect.never

describe("a lane of a retry topic", () => {
  it.effect("gives what is due, pulls nothing behind what is not, and all of what came at once", () =>
    Effect.gen(function* () {
      const { given, log, running } = scripted(
        [[batch(0, 0), batch(1, 10)], [batch(2, 20), batch(3, 20)], [batch(4, 5)]],
        never
      )
      yield* running
      yield* TestClock.adjust("9 seconds")
      expect([given, log]).toEqual([[0], ["pull 1"]])
      yield* TestClock.adjust("2 seconds")
      expect([given, log]).toEqual([
        [0, 1],
        ["pull 1", "pull 2"]
      ])
      yield* TestClock.adjust("8 seconds")
      expect(given).toEqual([0, 1])
      yield* TestClock.adjust("2 seconds")
      expect(given).toEqual([0, 1, 2, 3, 4])
    })
  )

  it.effect("takes over a shorter delay at once, and a signal that changes nothing", () =>
    Effect.gen(function* () {
      const { given, running, set, changed } = scripted([[batch(0, 3600)]], never)
      yield* running
      yield* TestClock.adjust("70 seconds")
      changed.signal()
      yield* TestClock.adjust("1 second")
      expect(given).toEqual([])
      set.delayMs = 60_000
      changed.signal()
      yield* TestClock.adjust("1 second")
      expect(given).toEqual([0])
    })
  )

  it.effect("is the lane that it was in everything else, but for those that vanished", () =>
    Effect.gen(function* () {
      const { lane, log } = scripted([], never)
      const { id, partition, start, abandoned } = lane
      expect({ id, partition, start, abandoned }).toEqual({ id: "t/0", partition: 3, start: 7n, abandoned: 0 })
      yield* lane.settle(9n)
      yield* lane.release
      expect(log).toEqual(["settle 9", "release"])
    })
  )

  it.effect("says at once that it is lost, or revoked, whatever waits in it", () =>
    Effect.gen(function* () {
      const gone = scripted([[batch(0, 3600)]], Effect.fail(lost))
      const fiber = yield* gone.running
      yield* TestClock.adjust("1 second")
      yield* gone.over
      yield* TestClock.adjust(0)
      expect(fiber.pollUnsafe()).toEqual(Exit.fail(lost))
      const ended = scripted([[batch(0, 3600)]], Cause.done() as Effect.Effect<never, never>)
      const other = yield* ended.running
      yield* TestClock.adjust("1 second")
      yield* ended.over
      yield* TestClock.adjust(0)
      expect(other.pollUnsafe()).toEqual(Exit.void)
      expect([gone.given, ended.given]).toEqual([[], []])
    })
  )
})
