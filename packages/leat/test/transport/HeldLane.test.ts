import { Effect, Fiber, Stream } from "effect"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { exitOf, failed, findLaneFault, laneWith, rest } from "./laneWalk.ts"

/** Runs to its end on virtual time, once for each of some orders. */
const inEveryOrder = (program: Effect.Effect<void, unknown>) => {
  for (let seed = 1; seed <= 20; seed++) Effect.runSync(simulate(seed, program).exit)
}
describe("a held lane", () => {
  it("says which lane it is", () => {
    const { held } = laneWith()
    expect(held.lane).toMatchObject({ id: "t/3", partition: 3, start: 10n, abandoned: 2 })
    expect([held.partition, held.isHeld, held.isOver, held.handedOut]).toEqual([3, true, false, 10n])
  })

  it("hands out what there is, waits, and goes on when it is woken", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held, source } = laneWith(14n)
        const seen: Array<bigint> = []
        const reading = yield* Effect.forkChild(
          Stream.runForEach(held.lane.batches, ({ next }) => Effect.sync(() => seen.push(next)))
        )
        yield* rest
        expect(seen).toEqual([13n, 14n])
        source.end = 15n
        held.wake()
        yield* rest
        expect([seen, held.handedOut, source.wrong]).toEqual([[13n, 14n, 15n], 15n, []])
        yield* Fiber.interrupt(reading)
      })
    ))

  it.each(["revoke", "release", "lose"] as const)(
    "%s: the stream ends although there is more, and so does a pull that waits",
    (how) =>
      inEveryOrder(
        Effect.gen(function* () {
          const { held, source } = laneWith()
          const waiting = yield* Effect.forkChild(exitOf(Stream.runDrain(held.lane.batches)))
          yield* rest
          held[how]()
          source.end = 20n
          held.wake()
          expect(yield* Fiber.join(waiting)).toBe(how === "lose" ? "LaneLost" : "success")
          const pull = yield* Stream.toPull(held.lane.batches)
          expect(yield* exitOf(pull)).toBe(how === "lose" ? "LaneLost" : "end")
          expect([held.isHeld, source.ends, source.wrong]).toEqual([false, 1, []])
        }).pipe(Effect.scoped)
      )
  )

  it.each(["revoke", "release", "lose"] as const)(
    "%s: it is told to all who ask, before and after, pulled or not",
    (how) =>
      inEveryOrder(
        Effect.gen(function* () {
          const { held } = laneWith(20n)
          const asked = yield* Effect.forEach([1, 2], () => Effect.forkChild(held.lane.revoked))
          const given = yield* Effect.forkChild(held.lane.revoked)
          yield* rest
          expect(asked.map((fiber) => fiber.pollUnsafe())).toEqual([undefined, undefined])
          yield* Fiber.interrupt(given)
          held[how]()
          for (const fiber of asked) yield* Fiber.join(fiber)
          yield* held.lane.revoked
        })
      )
  )

  it("resumes nobody inside the stack of who changes it", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held, source } = laneWith()
        let isInside = false
        const wrong: Array<string> = []
        const look = (what: string) => Effect.sync(() => (isInside ? wrong.push(what) : undefined))
        yield* Effect.forkChild(Effect.andThen(held.lane.revoked, look("revoked")))
        yield* Effect.forkChild(Stream.runForEach(held.lane.batches, () => look("pull")))
        yield* rest
        source.end = 13n
        const settling = (position: bigint) =>
          Effect.forkChild(Effect.andThen(exitOf(held.lane.settle(position)), look("settle")))
        const answer = () => source.answer()
        for (const change of [() => held.wake(), answer, () => held.revoke(), answer, () => held.lose()]) {
          yield* Effect.forEach([held.handedOut, held.handedOut - 1n], settling)
          yield* rest
          isInside = true
          change()
          isInside = false
          yield* rest
        }
        expect(wrong).toEqual([])
      })
    ))

  it("fails after what is there, and stays held", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held } = laneWith(11n)
        const pull = yield* Stream.toPull(held.lane.batches)
        held.fail(failed("Corrupt"))
        held.fail(failed("Unavailable"))
        expect([yield* exitOf(pull), yield* exitOf(pull), held.isHeld]).toEqual(["success", "Corrupt", true])
        const { held: waiting } = laneWith()
        const pulling = yield* Effect.forkChild(exitOf(Stream.runDrain(waiting.lane.batches)))
        yield* rest
        waiting.fail(failed("Corrupt"))
        expect(yield* Fiber.join(pulling)).toBe("Corrupt")
      }).pipe(Effect.scoped)
    ))
})

