/**
 * Runs the lanes of one open cluster: what is ready is driven once per turn, what is due later stands in one calendar with one sleeping
 * fiber. So a lane costs no fiber and no timer, and an idle one nothing. All decisions are the machines'; all waiting is here.
 */
import type { AsyncResource } from "node:async_hooks"
import { Clock, Context, Effect, type Fiber, Random, Scheduler } from "effect"
import * as Telemetry from "../Telemetry.ts"
import type { Run, Transport } from "../transport/index.ts"
import { unknownRun } from "../transport/Sending.ts"
import { monotonicMs } from "../Wake.ts"
import type { ArenaPool } from "./ArenaPool.ts"
import { boundedFence } from "./boundedFence.ts"
import { type Alarmed, Calendar } from "./Calendar.ts"
import { RoomQueue } from "./RoomQueue.ts"
import { type PartitionHome, type PartitionRunner, type PumpedLane, PumpedPartition } from "./Pumped.ts"
import { Standstills, standstillMs } from "./Standstills.ts"
import type { TurnClock } from "./TurnClock.ts"
import type { Sending } from "./WritePartition.ts"

/** How long the answer to a send may come after its time before leat stops waiting for the driver, in milliseconds. */
const graceMs = 1000

/** How often sends are looked at that have no answer yet, at most, in milliseconds. */
const lateCheckMs = 250

/** How long the pump sleeps for them at most, in milliseconds: so long a process that forgot to close stays when all is answered. */
const lateSleepMs = 1000

/** Sends of one partition in one turn; the others have theirs in between. */
const sendsPerTurn = 16

/** Partitions that have gone and are kept for the next ones. */
const sparesMax = 4096

export class Pump implements Alarmed, PartitionRunner {
  readonly transport: Transport
  readonly arenas: ArenaPool
  readonly context: Context.Context<never>
  readonly scheduler: Scheduler.Scheduler
  alarmMs = Number.POSITIVE_INFINITY
  readonly #clock: Clock.Clock
  readonly #turnClock: TurnClock
  readonly #random: { readonly nextDoubleUnsafe: () => number }
  readonly #isTraced: boolean
  readonly #durations: Telemetry.Histogram
  readonly #calendar = new Calendar()
  /** Partitions that store nothing. */
  readonly standstills: Standstills
  /** Partitions with sends that have no answer. */
  readonly #waiting = new Set<PumpedPartition>()
  readonly #schedule: () => void
  readonly #spares: Array<PumpedPartition> = []
  #line: Array<PumpedPartition> = []
  #isScheduled = false
  #driving: PumpedPartition | undefined
  #nowMs = 0
  #sleeping: Fiber.Fiber<unknown, unknown> | undefined
  #sleepsUntilMs = Number.POSITIVE_INFINITY

  /** Turns run in the async context of `opening`, and not in that of whoever published first: what a driver does is of all of them. */
  constructor(
    transport: Transport,
    arenas: ArenaPool,
    context: Context.Context<never>,
    turnClock: TurnClock,
    opening: AsyncResource
  ) {
    this.transport = transport
    this.arenas = arenas
    this.context = context
    this.#turnClock = turnClock
    this.#clock = Context.get(context, Clock.Clock)
    this.#random = Context.get(context, Random.Random)
    this.#isTraced = Telemetry.isTraced(context)
    this.#durations = Telemetry.sendDuration(context)
    this.standstills = new Standstills(context, () => this.nowMs)
    this.scheduler = Context.get(context, Scheduler.Scheduler)
    const dispatcher = this.scheduler.makeDispatcher()
    const turn = () => this.#run()
    const run = () => opening.runInAsyncScope(turn)
    this.#schedule = () => dispatcher.scheduleTask(run, 0)
  }

