/**
 * Brings the moves of a fleet on, for all streams that are placed: in each process one, and in a tool. It holds no state that another does not read in
 * the control stream, so whoever coordinates may die at any step.
 *
 * - Of the processes that beat, the one with the lowest incarnation acts, and tells what stands still. Another one steps in where nothing has got
 *   on for a lease and a part by chance: two at once do no harm, and cost copies.
 * - Nothing that a driver does ends it: what is asked has an end, and is asked again after a pause.
 */
import {
  Cause,
  Clock,
  Duration,
  Effect,
  type Fiber,
  FiberMap,
  Option,
  Random,
  Scheduler,
  Semaphore,
  Stream
} from "effect"
import type { Control } from "../control/Control.ts"
import type { ControlStream } from "../control/ControlStream.ts"
import { type Duty, dutiesOf, wordsCarried } from "../control/duties.ts"
import type { Epoch, Placement } from "../control/Placement.ts"
import { textOfThrown } from "../given/thrown.ts"
import * as Telemetry from "../Telemetry.ts"
import { monotonicMs, Wake } from "../Wake.ts"
import { awaitedBy, lateWriters } from "./awaited.ts"
import { Heard } from "./Heard.ts"
import { perform } from "./perform.ts"
import { Places, type TransportOf } from "./Places.ts"
import { epochOf, type Task } from "./Task.ts"
import type { Trouble } from "./Trouble.ts"

export interface CoordinatorOptions {
  readonly control: Pick<ControlStream, "author" | "control" | "changes" | "write">
  readonly transportOf: TransportOf
  /** How long a process may be without a beat before nobody waits for it any more; 30 seconds when absent. */
  readonly lease?: Duration.Input | undefined
  /** It is no process of the fleet: it acts at once, and beside whoever else does. */
  readonly isTool?: boolean | undefined
}

/** How long a process that does not beat any more is waited for. */
const leaseDefault: Duration.Input = "30 seconds"

/** From one look to the next, in milliseconds, where nothing is news. */
const lookMs = 500
/** Pauses between tries of a duty that does not get on, in milliseconds; a sweep holds up its writer, and is tried more often. */
const [againMs, againMsMax, sweepMsMax] = [250, 10_000, 1000]
/** All of one try, in milliseconds. */
const tryMsMax = 60_000
/** What has stood for so many leases is told: in one, somebody may be found to be gone. */
const toldLeases = 2
/** Tries at a time, of all streams. */
const triesMax = 16

/**
 * Coordinates until it is interrupted.
 *
 * @example
 * ```ts
 * yield* Effect.forkScoped(coordinate({ control, transportOf: (cluster) => leat.transport(cluster) }))
 * ```
 */
export const coordinate = (options: CoordinatorOptions): Effect.Effect<never> =>
  Effect.scoped(
    Effect.gen(function* () {
      const tries = yield* FiberMap.make<string>()
      const clock = yield* Clock.Clock
      const random = yield* Random.Random
      const news = new Wake(yield* Scheduler.Scheduler)
      const coordinator = new Coordinator(options, { tries, clock, news, random: () => random.nextDoubleUnsafe() })
      yield* Effect.forkScoped(Stream.runForEach(options.control.changes, () => Effect.sync(() => news.signal())))
      for (;;) {
        yield* coordinator.look
        yield* news.idleFor(lookMs)
      }
    })
  )

interface Parts {
  readonly tries: FiberMap.FiberMap<string>
  readonly clock: Clock.Clock
  readonly news: Wake
  readonly random: () => number
}

/** A duty that is to be done, and how far that is. */
interface Work {
  task: Task
  epoch: Epoch | undefined
  /** When the epoch changed last, as far as it was seen. */
  sinceMs: number
  /** What has to change before it goes on for a person: who owes a word is waited for, however far is swept meanwhile. */
  marker: unknown
  stoodMs: number
  /** When it is tried next, at the earliest. */
  dueMs: number
  failures: number
  /** A part by chance, of a lease. */
  readonly share: number
  /** What it waits for; undefined: nothing. */
  standing: string | undefined
  isTold: boolean
}

