/**
 * The shell of one subscription: takes the lanes that the transport gives to this member, and for each runs a `ReadLane` with
 * handlers in fibers of their own. All decisions are the lane's; pulling, handling, settling and waiting are here.
 */
import {
  Cause,
  Clock,
  Context,
  Effect,
  Exit,
  type Fiber,
  Option,
  Random,
  Schedule,
  type Scheduler,
  Scope,
  Stream
} from "effect"
import { formatEventId } from "./EventId.ts"
import type { Ledger } from "./Ledger.ts"
import { type Delivery, type Fault, ReadLane, type ReadHalted } from "./ReadLane.ts"
import type { SubscriptionSettings } from "./Routes.ts"
import * as Telemetry from "./Telemetry.ts"
import { type Lane, type ReceivedRecord, type Transport, TransportError } from "./Transport.ts"
import { Wake } from "./Wake.ts"
import { readMeta, type RecordMeta } from "./Wire.ts"

/** What a handler is told beside the event: where it stands, when it was offered and stored, and what came with it. */
export interface DeliveryInfo extends RecordMeta {
  /** The key as text (UTF-8); empty when the record has none. */
  readonly key: string
  /** Null: the record has no key. */
  readonly keyBytes: Uint8Array | null
  readonly topic: string
  readonly partition: number
  /** Position in the partition. */
  readonly position: bigint
  /** 1 for the first attempt of this process. */
  readonly attempt: number
  /** Epoch milliseconds the backend gives for the record. */
  readonly storedAtMs: number
}

/**
 * What is being handled, for whoever publishes inside a handler: its correlation, causation and trace go along by
 * themselves. Undefined outside of handlers.
 *
 * @example
 * ```ts
 * const causedBy = Effect.map(CurrentDelivery, (delivery) => delivery?.id)
 * ```
 */
export const CurrentDelivery = Context.Reference<DeliveryInfo | undefined>("leat/CurrentDelivery", {
  defaultValue: () => undefined
})

export interface SourceOptions<T> {
  readonly transport: Transport
  readonly topic: string
  readonly stream: string
  readonly group: string
  readonly unordered: boolean
  readonly settings: SubscriptionSettings
  readonly ledger: Ledger
  readonly decode: (record: ReceivedRecord, meta: RecordMeta) => DecodedValue<T>
  /** Handles one delivery; fails with whatever the policy is to judge by its tag. */
  readonly handle: (deliveries: ReadonlyArray<HandlerInput<T>>) => Effect.Effect<void, unknown>
  /** Whether stopping waits for handlers that run. Not where they wait for a consumer that has gone. */
  readonly drainsOnStop: boolean
  /** For handlers of batches: records that one call of `handle` gets at most. Absent: one by one, in order per key. */
  readonly bundleRecords?: number
}

/** The value of a record: an event, a tombstone, or why it is neither. */
export type DecodedValue<T> =
  | { readonly _tag: "Event"; readonly event: T }
  | { readonly _tag: "Tombstone" }
  | { readonly _tag: "Fault"; readonly fault: Fault }

export interface HandlerInput<T> {
  /** Undefined: a tombstone. */
  readonly event: T | undefined
  readonly info: DeliveryInfo
}

/** Why and where a lane of a subscription stands still until `resume`. */
export interface HaltedReadLane extends ReadHalted {
  readonly partition: number
}

