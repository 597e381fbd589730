/**
 * Reproducible interleavings: a scheduler that picks the next runnable task by a seed, and a clock that jumps to the next
 * timer when nothing can run. The default scheduler is one interleaving per program; this is one per seed, and the same in
 * every process.
 */
import { Clock, Duration, Effect, Exit, type Fiber, Random, type Scheduler } from "effect"
import { seededRandom } from "./seededRandom.ts"

/** What a simulated program came to. */
export interface Simulated<A, E> {
  readonly exit: Exit.Exit<A, E>
  /** Hash of every choice that was made: equal for equal runs. */
  readonly trace: string
  /** Virtual milliseconds that passed. */
  readonly elapsedMs: number
  /** Tasks that were run. */
  readonly steps: number
  /** Timers that are still armed: of whatever outlives the program. */
  readonly timers: number
}

/** How a program is simulated. */
export interface SimulateOptions {
  /**
   * Chance, per task, that the next timer goes off first although there is work to do, as on a machine that is late: 0 when
   * absent. Only timers that are due within 50 milliseconds do.
   */
  readonly racing?: number
  /** Tasks after which the program is taken to run for ever: 500,000 when absent. */
  readonly stepsMax?: number
  /** Tasks without that any virtual time passes, after which the program is taken to go round in a circle: `stepsMax` when absent. */
  readonly stepsAtOnceMax?: number
  /** Asked before each step of a fiber: whether others run first. When absent one in fifty gives way, by chance. */
  readonly givesWay?: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
}

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly wake: () => void
}

/** Virtual epoch at which every simulation begins, in milliseconds. */
const startMs = Date.UTC(2026, 0, 1)

/** Furthest that time may run ahead of what could be done, in milliseconds. */
const racingMsMax = 50

class World implements Scheduler.Scheduler {
  readonly executionMode = "async"
  readonly random: () => number
  nowMs = startMs
  steps = 0
  #tasks: Array<() => void> = []
  readonly #timers: Array<Timer> = []
  readonly #racing: number
  readonly #stepsMax: number
  readonly #stepsAtOnceMax: number
  readonly #givesWay: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
  /** Tasks since the clock went on. */
  #stepsAtOnce = 0
  #order = 0
  #hash = 0x811c9dc5

  constructor(seed: number, { racing = 0, stepsMax = 500_000, stepsAtOnceMax = stepsMax, givesWay }: SimulateOptions) {
    this.random = seededRandom(seed)
    this.#givesWay = givesWay ?? (() => this.random() < 0.02)
    this.#racing = racing
    this.#stepsMax = stepsMax
    this.#stepsAtOnceMax = stepsAtOnceMax
  }

  get timers(): number {
    return this.#timers.length
  }

  /** A fiber gives way now and then, so that long runs of steps are interleaved too. */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.#givesWay(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => void this.#tasks.push(task),
      flush: () => this.#drain()
    }
  }

  /** Registers a timer; returns how to cancel it. */
  at(atMs: number, wake: () => void): () => void {
    const timer = { atMs, order: this.#order++, wake }
    this.#timers.push(timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index >= 0) this.#timers.splice(index, 1)
    }
  }

  get trace(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0")
  }

  /** Runs until nothing is left, or `isDone`. */
  run(isDone: () => boolean): void {
    while (!isDone()) {
      this.#drain()
      if (isDone() || this.#timers.length === 0) return
      this.#fireNext()
    }
  }

  #drain(): void {
    while (this.#tasks.length > 0) {
      if (++this.steps > this.#stepsMax) throw new Error(`the program did not end within ${this.#stepsMax} steps`)
      if (++this.#stepsAtOnce > this.#stepsAtOnceMax)
        throw new Error(
          `the program goes round in a circle ${this.nowMs - startMs} ms after it began: no time passes within ${this.#stepsAtOnceMax} steps`
        )
      if (this.#racing > 0 && this.random() < this.#racing) this.#fireNext(this.nowMs + racingMsMax)
      const index = Math.floor(this.random() * this.#tasks.length)
      const last = this.#tasks.pop()
      const task = index === this.#tasks.length ? last : this.#tasks[index]
      if (task !== last && last !== undefined) this.#tasks[index] = last
      this.#note(index)
      task?.()
    }
  }

  /** Fires the next timer, if it is due until then. */
  #fireNext(untilMs = Number.POSITIVE_INFINITY): void {
    let next = 0
    for (let index = 1; index < this.#timers.length; index++) {
      const timer = this.#timers[index]
      const first = this.#timers[next]
      if (timer === undefined || first === undefined) continue
      if (timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order)) next = index
    }
    if ((this.#timers[next]?.atMs ?? Number.POSITIVE_INFINITY) > untilMs) return
    const [timer] = this.#timers.splice(next, 1)
    if (timer === undefined) return
    if (timer.atMs > this.nowMs) this.#stepsAtOnce = 0
    this.nowMs = Math.max(this.nowMs, timer.atMs)
    this.#note(this.nowMs - startMs)
    timer.wake()
  }

  /** FNV-1a over the choices. */
  #note(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value & 0xffff), 0x01000193)
  }
}

/**
 * Runs a program to its end on virtual time, in one turn of the event loop. It must not wait for anything real: then, and
 * when nothing can run any more, the exit is a defect. Throws after `stepsMax` tasks, and
 * after `stepsAtOnceMax` during which no virtual time passes.
 *
 * @example
 * ```ts
 * const program = Effect.gen(function* () {
 *   const leat = yield* Leat.make({ source: "test" })
 *   const sightings = yield* leat.stream(BeaconSighting)
 *   yield* Effect.sleep("1 hour")
 *   yield* sightings.publish(sighting)
 * }).pipe(Effect.scoped)
 * const { exit, trace, elapsedMs } = simulate(42, program) // the same exit and trace for 42, always
 * ```
 */
export function simulate<A, E>(
  seed: number,
  program: Effect.Effect<A, E>,
  options: SimulateOptions = {}
): Simulated<A, E> {
  const world = new World(seed, options)
  const fiber = Effect.runFork(
    program.pipe(
      Effect.provideService(Clock.Clock, virtualClock(world)),
      Effect.provideService(Random.Random, {
        nextDoubleUnsafe: world.random,
        nextIntUnsafe: () => Math.floor(world.random() * Number.MAX_SAFE_INTEGER)
      })
    ),
    { scheduler: world }
  )
  world.run(() => fiber.pollUnsafe() !== undefined)
  const exit = fiber.pollUnsafe() ?? Exit.die(new Error("the program waits for something that never comes"))
  const { trace, steps, timers } = world
  return { exit, trace, steps, timers, elapsedMs: world.nowMs - startMs }
}

function virtualClock(world: World): Clock.Clock {
  const nanos = () => BigInt(Math.round(world.nowMs * 1000)) * 1000n
  return {
    currentTimeMillisUnsafe: () => world.nowMs,
    currentTimeNanosUnsafe: nanos,
    monotonicTimeNanosUnsafe: nanos,
    currentTimeMillis: Effect.sync(() => world.nowMs),
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback((resume) => {
        const ms = Duration.toMillis(duration)
        if (!Number.isFinite(ms)) return undefined
        const cancel = world.at(world.nowMs + Math.max(0, ms), () => resume(Effect.void))
        return Effect.sync(cancel)
      })
  }
}
