/**
 * The handlers of one lane: decodes what the machine says is next, calls who handles it, and tells the machine how it ended. What has ended
 * when the call returns, or before it first waits, costs no fiber of its own and no wake-up; only what waits is kept.
 */
import { Cause, Effect, Exit, type Fiber } from "effect"
import { type DeliveryInfo, handlingContext, type ReadFrom, RecordDelivery } from "./DeliveryInfo.ts"
import { formatEventId } from "../record/EventId.ts"
import type { Signs } from "./holdBack.ts"
import type { HeldRecord, Slice } from "./HeldRecord.ts"
import { InboxVerdict } from "./InboxVerdict.ts"
import { attemptMs, type Policy } from "../Policy.ts"
import { PartlyFailed } from "./PartlyFailed.ts"
import type { FailedWith } from "./Failure.ts"
import type { Failures } from "../ledger/Failures.ts"
import { readEvent } from "./readEvent.ts"
import type { ReadLane } from "./ReadLane.ts"
import { type EventBatch, type Handler, NoEvent, type SourceOptions } from "./SourceOptions.ts"
import * as Telemetry from "../Telemetry.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { ReceivedRecords } from "../transport/index.ts"
import { readMeta, type RecordMeta } from "../record/Wire.ts"

export interface HandlingParts {
  readonly machine: ReadLane
  readonly from: ReadFrom
  readonly signs: Signs
  /** Whether somebody collects spans. */
  readonly isTraced: boolean
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Called when a handler that waited has ended, and when its time begins to run. */
  readonly onEnded: () => void
  /** Called when the machine itself failed over it. */
  readonly onDefect: (error: unknown) => void
}

/** What runs when a handler was called. */
type Call = Effect.Effect<unknown, unknown>

/** A handler that waits for something: what it was given, and until when it may take. */
interface Waiting {
  readonly infos: ReadonlyArray<RecordDelivery>
  /** How long it may take, in milliseconds. */
  readonly limitMs: number
  /** Infinite until its time runs. */
  deadlineMs: number
  /** It was told to end. */
  isLate: boolean
  /** A consumer has it in his hands: only he can say that he has ended. */
  isInHand: boolean
}

export class Handling<T> {
  readonly #options: SourceOptions<T>
  readonly #parts: HandlingParts
  readonly #failures: Failures
  /** In the order in which they began. */
  readonly #waiting = new Map<Fiber.Fiber<unknown, unknown>, Waiting>()
  /** What the record that was read last says of itself; undefined while nobody had to look. */
  #meta: RecordMeta | undefined
  /** How many of those that wait have an end. */
  #limited = 0
  /** Handlers of this turn that ended without waiting. */
  #endedAtOnce = 0
  #isInterrupted = false
  /** How long an attempt may take, in milliseconds. */
  #limitMs: number

  constructor(options: SourceOptions<T>, parts: HandlingParts, policy: Policy) {
    this.#options = options
    this.#parts = parts
    this.#limitMs = attemptMs(policy)
    this.#failures = options.ledger.group(options.group, options.stream).failures
  }

  /** Attempts that begin from now on have the time that this policy gives them. */
  configure(policy: Policy): void {
    this.#limitMs = attemptMs(policy)
  }