  /** Milliseconds of the monotonic clock. */
  get nowMs(): number {
    return monotonicMs(this.#clock)
  }

  /** Epoch milliseconds of the wall clock. */
  get wallMs(): number {
    return this.#clock.currentTimeMillisUnsafe()
  }

  /** When the event that is offered now came, in milliseconds of the monotonic clock. */
  get offeredAtMs(): number {
    return this.#turnClock.monotonicMs
  }

  /** A line for those who wait for room in a sink of this cluster. */
  roomQueue(): RoomQueue {
    return new RoomQueue(this.#clock, this.scheduler, this.context)
  }

  /** A partition that a sink begins to write to. */
  begin(home: PartitionHome, partition: number): PumpedPartition {
    const spare = this.#spares.pop()
    if (spare === undefined) return new PumpedPartition(this, home, partition)
    spare.become(home, partition)
    return spare
  }

  /** Nobody writes to the partition any more, and of it nothing is on its way, in doubt or waiting. */
  end(partition: PumpedPartition): void {
    this.#calendar.remove(partition)
    if (this.#spares.length < sparesMax) this.#spares.push(partition)
  }

  /** Whether the partition is being driven, and is told so when that is over. */
  isDriving(partition: PumpedPartition): boolean {
    return this.#driving === partition
  }

  /** The partition may have something to do: it is driven in the next turn. */
  schedule(partition: PumpedPartition): void {
    if (partition.isScheduled) return
    partition.isScheduled = true
    this.#line.push(partition)
    this.#wake()
  }

  /** Wakes a lane or partition at a time of the monotonic clock, unless it is woken earlier. */
  alarm(one: Alarmed, atMs: number): void {
    this.#calendar.enter(one, atMs)
    // The turn that is coming looks at the calendar by itself.
    if (!this.#isScheduled && this.#driving === undefined && atMs < this.#sleepsUntilMs) this.#wake()
  }

  /** The lane is gone. */
  forget(one: Alarmed): void {
    this.#calendar.remove(one)
  }

  /** The partition's sink has closed: late answers count for nothing. */
  close(partition: PumpedPartition): void {
    partition.isClosed = true
    for (const sending of partition.unanswered) sending.endSpan("closed")
    this.#waiting.delete(partition)
    this.#calendar.remove(partition)
    partition.fencing?.interruptUnsafe()
  }

  /** Waits for no answer of the partition any more. A fence that is on its way goes on: until it has returned nothing is sent. */
  giveUp(partition: PumpedPartition): void {
    for (const sending of partition.unanswered) {
      const detail = "closing has given up waiting for an answer"
      this.#answered(partition, sending, [unknownRun(this.transport.name, sending.from, sending.to, detail)])
    }
  }

  /** A sink has closed: without anything due there is nothing to sleep for. */
  rest(): void {
    for (const partition of this.#waiting) if (partition.unanswered.length === 0) this.#waiting.delete(partition)
    if (this.#waiting.size === 0) this.#calendar.remove(this)
    if (this.#calendar.earliestMs < Number.POSITIVE_INFINITY) return
    this.#sleeping?.interruptUnsafe()
    this.#sleeping = undefined
    this.#sleepsUntilMs = Number.POSITIVE_INFINITY
  }

  /** Some sends have no answer for too long. */
  ring(): void {
    let nextMs = Number.POSITIVE_INFINITY
    for (const partition of this.#waiting) {
      const { unanswered } = partition
      if (unanswered.length === 0) this.#waiting.delete(partition)
      for (const sending of unanswered) {
        if (sending.lateMs > this.#nowMs) {
          nextMs = Math.min(nextMs, sending.lateMs)
          const { sentAtMs } = sending
          if (this.#nowMs - sentAtMs >= standstillMs) this.#fails(partition, sentAtMs, "the cluster gives no answer")
        } else this.#answered(partition, sending, this.#late(partition, sending))
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#lookAgain(nextMs)
  }

  #lookAgain(lateMs: number): void {
    const inMs = Math.min(Math.max(lateMs - this.#nowMs, lateCheckMs), lateSleepMs)
    this.#calendar.enter(this, this.#nowMs + inMs)
  }

  #wake(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule()
  }

  #run(): void {
    this.#nowMs = monotonicMs(this.#clock)
    this.#calendar.ring(this.#nowMs)
    const line = this.#line
    this.#line = []
    this.#isScheduled = false
    for (const partition of line) {
      partition.isScheduled = false
      if (!partition.isClosed) this.#driveSafely(partition)
    }
    this.#sleep()
  }

  /** A defect of ours must not look like a quiet lane, nor end the others. */
  #driveSafely(partition: PumpedPartition): void {
    this.#driving = partition
    try {
      this.#drive(partition)
    } catch (defect) {
      // It is told in a turn in which nothing is done any more; what breaks down there too is not asked again.
      if (partition.halted === undefined) this.schedule(partition)
      partition.halted = { tag: "Defect", attempts: 0, detail: String(defect) }
    }
    this.#driving = undefined
  }

  #drive(partition: PumpedPartition): void {
    let hasFailed = false
    for (let sends = 0; !hasFailed;) {
      hasFailed = partition.isAnswered && partition.settle(this.#nowMs, this.#random.nextDoubleUnsafe()) !== "stored"
      // What failed is tried again in another turn, so that a policy without a delay does not keep the thread.
      if (hasFailed || sends >= sendsPerTurn) {
        this.schedule(partition)
        break
      }
      const command = partition.next(this.#nowMs)
      if (command._tag === "Idle") break
      if (command._tag === "Send") {
        sends++
        this.#send(partition, command)
      } else if (command._tag === "Fence") this.#fence(partition)
      else {
        this.#calendar.enter((command.lane as PumpedLane | undefined) ?? partition, command.untilMs)
        if (command.lane === undefined) break
      }
    }
    partition.home.driven(partition, hasFailed)
  }

  #send(partition: PumpedPartition, sending: Sending): void {
    const { leg, writer } = partition.home
    const { batch, from, to } = sending
    sending.sentAtMs = this.#nowMs
    sending.lateMs = this.#nowMs + leg.timeoutMs + graceMs
    const send = () => {
      try {
        writer.send(partition.partition, batch, from, to, leg.timeoutMs, (runs) =>
          this.#answered(partition, sending, runs)
        )
      } catch (error) {
        const detail = `the driver failed: ${String(error)}`
        this.#answered(partition, sending, [unknownRun(this.transport.name, from, to, detail)])
      }
    }
    if (this.#isTraced) this.#traced(partition, sending, send)
    else send()
    if (sending.runs !== undefined) return
    this.#waiting.add(partition)
    this.#lookAgain(sending.lateMs)
  }

  /** Hands it over in a span that its answer ends. */
  #traced({ partition, home }: PumpedPartition, sending: Sending, send: () => void): void {
    const { batch, from, to } = sending
    const { sink, topic } = home.leg
    const destination = { system: this.transport.name, topic, partition }
    const span = () => Telemetry.sendSpan(destination, sink, to - from, batch.traces(from, to, Telemetry.linksMax))
    Telemetry.inSpan(this.context, span, (end) => {
      sending.trace = end
      send()
    })
  }

  #answered(partition: PumpedPartition, sending: Sending, runs: ReadonlyArray<Run>): void {
    if (!sending.answer(runs)) return
    sending.endSpan(sending.runs?.find(({ error }) => error !== undefined)?.error?.reason)
    if (partition.isClosed) return
    const nowMs = partition === this.#driving ? this.#nowMs : monotonicMs(this.#clock)
    this.#durations.record((nowMs - sending.sentAtMs) / 1000)
    if (!sending.isOfSpill && sending.runs?.some(isStored) === true) {
      this.standstills.stores(partition.home, partition.partition)
      partition.home.fallback?.stored(partition.partition)
    }
    if (!sending.isOfSpill) partition.home.breaker?.answered(partition.partition, sending, nowMs)
    const failed = sending.runs?.find((run) => !isStored(run))
    if (failed !== undefined) this.#fails(partition, sending.sentAtMs, whyOf(failed))
    if (partition !== this.#driving) this.schedule(partition)
  }

  #fails({ home, partition }: PumpedPartition, sentAtMs: number, why: string): void {
    this.standstills.fails(home, partition, sentAtMs, why)
  }

  #late({ home }: PumpedPartition, { from, to }: Sending): ReadonlyArray<Run> {
    const detail = `the driver gave no answer within ${home.leg.timeoutMs + graceMs} ms`
    return [unknownRun(this.transport.name, from, to, detail, "Timeout")]
  }

  #fence(partition: PumpedPartition): void {
    const { leg, writer } = partition.home
    const fence = boundedFence(writer, partition.partition, leg.sink, leg.timeoutMs + graceMs)
    const fencing = fence.pipe(
      Effect.map((failure) => {
        // Nothing is sent meanwhile that could fail.
        if (failure !== undefined) this.#fails(partition, monotonicMs(this.#clock), `${failure.tag}: ${failure.detail}`)
        partition.fenced(failure, monotonicMs(this.#clock), this.#random.nextDoubleUnsafe())
        this.schedule(partition)
      })
    )
    partition.fencing = Effect.runForkWith(this.context)(fencing)
  }

  #sleep(): void {
    const untilMs = this.#calendar.earliestMs
    if (untilMs === this.#sleepsUntilMs || this.#isScheduled) return
    this.#sleeping?.interruptUnsafe()
    this.#sleeping = undefined
    this.#sleepsUntilMs = untilMs
    if (untilMs === Number.POSITIVE_INFINITY) return
    const woken = Effect.sync(() => {
      this.#sleeping = undefined
      this.#sleepsUntilMs = Number.POSITIVE_INFINITY
      this.#wake()
    })
    const sleep = Effect.sleep(Math.max(0, untilMs - this.#nowMs))
    this.#sleeping = Effect.runForkWith(this.context)(Effect.andThen(sleep, woken))
  }
}

function isStored({ fate }: Run): boolean {
  return fate === "stored"
}

function whyOf({ error }: Run): string {
  return error === undefined ? "the cluster does not say why" : `${error.reason}: ${error.detail}`
}
