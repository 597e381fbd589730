/**
 * One wait until a group has settled everything that was stored when the wait began. The lanes of this member say when they settle. Of
 * lanes that other members hold only the transport knows, and it has to be asked again and again: after 50 ms, then after twice as long
 * each time while nothing moves, up to a second.
 */
import { Cause, Clock, Effect, Exit, Fiber, Option, type Scheduler } from "effect"
import { inHand } from "./DeliveryInfo.ts"
import { NotCaughtUp } from "./NotCaughtUp.ts"
import type { SideTopics } from "./SideTopics.ts"
import type { Source } from "./Source.ts"
import * as Telemetry from "../Telemetry.ts"
import type { PartitionBounds, Position, TransportError } from "../transport/index.ts"
import { monotonicMs, Wake } from "../Wake.ts"

/** Time between two questions to the transport, in milliseconds. */
const askEveryMs = 50
const askEveryMsMax = 1000

/** How long nothing may move until a warning says what is waited for, in milliseconds. */
const tellMs = 10_000

/** How often who waits for nothing else looks again, in milliseconds. */
const heldMs = 3_600_000

/** How long the transport may take to answer, and how long after the subscription has ended or halted, in milliseconds. */
const answerMs = 30_000
const lastAnswerMs = 1000

/** Most partitions that one warning names. */
const toldMax = 5

const unanswered = "the transport has not said where its partitions end"

/** What is asked of the lanes that are held here. */
export type CaughtSource = Pick<
  Source<never>,
  "ends" | "haltedBefore" | "isHandling" | "lanesTaken" | "progressOf" | "startOf" | "watch"
>

export interface CatchingUpParts {
  readonly group: string
  readonly stream: string
  readonly source: CaughtSource
  /** Beside it: they are not waited for, but one of its handlers may wait. */
  readonly besides: ReadonlyArray<Pick<SideTopics<never>, "isHandling">>
  /** Runs the source. */
  readonly fiber: Fiber.Fiber<never, TransportError>
  /** Of the group, as they are when asked. */
  readonly bounds: Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError>
  readonly scheduler: Scheduler.Scheduler
}

/** Completes when the group has settled what is stored now. */
export function caughtUp(parts: CatchingUpParts): Effect.Effect<void, NotCaughtUp | TransportError> {
  return Effect.acquireUseRelease(
    Effect.sync(() => new CatchingUp(parts)),
    (catching) => catching.run,
    (catching) => Effect.sync(() => catching.leave())
  )
}

/**
 * The first position of a partition that is still to do. A group that has settled nothing yet begins where its lane does (`begin`);
 * retention may have removed what was left; and a settled position behind the end is of another log, of which this one has nothing.
 */
export function firstToDo({ start, end, settled }: PartitionBounds, begin: Position | undefined): Position {
  const from = settled ?? begin ?? start
  return from < start || from > end ? start : from
}

class CatchingUp {
  readonly #parts: CatchingUpParts
  readonly #wake: Wake
  /** To be called when nobody waits any more. */
  readonly leave: () => void
  /** Where each partition has to get; undefined until the transport has said where they end. */
  #ends: Map<number, Position> | undefined
  /** Where each is, as was heard last. */
  readonly #settled = new Map<number, Position>()
  /** Partitions whose lane here reads another log than the transport tells of, as it was when that was asked last. */
  readonly #strange = new Set<number>()
  #askAtMs = Number.NEGATIVE_INFINITY
  #delayMs = askEveryMs
  /** Lanes that the source had taken when the transport was asked last. */
  #lanesTaken = 0
  /** Why the transport did not answer when it was asked last. */
  #failure: string | undefined
  #progress = -1n
  #movedAtMs = 0
  #isTold = false

