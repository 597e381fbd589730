/**
 * Those who wait for room in one sink. The rule: who came first is served first. Whoever is first and does not fit yet holds up
 * everybody behind, however small; and whoever comes meanwhile goes behind, or is rejected where it cannot wait. So a large
 * event gets its room, because nothing takes what is given back before it.
 */
import { type Clock, type Context, Effect, type Fiber } from "effect"
import type { Scheduler } from "effect/Scheduler"
import { monotonicMs } from "../Wake.ts"
import { Fifo } from "./Fifo.ts"
import { tasksOf } from "./tasksOf.ts"

/** Somebody who waits. */
export interface InLine {
  /** Rises with each arrival, over all sinks: an event that goes on to wait at another sink keeps its place. */
  readonly ticket: number
  /** When it gives up, in milliseconds of the monotonic clock. */
  readonly untilMs: number
  /** For whom it waits: the publisher. */
  readonly owner: unknown
  /** Tries again; false: it stays first in line. Otherwise it has left the queue. */
  readonly serve: () => boolean
  /** Gives up and leaves the queue: its time is over. */
  readonly expire: () => void
}

let tickets = 0

/** The place of whoever comes now, behind everybody else. */
export function nextTicket(): number {
  return ++tickets
}

/** Of whoever does not wait: behind everybody who does. */
export const noTicket = Number.POSITIVE_INFINITY

export class RoomQueue {
  readonly #line = new Fifo<InLine>()
  readonly #clock: Clock.Clock
  readonly #context: Context.Context<never>
  readonly #schedule: (task: () => void) => void
  #isScheduled = false
  #alarm: Fiber.Fiber<void> | undefined
  #alarmMs = 0

  constructor(clock: Clock.Clock, scheduler: Scheduler, context: Context.Context<never>) {
    this.#clock = clock
    this.#context = context
    this.#schedule = tasksOf(scheduler)
  }

  /** The monotonic clock, in milliseconds. */
  get nowMs(): number {
    return monotonicMs(this.#clock)
  }

  get length(): number {
    return this.#line.length
  }

  /** How many wait for one publisher. */
  of(owner: unknown): number {
    return this.#line.all.filter((one) => one.owner === owner).length
  }

  /** Whether somebody waits whose turn is before this ticket's. */
  isHeld(ticket: number): boolean {
    const first = this.#line.at(0)
    return first !== undefined && first.ticket < ticket
  }

  /** Takes a place by its ticket. */
  join(one: InLine): void {
    let at = this.#line.length
    while (at > 0 && (this.#line.at(at - 1)?.ticket ?? 0) > one.ticket) at--
    this.#line.insert(at, one)
    if (this.#alarm === undefined || one.untilMs < this.#alarmMs) this.#arm()
  }

  /** Gives the place up; whoever is first now looks for itself. */
  leave(one: InLine): void {
    const wasFirst = this.#line.at(0) === one
    if (!this.#line.remove(one)) return
    if (this.#line.length === 0) this.#disarm()
    else if (wasFirst) this.freed()
  }

  /** There may be room now: serves the line, never inside the caller's stack. */
  freed(): void {
    if (this.#isScheduled || this.#line.length === 0) return
    this.#isScheduled = true
    this.#schedule(() => {
      this.#isScheduled = false
      this.#serve()
    })
  }

  #serve(): void {
    for (let first = this.#line.at(0); first !== undefined; first = this.#line.at(0)) if (!first.serve()) return
  }

  #arm(): void {
    this.#disarm()
    this.#alarmMs = this.#line.all.reduce(
      (earliest, { untilMs }) => Math.min(earliest, untilMs),
      Number.POSITIVE_INFINITY
    )
    const sleep = Effect.sleep(Math.max(0, this.#alarmMs - this.nowMs))
    this.#alarm = Effect.runForkWith(this.#context)(
      Effect.andThen(
        sleep,
        Effect.sync(() => this.#ring())
      )
    )
  }

  #disarm(): void {
    const alarm = this.#alarm
    this.#alarm = undefined
    alarm?.interruptUnsafe()
  }

  #ring(): void {
    this.#alarm = undefined
    const { nowMs } = this
    for (const one of this.#line.all.filter(({ untilMs }) => untilMs <= nowMs)) one.expire()
    if (this.#line.length > 0 && this.#alarm === undefined) this.#arm()
  }
}