interface Running {
  readonly machine: ReadLane
  readonly wake: Wake
  readonly lane: Lane
  /** How long the lane may drain when it ends, in milliseconds. */
  drainMs: number
}

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
      ...(bundleRecords === undefined
        ? {}
        : { bundle: { records: bundleRecords, single: (record) => this.#decode(record)._tag !== "Event" } })
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
    return { ...this.#options.decode(record, meta), meta }
  }
}

type Decode<T> = (record: ReceivedRecord) => DecodedValue<T> & { readonly meta: RecordMeta }

/** Runs one lane from the first pull to the release. */
class LaneShell<T> {
  readonly #running: Running
  readonly #options: SourceOptions<T>
  readonly #decode: Decode<T>
  readonly #fail: (error: TransportError) => void
  readonly #context: Context.Context<never>
  readonly #handlers = new Set<Fiber.Fiber<void, unknown>>()
  readonly #roomAgain: Wake
  #isLost = false
  #now: () => number = () => 0
  #random: () => number = () => 0

  constructor(
    running: Running,
    options: SourceOptions<T>,
    decode: Decode<T>,
    fail: (error: TransportError) => void,
    context: Context.Context<never>,
    scheduler: Scheduler.Scheduler
  ) {
    this.#running = running
    this.#options = options
    this.#decode = decode
    this.#fail = fail
    this.#context = context
    this.#roomAgain = new Wake(scheduler)
  }

  /** Pulls in one fiber and drives in this one, until the lane is revoked or lost. Not interruptible from outside: it is told to stop. */
  readonly run: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const clock = yield* Clock.Clock
    const random = yield* Random.Random
    this.#now = () => clock.currentTimeMillisUnsafe()
    this.#random = () => random.nextDoubleUnsafe()
    const puller = Effect.runForkWith(this.#context)(this.#pull)
    yield* this.#drive
    puller.interruptUnsafe()
    yield* this.#finish
  })

  /** Pulls while the machine wants more. The end of the lane's stream is its revocation; a failure is its loss. */
  readonly #pull: Effect.Effect<void> = Effect.scoped(
    Effect.gen({ self: this }, function* () {
      const { lane, machine, wake } = this.#running
      const pull = yield* Stream.toPull(lane.batches)
      for (;;) {
        while (!machine.wantsMore && !machine.isRevoked) yield* this.#roomAgain.wait
        if (machine.isRevoked) return
        const exit = yield* Effect.exit(pull)
        if (Exit.isFailure(exit)) {
          // A stream that ends is a revocation; anything else means that the position is no longer ours to settle.
          if (!Cause.hasInterrupts(exit.cause) && !isEnd(exit.cause)) this.#lose("pull", exit.cause)
          machine.revoke()
          wake.signal()
          return
        }
        for (const batch of exit.value) machine.received(batch)
        wake.signal()
      }
    })
  )

  /** Starts handlers, settles what is due, waits; until revoked and nothing runs, or the drain deadline has passed. */
  readonly #drive: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { machine, wake, lane } = this.#running
    let drainUntilMs = Number.POSITIVE_INFINITY
    for (;;) {
      const nowMs = this.#now()
      for (
        let one = machine.next(nowMs, this.#random());
        one !== undefined;
        one = machine.next(nowMs, this.#random())
      ) {
        this.#start(one)
      }
      this.#roomAgain.signal()
      if (machine.isRevoked) {
        drainUntilMs = Math.min(drainUntilMs, nowMs + this.#running.drainMs)
        if (machine.running === 0 || this.#isLost || nowMs >= drainUntilMs) return
      }
      const position = machine.settleDue(nowMs)
      if (position !== undefined && !this.#isLost) yield* this.#settle(lane, position)
      const dueMs = Math.min(machine.dueMs ?? Number.POSITIVE_INFINITY, drainUntilMs)
      yield* dueMs === Number.POSITIVE_INFINITY ? wake.wait : wake.waitFor(dueMs - this.#now())
    }
  })

  readonly #finish: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { machine, lane } = this.#running
    for (const fiber of this.#handlers) fiber.interruptUnsafe()
    const position = machine.settleDue(this.#now(), true)
    if (position !== undefined && !this.#isLost) yield* this.#settle(lane, position)
    if (!this.#isLost) yield* lane.release
  })

  #settle(lane: Lane, position: bigint): Effect.Effect<void> {
    const { transport, topic, group } = this.#options
    const span = () =>
      Telemetry.commitSpan({ system: transport.name, topic, partition: lane.partition }, group, position)
    return lane.settle(position).pipe(
      Telemetry.spanned(span),
      Effect.matchCause({
        onSuccess: () => this.#running.machine.settled(position),
        // A settle that failed for a passing reason is made up for by the next one.
        onFailure: (cause) => {
          const error = Cause.findErrorOption(cause)
          if (Option.isSome(error) && error.value.isRetryable) return
          this.#lose("settle", cause)
          this.#running.machine.revoke()
        }
      })
    )
  }

  /** The lane is not ours any more. Where that is not the backend's own word, only leaving the group gives it to somebody. */
  #lose(operation: string, cause: Cause.Cause<unknown>): void {
    this.#isLost = true
    const error = transportErrorOf(this.#options.transport.name, operation, cause)
    if (error.reason !== "LaneLost") this.#fail(error)
  }

  #start(delivery: Delivery): void {
    const inputs: Array<HandlerInput<T>> = []
    for (const record of delivery.records) {
      const decoded = this.#decode(record)
      if (decoded._tag === "Fault") return this.#finished(delivery, decoded.fault)
      const info = this.#info(record, decoded.meta, delivery.attempts)
      inputs.push({ event: decoded._tag === "Event" ? decoded.event : undefined, info })
    }
    const first = inputs[0]?.info
    const fiber = Effect.runForkWith(this.#context)(this.#handled(delivery, inputs, first))
    this.#handlers.add(fiber)
    fiber.addObserver((exit) => {
      this.#handlers.delete(fiber)
      // An interrupted handler has no outcome: whoever gets the lane next begins it again.
      if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) {
        if (!this.#running.machine.isRevoked)
          this.#finished(delivery, { tag: "Interrupted", detail: "the handler was interrupted" })
        return
      }
      this.#finished(delivery, Exit.isSuccess(exit) ? undefined : faultOf(exit.cause))
    })
  }

  #handled(
    delivery: Delivery,
    inputs: ReadonlyArray<HandlerInput<T>>,
    first: DeliveryInfo | undefined
  ): Effect.Effect<void, unknown> {
    const { handle } = this.#options
    return Effect.suspend(() => handle(inputs)).pipe(
      Effect.provideService(CurrentDelivery, first),
      Telemetry.timed(Telemetry.processDuration, "process"),
      Telemetry.spanned(() => this.#processSpan(delivery, inputs))
    )
  }

  #processSpan(delivery: Delivery, inputs: ReadonlyArray<HandlerInput<T>>): Telemetry.SpanSpec {
    const { transport, topic, group } = this.#options
    const id = inputs[0]?.info.id
    return Telemetry.processSpan(
      { system: transport.name, topic, partition: this.#running.lane.partition },
      group,
      {
        count: inputs.length,
        position: delivery.position,
        attempt: delivery.attempts,
        id: id === undefined ? undefined : formatEventId(id)
      },
      inputs.flatMap(({ info }) => (info.traceparent === undefined ? [] : [info.traceparent]))
    )
  }

  #finished(delivery: Delivery, fault: Fault | undefined): void {
    this.#running.machine.finished(delivery, fault, this.#now(), this.#random())
    this.#running.wake.signal()
  }

  #info(record: ReceivedRecord, meta: RecordMeta, attempt: number): DeliveryInfo {
    return {
      ...meta,
      key: record.key === null ? "" : keyText.decode(record.key),
      keyBytes: record.key,
      topic: this.#options.topic,
      partition: this.#running.lane.partition,
      position: record.position,
      attempt,
      storedAtMs: record.timeMs
    }
  }
}

const keyText = new TextDecoder()

/** How long a subscription waits before it joins its group again after a failure. */
const rejoin = Schedule.jittered(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")]))

function transportErrorOf(transport: string, operation: string, cause: Cause.Cause<unknown>): TransportError {
  const error = Cause.squash(cause)
  if (error instanceof TransportError) return error
  return new TransportError({ reason: "Unknown", transport, operation, detail: String(error), cause: error })
}

function isEnd(cause: Cause.Cause<unknown>): boolean {
  return cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))
}

/** The tag that policies match: `_tag` of a typed error, else the name of the error, else what was thrown. */
export function faultOf(cause: Cause.Cause<unknown>): { readonly tag: string; readonly detail: string } {
  const error = Cause.squash(cause)
  if (typeof error === "object" && error !== null) {
    const tag =
      "_tag" in error && typeof error._tag === "string"
        ? error._tag
        : "name" in error && typeof error.name === "string"
          ? error.name
          : "Error"
    return { tag, detail: "message" in error && typeof error.message === "string" ? error.message : tag }
  }
  return { tag: typeof error === "string" ? error : "Error", detail: String(error) }
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