  constructor(parts: CatchingUpParts) {
    this.#parts = parts
    this.#wake = new Wake(parts.scheduler)
    const changed = () => this.#wake.signal()
    const unobserve = parts.fiber.addObserver(changed)
    const unwatch = parts.source.watch((partition, settled) => {
      if (!this.#strange.has(partition)) this.#settled.set(partition, settled)
      changed()
    })
    this.leave = () => {
      unobserve()
      unwatch()
    }
  }

  readonly run: Effect.Effect<void, NotCaughtUp | TransportError> = Effect.gen({ self: this }, function* () {
    const clock = yield* Clock.Clock
    const delivery = inHand(yield* Effect.context<never>())
    const { source, besides } = this.#parts
    this.#movedAtMs = monotonicMs(clock)
    for (;;) {
      if (monotonicMs(clock) >= this.#askAtMs || source.lanesTaken !== this.#lanesTaken) yield* this.#ask(clock)
      const nowMs = monotonicMs(clock)
      this.#look(nowMs)
      if (this.#ends?.size === 0) return
      if (delivery !== undefined && (source.isHandling(delivery) || besides.some((one) => one.isHandling(delivery))))
        return yield* this.#not("OwnHandler")
      yield* this.#endedOrHalted
      yield* this.#tell(nowMs)
      const untilMs = Math.min(this.#askAtMs, this.#isTold ? Number.POSITIVE_INFINITY : this.#movedAtMs + tellMs)
      // With a timer, whatever it waits for: a process that waits for this has something to do.
      yield* this.#wake.waitFor(Math.min(untilMs - nowMs, heldMs))
    }
  })

  /** Asks the transport. What passes is waited out, as the subscription itself does. */
  #ask(clock: Clock.Clock): Effect.Effect<void, NotCaughtUp | TransportError> {
    const { bounds, source } = this.#parts
    this.#lanesTaken = source.lanesTaken
    const came = source.ends
    return Effect.gen({ self: this }, function* () {
      const answer = yield* this.#answerOf(yield* Effect.forkDetach(bounds, { startImmediately: true }), clock)
      if (answer === undefined) this.#failure = unanswered
      else if (Exit.isSuccess(answer)) {
        this.#failure = undefined
        this.#hear(answer.value, came)
      } else {
        const error = Option.getOrUndefined(Cause.findErrorOption(answer.cause))
        if (error?.isRetryable !== true) {
          // A transport that is closed with its leat says so of itself.
          yield* this.#endedOrHalted
          return yield* Effect.failCause(answer.cause)
        }
        this.#failure = error.message
      }
    })
  }

  /** Undefined: there is none in time. Nobody waits for a driver that does not even end when it is told to. */
  #answerOf<A, E>(
    question: Fiber.Fiber<A, E>,
    clock: Clock.Clock
  ): Effect.Effect<Exit.Exit<A, E> | undefined, NotCaughtUp | TransportError> {
    const untilMs = monotonicMs(clock) + answerMs
    question.addObserver(() => this.#wake.signal())
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const answer = question.pollUnsafe()
        const nowMs = monotonicMs(clock)
        if (answer !== undefined || nowMs >= untilMs) return answer
        yield* this.#tell(nowMs)
        const isOver = Exit.isFailure(yield* Effect.exit(this.#endedOrHalted))
        // What was settled at the end is known from the answer only.
        const leftMs = isOver ? lastAnswerMs : Math.min(untilMs - nowMs, tellMs)
        yield* Effect.raceFirst(Fiber.await(question), isOver ? Effect.sleep(leftMs) : this.#wake.waitFor(leftMs))
        if (isOver && question.pollUnsafe() === undefined) yield* this.#endedOrHalted
      }
    }).pipe(Effect.onExit(() => Effect.sync(() => question.interruptUnsafe())))
  }

  /** What the transport says, and what had come to the lanes here before it was asked. */
  #hear(rows: ReadonlyArray<PartitionBounds>, came: ReadonlyMap<number, Position>): void {
    const { source } = this.#parts
    const before = this.#ends
    const ends = (this.#ends = new Map<number, Position>())
    for (const row of rows) {
      const { partition, end } = row
      // What came before it was asked lies behind the end: the topic was made anew, and the lane does not know yet.
      const isStrange = (came.get(partition) ?? 0n) > end
      if (isStrange) this.#strange.add(partition)
      else this.#strange.delete(partition)
      this.#settled.set(partition, firstToDo(row, isStrange ? undefined : source.startOf(partition)))
      const wanted = before === undefined ? end : before.get(partition)
      // An end that went back is of another log: what was waited for is gone.
      if (wanted !== undefined) ends.set(partition, wanted < end ? wanted : end)
    }
  }

  /** Strikes out what has been reached, and says when the transport is to be asked again. */
  #look(nowMs: number): void {
    const ends = this.#ends ?? new Map<number, Position>()
    let progress = BigInt(-ends.size)
    let isElsewhere = this.#ends === undefined
    for (const [partition, end] of ends) {
      const here = this.#progressHere(partition, end)
      const settled = here?.settled ?? this.#settled.get(partition) ?? 0n
      progress += here?.done ?? settled
      if (settled >= end) ends.delete(partition)
      else isElsewhere ||= here === undefined
    }
    if (this.#ends !== undefined && progress !== this.#progress) {
      this.#progress = progress
      this.#movedAtMs = nowMs
      this.#delayMs = askEveryMs
      this.#isTold = false
    }
    if (!isElsewhere) this.#askAtMs = Number.POSITIVE_INFINITY
    else if (this.#askAtMs <= nowMs || this.#askAtMs === Number.POSITIVE_INFINITY) {
      this.#askAtMs = nowMs + this.#delayMs
      this.#delayMs = Math.min(this.#delayMs * 2, askEveryMsMax)
    }
  }

  #progressHere(partition: number, end: Position): ReturnType<CaughtSource["progressOf"]> {
    return this.#strange.has(partition) ? undefined : this.#parts.source.progressOf(partition, end)
  }

  readonly #endedOrHalted = Effect.suspend((): Effect.Effect<void, NotCaughtUp | TransportError> => {
    const { source, fiber } = this.#parts
    const halted = source.haltedBefore(this.#ends ?? new Map())
    if (halted.length > 0) return this.#not("Halted", halted)
    const exit = fiber.pollUnsafe()
    if (exit === undefined) return Effect.void
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) return Effect.failCause(exit.cause)
    return this.#not("Stopped")
  })

  #not(reason: NotCaughtUp["reason"], halted: NotCaughtUp["halted"] = []): Effect.Effect<never, NotCaughtUp> {
    const { group, stream } = this.#parts
    return Effect.fail(new NotCaughtUp({ reason, group, stream, halted }))
  }

  /** Nobody waits in silence for what does not move. */
  #tell(nowMs: number): Effect.Effect<void> {
    if (this.#isTold || nowMs - this.#movedAtMs < tellMs) return Effect.void
    this.#isTold = true
    const { group, stream } = this.#parts
    const left = [...(this.#ends ?? [])].slice(0, toldMax).map(([partition, end]) => {
      const here = this.#progressHere(partition, end)
      if (here !== undefined) return `partition ${partition}, held here, is done up to ${here.done} of ${end}`
      return `partition ${partition}, not held here, is settled up to ${this.#settled.get(partition) ?? 0n} of ${end}`
    })
    const failure = this.#failure ?? (this.#ends === undefined ? unanswered : undefined)
    const why = failure === undefined ? left : [...left, failure]
    const seconds = tellMs / 1000
    return Telemetry.warn(
      `the group ${group} of ${stream} is waited for to catch up, and has not moved for ${seconds} seconds: ${why.join("; ")}`
    )
  }
}
