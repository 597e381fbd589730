/** The shell of one lane being read: carries out what its `ReadLane` says, from the first pull to the release. */
import { Cause, Clock, type Context, Effect, Exit, type Fiber, Option, Random, type Scheduler, Stream } from "effect"
import {
  CurrentDelivery,
  type Decode,
  type DeliveryInfo,
  type HandlerInput,
  type Running,
  type SourceOptions
} from "./DeliveryInfo.ts"
import { formatEventId } from "../record/EventId.ts"
import type { Delivery, Fault } from "./ReadLane.ts"
import * as Telemetry from "../Telemetry.ts"
import { type Lane, type ReceivedRecord, TransportError } from "../transport/index.ts"
import { Wake } from "../Wake.ts"
import type { RecordMeta } from "../record/Wire.ts"

/** Runs one lane from the first pull to the release. */
export class LaneShell<T> {
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
    const { machine } = this.#running
    const inputs: Array<HandlerInput<T>> = []
    for (const record of delivery.records) {
      const decoded = this.#decode(record)
      // What is no event comes by itself, and so does what stands before it.
      if (decoded._tag !== "Event") machine.split(delivery, Math.max(1, inputs.length))
      if (decoded._tag !== "Event" && inputs.length > 0) break
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
      timedProcess,
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

/** Made once: the metric finds its series by a text that it keeps. */
const timedProcess = Telemetry.timed(Telemetry.processDuration, "process")

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
