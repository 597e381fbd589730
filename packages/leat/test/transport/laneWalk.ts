/** Steps that are drawn, carried out on a held lane beside somebody who pulls it; what must never happen is looked for after them. */
import { Cause, Effect, Exit, Fiber, Pull, Stream } from "effect"
import fc from "fast-check"
import { simulate } from "leat/testing"
import { HeldLane, TransportError, type TransportReason } from "leat/transport"
import { ScriptedSource } from "./ScriptedSource.ts"

const start = 10n

/** A lane that begins at 10, and its source, which has something to read up to `end`. */
export function laneWith(end = start) {
  const source = new ScriptedSource(start)
  source.end = end
  const options = { transport: "test", topic: "t", group: "g", partition: 3, start, abandoned: 2 }
  return { source, held: new HeldLane(options, source) }
}

export const failed = (reason: TransportReason) =>
  new TransportError({ reason, transport: "test", operation: "settle", detail: "it is a test" })

export const exitOf = (effect: Effect.Effect<unknown, unknown>): Effect.Effect<string> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return "success"
    if (Pull.isDoneCause(exit.cause)) return "end"
    const error = Cause.squash(exit.cause)
    return error instanceof TransportError ? error.reason : String(error)
  })

/** Lets everything run that can. */
export const rest = Effect.sleep(1)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("append" as const), by: fc.integer({ min: 1, max: 9 }) }) },
  // Counted back from what was handed out: a little too far, or not far enough to change anything.
  { weight: 7, arbitrary: fc.record({ do: fc.constant("settle" as const), back: fc.integer({ min: -1, max: 9 }) }) },
  { weight: 4, arbitrary: fc.constant({ do: "answer" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "refuse" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "interrupt" as const }) },
  { weight: 8, arbitrary: fc.constant({ do: "rest" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "appendWhenEmpty" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "revoke" as const }) },
  { weight: 1, arbitrary: fc.constantFrom(...(["release", "lose"] as const).map((how) => ({ do: how }))) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** States in which a walk has to come often, or it would prove little. */
const places = {
  "a settle waits for another": 0,
  "a settle is refused by the backend": 0,
  "a revoked lane is settled": 0,
  "a lane goes while a settle is on its way": 0,
  "a lane goes while a settle waits": 0,
  "more comes while a pull waits": 0
}

class Walk {
  readonly #lane = laneWith()
  readonly #settles: Array<{ readonly position: bigint; readonly fiber: Fiber.Fiber<string> }> = []
  #pulling: Fiber.Fiber<string> | undefined

  /** Carries out the steps beside somebody who pulls; returns what is wrong. */
  run(steps: ReadonlyArray<Step>) {
    return Effect.gen({ self: this }, function* () {
      const { held, source } = this.#lane
      this.#pulling = yield* Effect.forkChild(exitOf(Stream.runDrain(held.lane.batches)))
      const hearing = yield* Effect.forkChild(held.lane.revoked)
      for (const one of steps) yield* this.#step(one)
      yield* rest
      while (source.committing !== undefined) {
        source.answer()
        yield* rest
      }
      this.#judge()
      if (held.isHeld !== (hearing.pollUnsafe() === undefined)) source.wrong.push("the revocation was told wrongly")
      return source.wrong
    })
  }

  #step(one: Step) {
    return Effect.gen({ self: this }, function* () {
      const { held, source } = this.#lane
      this.#note(one)
      if (one.do === "append") {
        source.end += BigInt(one.by)
        held.wake()
      } else if (one.do === "settle") {
        const position = held.handedOut - BigInt(one.back)
        this.#settles.push({ position, fiber: yield* Effect.forkChild(exitOf(held.lane.settle(position))) })
      } else if (one.do === "answer") source.answer()
      else if (one.do === "refuse") source.answer(failed("Throttled"))
      else if (one.do === "interrupt") {
        const fiber = this.#settles.at(-1)?.fiber
        if (fiber !== undefined) yield* Effect.forkChild(Fiber.interrupt(fiber))
      } else if (one.do === "appendWhenEmpty") {
        source.whenEmpty = () => {
          source.whenEmpty = undefined
          source.end += 1n
          held.wake()
        }
      } else if (one.do === "rest") {
        yield* rest
        const isAsleep = held.isHeld && this.#pulling?.pollUnsafe() === undefined
        if (isAsleep && source.next < source.end) source.wrong.push("a pull slept on although more had come")
      } else held[one.do]()
    })
  }

  #note(one: Step): void {
    const { held, source } = this.#lane
    const waiting = this.#settles.filter(({ fiber }) => fiber.pollUnsafe() === undefined).length
    const isBusy = source.committing !== undefined
    const goes = (one.do === "release" || one.do === "lose") && !held.isOver
    if (isBusy && waiting > 1) places["a settle waits for another"]++
    if (isBusy && one.do === "refuse") places["a settle is refused by the backend"]++
    if (isBusy && one.do === "answer" && !held.isHeld && !held.isOver) places["a revoked lane is settled"]++
    if (goes && isBusy) places["a lane goes while a settle is on its way"]++
    if (goes && waiting > 1) places["a lane goes while a settle waits"]++
    if (one.do === "append" && held.isHeld && source.next === source.end) places["more comes while a pull waits"]++
  }

  #judge(): void {
    const { held, source } = this.#lane
    const { wrong } = source
    for (const { position, fiber } of this.#settles) {
      const exit = fiber.pollUnsafe()
      const told = exit === undefined ? "nothing" : Exit.isSuccess(exit) ? exit.value : "interrupted"
      const reached = [start, ...source.stored].some((stored) => stored >= position)
      if (told === "nothing") wrong.push(`the settle of ${position} was never answered`)
      if (told === "success" && !reached) wrong.push(`${position} is told settled, and was not stored`)
      if (told === "LaneLost" && !held.isOver) wrong.push(`${position} is told lost, and the lane is not`)
    }
    if (held.isOver !== (source.overs.length === 1)) wrong.push(`over was told ${source.overs.length} times`)
    if (!held.isHeld && this.#pulling?.pollUnsafe() === undefined) wrong.push("a pull waits for a lane that has ended")
  }
}

/** The first thing that is wrong in so many walks, with the steps to it; undefined when nothing is. The same for the same seed. */
export function findLaneFault(runs: number, seed?: number): string | undefined {
  const walks = fc.property(
    fc.integer({ min: 1 }),
    fc.array(step, { minLength: 10, maxLength: 80 }),
    (order, steps) => {
      const { exit } = simulate(order, new Walk().run(steps))
      if (Exit.isFailure(exit)) throw new Error(`the walk did not end: ${String(Cause.squash(exit.cause))}`)
      const [first] = exit.value
      if (first !== undefined) throw new Error(first)
    }
  )
  const {
    failed: isWrong,
    counterexample,
    errorInstance
  } = fc.check(walks, { numRuns: runs, ...(seed === undefined ? {} : { seed }) })
  if (isWrong) return `${String(errorInstance)} after ${JSON.stringify(counterexample)}`
  const rare = Object.entries(places).filter(([, count]) => count * 100 < runs)
  return rare.length === 0 ? undefined : `hardly ever reached: ${JSON.stringify(Object.fromEntries(rare))}`
}