  /** How many handlers wait for something. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Whether a handler that waits was given this delivery. */
  isHandling(delivery: DeliveryInfo): boolean {
    return Array.from(this.#waiting.values()).some(({ infos }) => infos.some((info) => info === delivery))
  }

  /** When the time of the next one is over; Infinity when none has an end. */
  get deadlineMs(): number {
    let first = Number.POSITIVE_INFINITY
    if (this.#limited > 0)
      for (const { deadlineMs, isLate } of this.#waiting.values()) if (!isLate) first = Math.min(first, deadlineMs)
    return first
  }

  /** Tells those to end whose time is over. They have failed when they have ended, unless they succeed all the same: none runs beside its own retry. */
  expire(nowMs: number): void {
    if (this.#limited === 0) return
    for (const [fiber, one] of Array.from(this.#waiting)) {
      if (one.isLate || one.deadlineMs > nowMs) continue
      one.isLate = true
      const reason = new DOMException(`the handler has not ended within ${one.limitMs} ms`, "TimeoutError")
      for (const info of one.infos) info.abort(reason)
      if (!one.isInHand) fiber.interruptUnsafe()
    }
  }

  /** Calls the handler for what the machine said is next. */
  start(held: HeldRecord, nowMs: number): void {
    const { handler } = this.#options
    const { slice } = held
    if (slice === undefined) return
    try {
      if (handler.kind === "one") this.#startOne(handler, held, slice, nowMs)
      else this.#startBatch(handler, held, slice, nowMs)
    } catch (error) {
      // Handlers and contracts are guarded where they are called: this is a fault of leat or of the driver.
      this.#parts.machine.failed(held, { tag: "Defect", detail: textOfThrown(error), error }, nowMs)
    }
  }

  /** Ends a turn that began at `beganMs`: what ended in it at once is reported with the mean of its time. */
  endTurn(beganMs: number): void {
    const count = this.#endedAtOnce
    if (count === 0) return
    this.#endedAtOnce = 0
    this.#options.duration.record((this.#parts.now() - beganMs) / 1000 / count, count)
  }

  /**
   * Interrupts what runs. From now on only success counts: what failed has no outcome, and comes again. What a consumer has in his hands is told to end,
   * and ends when he says so, unless he has gone.
   */
  interrupt(isConsumerGone: boolean): void {
    this.#isInterrupted = true
    for (const [fiber, { infos, isInHand }] of Array.from(this.#waiting)) {
      for (const info of infos) info.abort()
      if (!isInHand || isConsumerGone) fiber.interruptUnsafe()
    }
  }

  /** Takes back what stands in line and no consumer has in his hands. */
  takeBack(): void {
    for (const [fiber, { infos, isInHand }] of Array.from(this.#waiting)) {
      // A tombstone is handled without him.
      if (isInHand || infos.some(({ isTaken }) => isTaken)) continue
      for (const info of infos) info.abort()
      fiber.interruptUnsafe()
    }
  }

  #startOne(handler: Handler<T> & { readonly kind: "one" }, held: HeldRecord, slice: Slice, nowMs: number): void {
    const { from, isTraced } = this.#parts
    const event = this.#read(slice.records, slice.from)
    if (event instanceof NoEvent) return this.#startWithout(event, handler.onTombstone, held, slice, nowMs)
    if (held.attempts === 1) this.#parts.signs.reading?.decoded(1, nowMs)
    const info = new RecordDelivery(slice.records, slice.from, from, held.attempts, this.#meta)
    const call = () => handler.onEvent(event, info)
    this.#run(held, isTraced ? Effect.suspend(call) : called(call), [info], nowMs)
  }

  /** Of a record that is no event: a tombstone for those who want one, or what the machine is told at once. */
  #startWithout(
    { failure }: NoEvent,
    onTombstone: Handler<T>["onTombstone"],
    held: HeldRecord,
    slice: Slice,
    nowMs: number
  ): void {
    const { machine, from, isTraced } = this.#parts
    if (failure !== undefined || onTombstone === undefined) return machine.finished(held, failure, nowMs)
    const info = new RecordDelivery(slice.records, slice.from, from, held.attempts, this.#meta)
    info.take()
    const call = () => onTombstone(info)
    this.#run(held, isTraced ? Effect.suspend(call) : called(call), [info], nowMs)
  }

  #startBatch(handler: Handler<T> & { readonly kind: "batch" }, held: HeldRecord, first: Slice, nowMs: number): void {
    const { machine, from, isTraced } = this.#parts
    const events: Array<EventBatch<T>[number]> = []
    const infos: Array<RecordDelivery> = []
    const noEvent = this.#readEach(first, (event, records, index) => {
      const info = new RecordDelivery(records, index, from, held.attempts, this.#meta)
      infos.push(info)
      events.push({ event, info })
    })
    // What is no event comes by itself, and so does what stands before it.
    if (noEvent !== undefined) machine.split(held, Math.max(1, events.length))
    if (noEvent !== undefined && events.length === 0)
      return this.#startWithout(noEvent, handler.onTombstone, held, first, nowMs)
    if (held.attempts === 1) this.#parts.signs.reading?.decoded(events.length, nowMs)
    const call = () => handler.onEvents(events)
    this.#run(held, isTraced ? Effect.suspend(call) : called(call), infos, nowMs)
  }

  /** Gives each event in turn, up to the first record that is none, which it returns. */
  #readEach(first: Slice, give: (event: T, records: ReceivedRecords, index: number) => void): NoEvent | undefined {
    for (let slice: Slice | undefined = first; slice !== undefined; slice = slice.following) {
      for (let index = slice.from; index < slice.to; index++) {
        const event = this.#read(slice.records, index)
        if (event instanceof NoEvent) return event
        give(event, slice.records, index)
      }
    }
    return undefined
  }

  /** The event of a record, or why it is none. */
  #read(records: ReceivedRecords, index: number): T | NoEvent {
    const { stream } = this.#options
    this.#meta = records.isPlainEvent(index, stream) ? undefined : readMeta(records.headers(index), stream)
    return readEvent(this.#options, this.#meta, records, index)
  }

  #run(held: HeldRecord, effect: Call, infos: ReadonlyArray<RecordDelivery>, nowMs: number): void {
    if (Exit.isExit(effect)) {
      this.#endedAtOnce++
      return this.#ended(held, effect, nowMs)
    }
    const context = handlingContext(this.#options.context, infos)
    const fiber = Effect.runForkWith(context)(this.#parts.isTraced ? this.#traced(held, effect, infos) : effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) {
      this.#endedAtOnce++
      return this.#ended(held, exit, nowMs)
    }
    const endless = Number.POSITIVE_INFINITY
    const waiting = { infos, limitMs: this.#limitMs, deadlineMs: endless, isLate: false, isInHand: false }
    this.#waiting.set(fiber, waiting)
    fiber.addObserver((late) => this.#endedLater(held, fiber, late, nowMs))
    const [info] = infos
    if (this.#options.consumer === undefined || info?.isTaken === true) return this.#limit(waiting, nowMs)
    // It may stand in line behind others for as long as its consumer likes.
    info?.whenTaken(() => {
      if (!this.#waiting.has(fiber)) return
      waiting.isInHand = true
      this.#limit(waiting, this.#parts.now())
      this.#parts.onEnded()
    })
  }

  /** From now on its time runs. */
  #limit(waiting: Waiting, nowMs: number): void {
    waiting.deadlineMs = nowMs + waiting.limitMs
    if (waiting.deadlineMs < Number.POSITIVE_INFINITY) this.#limited++
  }

  #endedLater(
    held: HeldRecord,
    fiber: Fiber.Fiber<unknown, unknown>,
    exit: Exit.Exit<unknown, unknown>,
    beganMs: number
  ): void {
    const { now, onDefect, onEnded } = this.#parts
    const waited = this.#waiting.get(fiber)
    this.#waiting.delete(fiber)
    if (waited !== undefined && waited.deadlineMs < Number.POSITIVE_INFINITY) this.#limited--
    try {
      const nowMs = now()
      this.#options.duration.record((nowMs - beganMs) / 1000)
      this.#ended(held, waited === undefined ? exit : endOf(waited, exit), nowMs)
    } catch (error) {
      onDefect(error)
    }
    onEnded()
  }

  #ended(held: HeldRecord, exit: Exit.Exit<unknown, unknown>, nowMs: number): void {
    const { machine } = this.#parts
    if (Exit.isSuccess(exit)) return machine.finished(held, InboxVerdict.of(exit.value), nowMs)
    const isInterruption = Cause.hasInterruptsOnly(exit.cause)
    if (this.#isInterrupted || (isInterruption && machine.isRevoked)) return machine.unfinished(held, nowMs)
    if (!isInterruption) {
      const verdict = InboxVerdict.of(Cause.squash(exit.cause))
      if (verdict !== undefined) return machine.finished(held, verdict, nowMs)
      const parts = partsOf(exit.cause, held.span)
      const alone = held.span === 1 ? parts?.get(0) : undefined
      const failure = alone ?? (parts === undefined ? failureOf(exit.cause) : undefined)
      for (const one of failure === undefined ? (parts?.values() ?? []) : [failure]) this.#failures.note(one)
      return machine.finished(held, failure ?? (parts === undefined ? undefined : { parts }), nowMs)
    }
    // Interrupted by somebody else.
    machine.finished(held, { tag: "Interrupted", detail: "the handler was interrupted" }, nowMs)
  }

  #traced(held: HeldRecord, effect: Call, infos: ReadonlyArray<RecordDelivery>): Call {
    const { transport, topic, group } = this.#options
    const { partition } = this.#parts.from
    return Telemetry.spanned(() => {
      const id = infos[0]?.id
      return Telemetry.processSpan(
        { system: transport.name, topic, partition },
        group,
        {
          count: infos.length,
          position: held.position,
          attempt: infos[0]?.attempt ?? held.attempts,
          id: id === undefined ? undefined : formatEventId(id)
        },
        infos.flatMap(({ traceparent }) => (traceparent === undefined ? [] : [traceparent]))
      )
    })(effect)
  }
}

/** Of the name of a failure, in UTF-16 code units; the rest is cut off. */
const tagCharactersMax = 255

/** How a handler that waited has ended: the fiber of one that succeeds although it was told to end says that it was interrupted. */
function endOf({ infos, limitMs, isLate }: Waiting, exit: Exit.Exit<unknown, unknown>) {
  if (Exit.isSuccess(exit)) return exit
  if (infos[0]?.hasSucceeded === true) return Exit.void
  if (!isLate) return exit
  const message = `the handler has not ended within ${limitMs} ms`
  return Exit.fail({ _tag: "HandlerTimeout", message })
}

/** Calls a handler; one that throws instead of failing fails with what it threw. */
function called(call: () => Call): Call {
  try {
    return call()
  } catch (error) {
    return Exit.die(error)
  }
}

/** Which events of a batch failed, where its handler says so; undefined where what it says does not fit the batch. */
function partsOf(cause: Cause.Cause<unknown>, span: number): ReadonlyMap<number, FailedWith> | undefined {
  const error = Cause.squash(cause)
  try {
    if (!(error instanceof PartlyFailed)) return undefined
    const parts = new Map(error.failures.map((one) => [one.index, judgedBy(one.error)]))
    const fits = parts.size > 0 && Array.from(parts.keys()).every((at) => Number.isInteger(at) && at >= 0 && at < span)
    return fits ? parts : undefined
  } catch {
    return undefined
  }
}

/** The tag that policies match: `_tag` of a typed error, else the name of the error, else what was thrown. */
function failureOf(cause: Cause.Cause<unknown>): FailedWith {
  return judgedBy(Cause.squash(cause))
}

function judgedBy(error: unknown): FailedWith {
  try {
    if (typeof error === "object" && error !== null) {
      const tag = tagOf(error)
      const hasMessage = "message" in error && typeof error.message === "string"
      return { tag, detail: hasMessage ? (error.message as string) : tag, error }
    }
  } catch {
    // A getter that throws, a proxy that is revoked: it is a failure of the handler all the same.
    return { tag: "Error", detail: textOfThrown(error), error }
  }
  return { tag: typeof error === "string" ? nameIn(error) : "Error", detail: textOfThrown(error) }
}

function tagOf(error: object): string {
  if ("_tag" in error && typeof error._tag === "string") return cut(error._tag)
  return "name" in error && typeof error.name === "string" ? cut(error.name) : "Error"
}

/** One that is made of data would be a row of the ledger and a line of the log, and too long for a dead letter. */
function cut(tag: string): string {
  return tag.length <= tagCharactersMax ? tag : tag.slice(0, tagCharactersMax).toWellFormed()
}

/** A string that is thrown may be a name, for policies to match; a sentence may hold anything, and each would be a row of the ledger. */
function nameIn(text: string): string {
  return /^[\w$.:/-]{1,64}$/.test(text) ? text : "Error"
}