describe("a settle of a held lane", () => {
  /** A lane of which everything up to 20 was handed out. */
  const pulled = Effect.gen(function* () {
    const { held, source } = laneWith(20n)
    yield* Stream.runDrain(Stream.takeUntil(held.lane.batches, ({ next }) => next === 20n))
    const settle = (position: bigint) => Effect.tap(Effect.forkChild(exitOf(held.lane.settle(position))), rest)
    return { held, source, settle }
  })

  it("is refused beyond what was handed out, also where more is there", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held, source } = laneWith(20n)
        yield* Stream.runDrain(Stream.take(held.lane.batches, 1))
        expect(yield* exitOf(held.lane.settle(14n))).toBe("Rejected")
        const settled = yield* Effect.forkChild(exitOf(held.lane.settle(13n)))
        yield* rest
        source.answer()
        expect([yield* Fiber.join(settled), source.stored]).toEqual(["success", [13n]])
      })
    ))

  it("sends nothing for what is settled already", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { source, settle } = yield* pulled
        const first = yield* settle(15n)
        source.answer()
        yield* Fiber.join(first)
        for (const position of [15n, 12n, 10n, 0n]) expect(yield* Fiber.join(yield* settle(position))).toBe("success")
        expect([source.stored, source.committing]).toEqual([[15n], undefined])
      })
    ))

  it("T35 goes one after another, the highest of those that wait first", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { source, settle } = yield* pulled
        const [first, ...others] = yield* Effect.forEach([12n, 14n, 18n, 11n, 16n], settle)
        expect(source.committing).toBe(12n)
        source.answer()
        expect([yield* Fiber.join(first ?? (Effect.never as never)), source.committing]).toEqual(["success", 18n])
        source.answer()
        expect(yield* Effect.forEach(others, (fiber) => Fiber.join(fiber))).toEqual([
          "success",
          "success",
          "success",
          "success"
        ])
        expect([source.stored, source.wrong]).toEqual([[12n, 18n], []])
      })
    ))

  it("that fails says so to those whom it covers, and the next one is sent", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held, source, settle } = yield* pulled
        const [low, high] = [yield* settle(12n), yield* settle(15n)]
        source.answer(failed("Unavailable"))
        expect([yield* Fiber.join(low), source.committing, held.isHeld]).toEqual(["Unavailable", 15n, true])
        source.answer()
        expect(yield* Fiber.join(high)).toBe("success")
      })
    ))

  it("that is told LaneLost loses the lane", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held, source, settle } = yield* pulled
        const [low, high] = [yield* settle(12n), yield* settle(15n)]
        source.answer(failed("LaneLost"))
        expect([yield* Fiber.join(low), yield* Fiber.join(high)]).toEqual(["LaneLost", "LaneLost"])
        yield* held.lane.revoked
        expect([source.overs, source.committing]).toEqual([["lost"], undefined])
      })
    ))

  it("is made while the lane drains, and not once it is released or lost", () =>
    inEveryOrder(
      Effect.gen(function* () {
        for (const how of ["release", "lose"] as const) {
          const { held, source, settle } = yield* pulled
          held.revoke()
          const draining = yield* settle(12n)
          source.answer()
          expect(yield* Fiber.join(draining)).toBe("success")
          held[how]()
          expect(yield* exitOf(held.lane.settle(13n))).toBe("LaneLost")
          expect(source.stored).toEqual([12n])
        }
      })
    ))

  it("that is on its way when the lane goes has its own answer, and only then the lane is given away, once", () =>
    inEveryOrder(
      Effect.gen(function* () {
        for (const how of ["release", "lose"] as const) {
          const { held, source, settle } = yield* pulled
          const [low, high] = [yield* settle(12n), yield* settle(15n)]
          held[how]()
          held.lose()
          yield* held.lane.release
          expect([yield* Fiber.join(high), source.overs]).toEqual(["LaneLost", []])
          source.answer()
          expect(yield* Fiber.join(low)).toBe("success")
          held.lose()
          yield* held.lane.release
          expect(source.overs).toEqual([how === "release" ? "released" : "lost"])
        }
      })
    ))

  it("that is interrupted leaves nothing behind: what is on its way is stored, what waits is not sent", () =>
    inEveryOrder(
      Effect.gen(function* () {
        const { held, source, settle } = yield* pulled
        const [low, high] = [yield* settle(12n), yield* settle(15n)]
        yield* Fiber.interrupt(low)
        yield* Fiber.interrupt(high)
        source.answer()
        expect([source.stored, source.committing]).toEqual([[12n], undefined])
        yield* held.lane.release
        expect(source.overs).toEqual(["released"])
      })
    ))
})

it("a held lane, whatever is drawn, commits rising positions, one at a time, of what was handed out; tells everybody; is given away once", () => {
  expect(findLaneFault(Number(process.env["LEAT_RUNS"] ?? 1000))).toBeUndefined()
})