class Coordinator {
  readonly #options: CoordinatorOptions
  readonly #parts: Parts
  readonly #leaseMs: number
  readonly #places: Places
  readonly #heard = new Heard()
  readonly #works = new Map<string, Work>()
  /** Refusals that were told, by stream, member and reason. */
  readonly #refusals = new Set<string>()
  readonly #turns = Semaphore.makeUnsafe(triesMax)
  readonly #duties = new WeakMap<Placement, ReadonlyArray<Duty>>()

  constructor(options: CoordinatorOptions, parts: Parts) {
    this.#options = options
    this.#parts = parts
    this.#leaseMs = Duration.toMillis(options.lease ?? leaseDefault)
    this.#places = new Places(options.transportOf)
  }

  /** Takes on what is to be done, and tells what stands still. */
  readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const { control } = this.#options.control
    const nowMs = monotonicMs(this.#parts.clock)
    this.#heard.note(control, nowMs)
    const told: Array<Effect.Effect<void>> = []
    const left = new Set(this.#works.keys())
    const isActing = this.#isActing(control, nowMs)
    const refusals = new Set<string>()
    for (const [stream, placement] of control.streams)
      for (const duty of [...this.#dutiesOf(placement), ...wordsCarried(control, placement)]) {
        const key = `${stream} ${duty.does} ${epochOf(placement, duty)?.epoch}`
        left.delete(key)
        const work = this.#noted(key, { stream, duty, placement, control }, nowMs, told)
        told.push(this.#takeOn(key, work, isActing, nowMs))
        if (!isActing) continue
        if (duty.does === "startSealing") told.push(...this.#toldRefusals(work.task, nowMs, refusals))
        told.push(...this.#toldStanding(work, nowMs))
      }
    for (const one of this.#refusals) if (!refusals.has(one)) this.#refusals.delete(one)
    for (const key of left) told.push(this.#over(key))
    return Effect.asVoid(Effect.all(told))
  }).pipe(
    Effect.catchCause((cause) =>
      Telemetry.warn(`the coordinator of moves broke, and goes on: ${textOfThrown(Cause.squash(cause))}`)
    )
  )

  #dutiesOf(placement: Placement): ReadonlyArray<Duty> {
    let duties = this.#duties.get(placement)
    if (duties === undefined) this.#duties.set(placement, (duties = dutiesOf(placement)))
    return duties
  }

  readonly #isSilent = (member: string): boolean =>
    this.#heard.silentMs(member, monotonicMs(this.#parts.clock)) >= this.#leaseMs

  /** Whether it is its turn: it has the lowest name of those that are heard of. */
  #isActing({ members }: Control, nowMs: number): boolean {
    const { control, isTool = false } = this.#options
    if (isTool) return true
    if (!members.has(control.author)) return false
    for (const member of members.keys())
      if (member < control.author && this.#heard.silentMs(member, nowMs) < this.#leaseMs) return false
    return true
  }

  #noted(key: string, task: Task, nowMs: number, told: Array<Effect.Effect<void>>): Work {
    const epoch = epochOf(task.placement, task.duty)
    const marker = task.duty.does === "sweep" ? task.duty.owing.join() : epoch
    const found = this.#works.get(key)
    if (found === undefined) {
      const share = this.#parts.random()
      const fresh = { sinceMs: nowMs, stoodMs: nowMs, dueMs: nowMs, failures: 0, standing: undefined, isTold: false }
      const work: Work = { task, epoch, marker, share, ...fresh }
      this.#works.set(key, work)
      return work
    }
    found.task = task
    if (found.epoch !== epoch) {
      Object.assign(found, { epoch, sinceMs: nowMs, failures: 0 })
      if (task.duty.does !== "sweep") found.dueMs = nowMs
    }
    if (found.marker !== marker) {
      if (found.isTold) told.push(goesOn(found))
      Object.assign(found, { marker, stoodMs: nowMs, isTold: false })
    }
    return found
  }

  /** Tries it, where that is due and its turn. */
  #takeOn(key: string, work: Work, isActing: boolean, nowMs: number): Effect.Effect<void> {
    const { task } = work
    const { tries } = this.#parts
    if (Option.isSome(FiberMap.getUnsafe(tries, key))) return Effect.void
    const who = awaitedBy(task.control, task.placement, task.duty, this.#isSilent)
    if (who !== undefined) {
      work.standing = who
      return Effect.void
    }
    const turnMs = isActing ? work.dueMs : Math.max(work.dueMs, work.sinceMs + this.#leaseMs * (1 + work.share))
    if (nowMs < turnMs) return Effect.void
    return Effect.asVoid(FiberMap.run(tries, key, this.#try(work, isActing)))
  }

  #try(work: Work, isActing: boolean): Effect.Effect<void> {
    const { control } = this.#options
    const { clock, news } = this.#parts
    const onWaiting = (why: string) => void (work.standing = why)
    const trying = Effect.suspend(() => perform(work.task, { control, places: this.#places, onWaiting }))
    const within = Effect.timeoutOrElse(trying, {
      duration: tryMsMax,
      orElse: () => Effect.succeed(work.standing ?? `it was not done within ${tryMsMax / 1000} seconds`)
    })
    const ended = Effect.matchCause(within, {
      onFailure: (cause) => stands(work, whyOf(cause), this.#pauseMs(work, isActing), monotonicMs(clock)),
      onSuccess: (standing) =>
        standing === undefined
          ? void Object.assign(work, { standing, failures: 0, dueMs: monotonicMs(clock) + againMs })
          : stands(work, standing, this.#pauseMs(work, isActing), monotonicMs(clock))
    })
    return Effect.ensuring(
      this.#turns.withPermit(ended),
      Effect.sync(() => news.signal())
    )
  }

  #pauseMs({ task, failures }: Work, isActing: boolean): number {
    if (!isActing) return this.#leaseMs * (1 + this.#parts.random())
    const mostMs = task.duty.does === "sweep" ? sweepMsMax : againMsMax
    return Math.min(againMs * 2 ** failures, mostMs) * (0.8 + 0.4 * this.#parts.random())
  }

  /** It is done, by whomever. */
  #over(key: string): Effect.Effect<void> {
    const work = this.#works.get(key)
    this.#works.delete(key)
    Option.map(FiberMap.getUnsafe(this.#parts.tries, key), (fiber: Fiber.Fiber<unknown, unknown>) =>
      fiber.interruptUnsafe()
    )
    const isPaused = this.#options.control.control.streams.get(work?.task.stream ?? "")?.isPaused === true
    return work?.isTold === true && !isPaused ? goesOn(work) : Effect.void
  }

  #toldStanding(work: Work, nowMs: number): ReadonlyArray<Effect.Effect<void>> {
    const { standing, isTold, stoodMs, task } = work
    if (standing === undefined || isTold || nowMs - stoodMs < this.#leaseMs * toldLeases) return []
    work.isTold = true
    const seconds = Math.round((nowMs - stoodMs) / 1000)
    return [Telemetry.warn(`stream ${task.stream} has stood for ${seconds} seconds: ${standing}`)]
  }

  /** Once for each reason, at once: the process goes on to refuse it until it is given another document or what it lacks. */
  #toldRefusals(task: Task, nowMs: number, all: Set<string>): ReadonlyArray<Effect.Effect<void>> {
    const isSilent = (member: string): boolean => this.#heard.silentMs(member, nowMs) >= this.#leaseMs
    const { refusing } = lateWriters(task.control, task.placement, isSilent)
    return refusing.flatMap(({ member, why }) => {
      const key = `${task.stream} ${member} ${why}`
      all.add(key)
      if (this.#refusals.has(key)) return []
      this.#refusals.add(key)
      return [
        Telemetry.warn(`stream ${task.stream} is not moved while ${member} refuses the document that says so: ${why}`)
      ]
    })
  }
}

function stands(work: Work, standing: string, pauseMs: number, nowMs: number): void {
  work.standing = standing
  work.failures++
  work.dueMs = nowMs + pauseMs
}

function whyOf(cause: Cause.Cause<Trouble>): string {
  return Option.match(Cause.findErrorOption(cause), {
    onNone: () => textOfThrown(Cause.squash(cause)),
    onSome: ({ why }) => why
  })
}

const goesOn = ({ task }: Work): Effect.Effect<void> => Telemetry.inform(`stream ${task.stream} goes on`)
