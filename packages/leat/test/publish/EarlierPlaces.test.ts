import { Effect, Exit, Fiber } from "effect"
import { simulate } from "leat/testing"
import { type PartitionBounds, type Transport, TransportError, type Writer } from "leat/transport"
import { describe, expect, it } from "vitest"
import { EarlierPlaces } from "../../src/publish/fallback/EarlierPlaces.ts"
import type { FallbackPlace } from "../../src/publish/fallback/openFallback.ts"

const away = new TransportError({
  reason: "Unavailable",
  transport: "memory",
  operation: "bounds",
  detail: "not there"
})

/** A place of which nothing is used but its bounds. */
const placeOf = (index: number, bounds: Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError>) => {
  const place: Omit<FallbackPlace, "transport" | "writer"> = {
    index,
    cluster: `${index}`,
    name: `place ${index}`,
    topic: "notes",
    back: "redrive",
    bounds: []
  }
  return { ...place, transport: { bounds: () => bounds } as unknown as Transport, writer: {} as Writer }
}

const row = (partition: number, settled: bigint, end: bigint): PartitionBounds => ({
  partition,
  start: 0n,
  settled,
  end
})

const told = () => undefined

const story = (program: Effect.Effect<void, unknown>) => {
  const { exit } = simulate(1, program)
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
}

/** Runs it, and says after so many milliseconds each whether it has ended. */
const endsAfter = Effect.fnUntraced(function* (waiting: Effect.Effect<void>, steps: ReadonlyArray<() => void>) {
  const fiber = yield* Effect.forkChild(waiting, { startImmediately: true })
  const ended: Array<boolean> = []
  for (const step of steps) {
    yield* Effect.sleep(5000)
    ended.push(fiber.pollUnsafe() !== undefined)
    step()
  }
  yield* Effect.sleep(5000)
  ended.push(fiber.pollUnsafe() !== undefined)
  yield* Fiber.interrupt(fiber)
  return ended
})

describe("what earlier places hold", () => {
  it("is waited for as far as it stood there, and what is stored later is not", () => {
    let rows = [row(0, 3n, 10n), row(1, 0n, 99n)]
    const earlier = new EarlierPlaces(
      [
        placeOf(
          0,
          Effect.sync(() => rows)
        )
      ],
      { stands: told },
      { nowMs: 0 }
    )
    const steps = [
      () => (rows = [row(0, 9n, 50n), row(1, 0n, 99n)]),
      () => (rows = [row(0, 10n, 90n), row(1, 0n, 99n)])
    ]
    story(
      Effect.gen(function* () {
        expect(yield* endsAfter(earlier.sentOn(0), steps)).toEqual([false, false, true])
      })
    )
  })

  it("is waited for in all of them", () => {
    let rows = [row(0, 3n, 10n)]
    const places = [
      placeOf(0, Effect.succeed([row(0, 5n, 5n)])),
      placeOf(
        1,
        Effect.sync(() => rows)
      )
    ]
    const earlier = new EarlierPlaces(places, { stands: told }, { nowMs: 0 })
    story(
      Effect.gen(function* () {
        expect(yield* endsAfter(earlier.sentOn(0), [() => (rows = [row(0, 10n, 10n)])])).toEqual([false, true])
      })
    )
  })

  it("is nothing where a topic was made anew, which is believed when it is said twice", () => {
    let rows = [row(0, 3n, 10n)]
    const earlier = new EarlierPlaces(
      [
        placeOf(
          0,
          Effect.sync(() => rows)
        )
      ],
      { stands: told },
      { nowMs: 0 }
    )
    story(
      Effect.gen(function* () {
        expect(yield* endsAfter(earlier.sentOn(0), [() => (rows = [row(0, 0n, 0n)])])).toEqual([false, true])
        // A broker that has just taken over says it once.
        let looks = 0
        const once = Effect.sync(() => [looks++ === 1 ? row(0, 3n, 3n) : row(0, 3n, 10n)])
        const other = new EarlierPlaces([placeOf(0, once)], { stands: told }, { nowMs: 0 })
        expect(yield* endsAfter(other.sentOn(0), [])).toEqual([false])
        expect(looks).toBeGreaterThan(2)
      })
    )
  })

  it("is waited for while it is not known, and that is said", () => {
    let isAway = true
    const asked = Effect.suspend(() => (isAway ? Effect.fail(away) : Effect.succeed([row(0, 1n, 1n)])))
    const said: Array<unknown> = []
    const stands = (...words: ReadonlyArray<unknown>) => void said.push(words)
    const earlier = new EarlierPlaces([placeOf(0, asked)], { stands }, { nowMs: 7 })
    story(
      Effect.gen(function* () {
        expect(yield* endsAfter(earlier.sentOn(0), [() => (isAway = false)])).toEqual([false, true])
      })
    )
    expect(said[0]).toEqual([
      0,
      7,
      expect.stringContaining("place 0, from which is sent on first, does not say how far")
    ])
  })

  it("is waited for where nothing is said of the partition", () => {
    let rows = [row(1, 1n, 1n)]
    const earlier = new EarlierPlaces(
      [
        placeOf(
          0,
          Effect.sync(() => rows)
        )
      ],
      { stands: told },
      { nowMs: 0 }
    )
    story(
      Effect.gen(function* () {
        expect(yield* endsAfter(earlier.sentOn(0), [() => (rows = [row(0, 1n, 1n)])])).toEqual([false, true])
      })
    )
  })

  it("is asked for again where no answer comes", () => {
    let asked = 0
    const bounds = Effect.suspend(() => (asked++ === 0 ? Effect.never : Effect.succeed([row(0, 1n, 1n)])))
    const earlier = new EarlierPlaces([placeOf(0, bounds)], { stands: told }, { nowMs: 0 })
    story(
      Effect.gen(function* () {
        expect(yield* endsAfter(earlier.sentOn(0), [told, told])).toEqual([false, false, true])
      })
    )
  })

  it("is asked for by several partitions with one question, which was begun after each of them asked", () => {
    let asked = 0
    const slow = Effect.suspend(() => {
      const answer = [row(0, 1n, 1n), row(1, 1n, 1n), row(2, 1n, 1n)]
      asked++
      return Effect.delay(Effect.succeed(answer), 1000)
    })
    const earlier = new EarlierPlaces([placeOf(0, slow)], { stands: told }, { nowMs: 0 })
    story(
      Effect.gen(function* () {
        const first = yield* Effect.forkChild(earlier.sentOn(0), { startImmediately: true })
        yield* Effect.sleep(500)
        const others = yield* Effect.forkChild(
          Effect.all([earlier.sentOn(1), earlier.sentOn(2)], { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* Effect.sleep(600)
        expect(first.pollUnsafe()).toBeDefined()
        // The answer to the first question may say less than stands there by now.
        expect(others.pollUnsafe()).toBeUndefined()
        yield* Fiber.join(others)
        expect(asked).toBe(2)
      })
    )
  })
})
