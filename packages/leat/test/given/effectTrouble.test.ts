import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { effectTrouble } from "../../src/given/effectTrouble.js"

const thrower = (thrown: unknown) => () => {
  throw thrown
}
const throwsAlways = thrower(new Error("not to be looked at"))
const throwing = new Proxy({}, { get: throwsAlways, has: throwsAlways })
const cases: ReadonlyArray<readonly [string, () => unknown, string | undefined]> = [
  ["nothing where it succeeds", () => Effect.succeed(5), undefined],
  ["what it fails with", () => Effect.fail(new Error("no space")), "no space"],
  ["a failure without a message", () => Effect.fail("Full"), "Full"],
  ["a failure with null", () => Effect.fail(null), "null"],
  ["what it dies of", () => Effect.die(new TypeError("no such column")), "no such column"],
  ["what was thrown in place of it", thrower(new Error("gone")), "gone"],
  ["an interruption", () => Effect.interrupt, "the store interrupted itself"],
  ["a later interruption", () => Effect.andThen(Effect.yieldNow, Effect.interrupt), "the store interrupted itself"],
  ["a promise", () => Promise.resolve(), "the store gave a promise and no effect; give Effect.promise(() => ...)"],
  [
    "a promise that is rejected",
    () => Promise.reject(new Error("no")),
    "the store gave a promise and no effect; give Effect.promise(() => ...)"
  ],
  ["undefined", () => undefined, "the store gave undefined and no effect; give an effect, as Effect.void"],
  [
    "what throws when it is looked at",
    () => throwing,
    "the store gave an object that throws when it is looked at, and no effect; give an effect, as Effect.void: not to be looked at"
  ],
  [
    "what throws when its `then` is looked at",
    () => new Proxy({}, { get: throwsAlways }),
    "the store gave an object that throws when it is looked at, and no effect; give an effect, as Effect.void: not to be looked at"
  ],
  [
    "what is no effect within it",
    () => Effect.flatMap(Effect.void, () => undefined as never),
    "Fiber.runLoop: Not a valid effect: undefined"
  ],
  [
    "what is no effect within it, later",
    () => Effect.flatMap(Effect.sleep(1), () => undefined as never),
    "Fiber.runLoop: Not a valid effect: undefined"
  ]
]

it.live.each(cases)("tells %s", ([, give, told]) =>
  Effect.gen(function* () {
    expect(yield* effectTrouble("the store", give)).toBe(told)
  })
)

it.live("interrupts it with whoever waits, and waits for its end", () =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    let isEnded = false
    const given = Effect.onInterrupt(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never), () =>
      Effect.andThen(
        Effect.sleep(20),
        Effect.sync(() => void (isEnded = true))
      )
    )
    const fiber = yield* Effect.forkChild(effectTrouble("the store", () => given))
    yield* Deferred.await(begun)
    yield* Fiber.interrupt(fiber)
    expect(isEnded).toBe(true)
    expect(Exit.hasInterrupts(yield* Fiber.await(fiber))).toBe(true)
  })
)

it.effect(
  "is left after five seconds by whoever is interrupted, where it does not let itself be, and says so once",
  () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      let told = 0
      const given = Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
      // Nobody waits for it when this fails.
      const fiber = yield* Effect.forkDetach(
        effectTrouble(
          "the store",
          () => given,
          Effect.sync(() => void told++)
        )
      )
      yield* Deferred.await(begun)
      fiber.interruptUnsafe()
      yield* TestClock.adjust(4999)
      expect([fiber.pollUnsafe() === undefined, told]).toEqual([true, 0])
      yield* TestClock.adjust(1)
      const exit = fiber.pollUnsafe()
      expect(exit !== undefined && Exit.hasInterrupts(exit)).toBe(true)
      expect(told).toBe(1)
    })
)
