/**
 * The shell of one subscription: takes the lanes that the transport gives to this member, and runs each (`LaneShell`) until it
 * is given back. All decisions are the lanes'; joining, leaving and joining again are here.
 */
import { Clock, type Context, Effect, Exit, Schedule, type Scheduler, Scope, Stream } from "effect"
import type { DecodedValue, HaltedReadLane, Running, SourceOptions } from "./DeliveryInfo.ts"
import { LaneShell } from "./LaneShell.ts"
import { ReadLane } from "./ReadLane.ts"
import type { Lane, ReceivedRecord, TransportError } from "../transport/index.ts"
import { Wake } from "../Wake.ts"
import { readMeta, type RecordMeta } from "../record/Wire.ts"

/** How long a subscription waits before it joins its group again after a failure. */
const rejoin = Schedule.jittered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")]))

export class Source<T> {
  readonly #options: SourceOptions<T>
  readonly #context: Context.Context<never>
  readonly #scheduler: Scheduler.Scheduler
  readonly #running = new Set<Running>()
  #stopping = false
  #whenEmpty: (() => void) | undefined
  /** Ends the membership that runs now, because of an error in one of its lanes. */
  #fail: (error: TransportError) => void = () => undefined

  constructor(options: SourceOptions<T>, context: Context.Context<never>, scheduler: Scheduler.Scheduler) {
    this.#options = options
    this.#context = context
    this.#scheduler = scheduler
  }

  get halted(): ReadonlyArray<HaltedReadLane> {
    return Array.from(this.#running).flatMap(({ machine, lane }) =>
      machine.halted === undefined ? [] : [{ ...machine.halted, partition: lane.partition }]
    )
  }

  /** Positions that keep full lanes from pulling, by partition. */
  get blocked(): ReadonlyArray<{ readonly partition: number; readonly position: bigint }> {
    return Array.from(this.#running).flatMap(({ machine, lane }) => {
      const held = machine.blockedBy
      return held === undefined ? [] : [{ partition: lane.partition, position: held.position }]
    })
  }

  readonly resume: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (nowMs) => {
    for (const { machine, wake } of this.#running) {
      if (machine.halted === undefined) continue
      machine.resume(nowMs)
      wake.signal()
    }
  })

  /**
   * Takes lanes until interrupted; then drains, settles and releases them. When the transport fails for a passing reason it
   * joins the group again, with growing delays; fails only where trying again is of no use.
   */
  readonly run: Effect.Effect<void, TransportError> = Effect.suspend(() => this.#membership()).pipe(
    Effect.tapError((error) => {
      const next = error.isRetryable ? "joins again" : "ends"
      return Effect.logWarning(
        `the subscription ${this.#options.group} of ${this.#options.stream} ${next}: ${error.message}`
      )
    }),
    Effect.retry({ schedule: rejoin, while: (error) => error.isRetryable })
  )

  /** One stay in the group. */
  #membership(): Effect.Effect<void, TransportError> {
    const { transport, topic, group, settings } = this.#options
    const subscription = { topic, group, from: settings.from, drainMs: settings.drainMs }
    this.#stopping = false
    this.#whenEmpty = undefined
    const failed = Effect.callback<never, TransportError>((resume) => {
      this.#fail = (error) => resume(Effect.fail(error))
    })
    return Effect.acquireUseRelease(
      Scope.make(),
      (membership) =>
        Effect.raceFirst(
          failed,
          transport.subscribe(subscription).pipe(
            Stream.runForEach((lane) => Effect.forkIn(this.#holdLane(lane), membership)),
            Scope.provide(membership)
          )
        ),
      // First no more lanes; then the member drains, settles and releases those it has; then it is gone.
      (membership) => Effect.andThen(this.#stop, Scope.close(membership, Exit.void))
    )
  }

  /** Ends every lane as if it had been revoked, and waits until they are given back. */
  readonly #stop: Effect.Effect<void> = Effect.suspend(() => {
    this.#stopping = true
    for (const running of this.#running) this.#end(running)
    return Effect.callback<void>((resume) => {
      if (this.#running.size === 0) resume(Effect.void)
      else this.#whenEmpty = () => resume(Effect.void)
    })
  })

  #end(running: Running): void {
    if (!this.#options.drainsOnStop) running.drainMs = 0
    running.machine.revoke()
    running.wake.signal()
  }

  #holdLane(lane: Lane): Effect.Effect<void> {
    const { settings, unordered, ledger, group, stream, bundleRecords } = this.#options
    const machine = new ReadLane({
      policy: settings.policy,
      start: lane.start,
      abandoned: lane.abandoned,
      crashLoop: settings.crashLoop,
      concurrency: settings.concurrency,
      bufferBytesMax: settings.bufferBytesMax,
      unordered,
      settleEveryMs: settings.settleEveryMs,
      ...(bundleRecords === undefined ? {} : { bundleRecords })
    })
    const running = { machine, lane, wake: new Wake(this.#scheduler), drainMs: settings.drainMs }
    return Effect.suspend(() => {
      this.#running.add(running)
      if (this.#stopping) this.#end(running)
      const close = ledger.watchRead(() => rowOf(machine, lane, group, stream))
      return new LaneShell(
        running,
        this.#options,
        (record) => this.#decode(record),
        (error) => this.#fail(error),
        this.#context,
        this.#scheduler
      ).run.pipe(
        Effect.ensuring(
          Effect.sync(() => {
            machine.handBack()
            close()
            this.#running.delete(running)
            if (this.#running.size === 0) this.#whenEmpty?.()
          })
        )
      )
    }).pipe(Effect.uninterruptible)
  }

  #decode(record: ReceivedRecord): DecodedValue<T> & { readonly meta: RecordMeta } {
    const meta = readMeta(record.headers, this.#options.stream)
    if (meta.isMarker) return { _tag: "Fault", fault: { skip: "control" }, meta }
    if (meta.isOtherStream === true) return { _tag: "Fault", fault: { skip: "otherStream" }, meta }
    return { ...this.#options.decode(record, meta), meta }
  }
}

function rowOf(machine: ReadLane, lane: Lane, group: string, stream: string) {
  const { end, parked, inFlight, unread } = machine.census()
  const done = machine.done["done"] ?? 0
  const positions = Number(end - lane.start)
  const ended = done + total(machine.dropped) + total(machine.skipped)
  return {
    group,
    stream,
    lane: lane.id,
    start: lane.start,
    end,
    positions,
    done,
    deadLettered: {},
    dropped: { ...machine.dropped },
    duplicate: 0,
    skipped: { ...machine.skipped },
    parked,
    inFlight,
    unread,
    balanced: positions === ended + parked + inFlight + unread
  }
}

function total(counts: Readonly<Record<string, number>>): number {
  let sum = 0
  for (const reason in counts) sum += counts[reason] ?? 0
  return sum
}
