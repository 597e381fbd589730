/**
 * The writing half of `FaultTransport`. Sends of a partition land in the order in which they were handed over, however many are on their
 * way: when one is not stored, those that were handed over before its answer are refused, as a broker with sequence numbers does.
 */
import { type Context, Effect } from "effect"
import type { FaultPlan, SendFault } from "./FaultTransport.ts"
import { batchOf, type PlainRecord } from "../record/batchOf.ts"
import { sendEffect } from "../transport/Sending.ts"
import {
  type OutgoingBatch,
  type Run,
  type Transport,
  TransportError,
  type TransportReason,
  type Writer
} from "../transport/index.ts"

/** Calls so far, by kind. */
export type Calls = Record<"send" | "fence" | "settle" | "pull", number>

/** One send that was handed over. */
interface Sending {
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
  readonly timeoutMs: number
  readonly answer: (runs: ReadonlyArray<Run>) => void
}

interface FaultWriterOptions {
  readonly inner: Transport
  readonly writer: Writer
  readonly topic: string
  readonly plan: FaultPlan
  readonly calls: Calls
  readonly context: Context.Context<never>
}

/** The error of a fault. */
export function errorOf(inner: Transport, operation: string, reason: TransportReason): TransportError {
  return new TransportError({ reason, transport: inner.name, operation, detail: "an injected fault" })
}

class FaultPartition {
  /** Fences so far: a late write that is older than the last one is refused. */
  #fences = 0
  /** Handed over and not answered yet; the first one is on its way. */
  readonly #line: Array<Sending> = []
  #isHandingOver = false
  /** Whether a range was handed over that nobody will answer. */
  #isStuck = false
  /** Whether the call that hands over is to throw. */
  #throws = false
  readonly #partition: number
  readonly #options: FaultWriterOptions
  readonly #fork: (effect: Effect.Effect<void>) => void

  constructor(partition: number, options: FaultWriterOptions) {
    this.#partition = partition
    this.#options = options
    const fork = Effect.runForkWith(options.context)
    this.#fork = (effect) => void fork(effect)
  }

  /** Throws where the plan says so. */
  handOver(sending: Sending): void {
    if (this.#isStuck && this.#options.inner.capabilities.pipeline > 1)
      return sending.answer(this.#told(sending.from, sending.to, "Unavailable", "notStored"))
    this.#line.push(sending)
    if (this.#line.length > 1) return
    this.#isHandingOver = true
    this.#next()
    this.#isHandingOver = false
    if (!this.#throws) return
    this.#throws = false
    throw new Error("an injected fault")
  }

  readonly fence = Effect.suspend(() => {
    const { inner, writer, topic, plan, calls } = this.#options
    const reason = plan.fence?.({ call: calls.fence++, topic, partition: this.#partition })
    if (reason !== undefined) return Effect.fail(errorOf(inner, "fence", reason))
    this.#fences++
    this.#isStuck = false
    // What is still on its way does not land any more.
    const stale = plan.isFenceBroken === true ? [] : this.#line.splice(0)
    for (const { from, to, answer } of stale) answer(this.#told(from, to, "Disconnected", "unknown"))
    return writer.fence(this.#partition)
  })

  #next(): void {
    const [sending] = this.#line
    if (sending === undefined) return
    const { plan, calls, topic } = this.#options
    const { from, to } = sending
    const fault = plan.send?.({ call: calls.send++, topic, partition: this.#partition, count: to - from })
    if (fault === undefined) this.#pass(sending)
    else this.#fail(sending, fault)
  }

  #pass(sending: Sending, answered: (runs: ReadonlyArray<Run>) => ReadonlyArray<Run> = same): void {
    const { batch, from, to, timeoutMs } = sending
    this.#options.writer.send(this.#partition, batch, from, to, timeoutMs, (runs) => {
      if (this.#line[0] !== sending) return sending.answer(answered(runs))
      this.#answer(
        answered(runs),
        runs.every(({ fate }) => fate === "stored")
      )
    })
  }

  /** The answer to the first of the line; what was handed over behind one that is not stored is not stored either. */
  #answer(runs: ReadonlyArray<Run>, isStored: boolean): void {
    const [sending, ...behind] = this.#line.splice(0)
    const isRefused = !isStored && this.#options.plan.isPipelineBroken !== true
    if (!isRefused) this.#line.push(...behind)
    sending?.answer(runs)
    if (isRefused) for (const { from, to, answer } of behind) answer(this.#told(from, to, "Unavailable", "notStored"))
    // Without any behind it, what was handed over by the answer is on its way already.
    else if (behind.length > 0) this.#next()
  }

  #fail(sending: Sending, fault: SendFault): void {
    const { inner } = this.#options
    const { batch, from, to, timeoutMs } = sending
    switch (fault.kind) {
      case "delay":
        return this.#fork(
          Effect.delay(
            Effect.sync(() => {
              if (this.#line[0] === sending) this.#pass(sending)
            }),
            fault.ms
          )
        )
      case "fail": {
        const { mayBeStored } = errorOf(inner, "send", fault.reason)
        return this.#answer(this.#told(from, to, fault.reason, mayBeStored ? "unknown" : "notStored"), false)
      }
      case "loseResponse":
        return this.#pass(sending, () => this.#told(from, to, "Disconnected", "unknown"))
      case "cut":
        return this.#answer(this.#told(from, to, "Disconnected", "unknown"), false)
      case "oversize":
        if (batch.rangeBytes(from, to) <= fault.bytesMax) return this.#pass(sending)
        return this.#answer(this.#told(from, to, "TooLarge", "notStored"), false)
      case "lateWrite":
        this.#fork(Effect.delay(this.#late(sending), fault.ms))
        return this.#answer(this.#told(from, to, "Timeout", "unknown"), false)
      case "silence":
        return this.#lose(sending)
      case "throw":
        this.#throws = this.#isHandingOver
        return this.#lose(sending)
      case "answerTwice":
        return this.#pass(sending, (runs) => {
          const second = Effect.sync(() => sending.answer(this.#told(from, to, "Rejected", "notStored")))
          this.#fork(Effect.delay(second, fault.ms))
          return runs
        })
      case "prefix": {
        const middle = Math.min(to, from + fault.stored)
        if (inner.capabilities.batch === "atomic" || middle <= from) return this.#pass(sending)
        const rest = middle < to ? this.#told(middle, to, "Unavailable", "notStored") : []
        return this.#options.writer.send(this.#partition, batch, from, middle, timeoutMs, (runs) =>
          this.#answer([...runs, ...rest], rest.length === 0)
        )
      }
    }
  }

  /** Nobody answers, and nothing is stored: neither what was handed over behind it, until a fence says that it is given up. */
  #lose(sending: Sending): void {
    this.#isStuck = !this.#throws
    this.#line[0] = { ...sending, answer: () => undefined }
    this.#answer([], false)
  }

  /** Stores what the arena holds by then, as a client does that keeps views: an arena that is used again too early shows. */
  #late({ batch, from, to, timeoutMs }: Sending): Effect.Effect<void> {
    const fences = this.#fences
    const views: Array<PlainRecord> = []
    for (let index = from; index < to; index++)
      views.push({
        key: batch.key(index),
        value: batch.value(index),
        headers: batch.headers(index),
        timeMs: batch.timeMs(index)
      })
    return Effect.suspend(() => {
      if (this.#options.plan.isFenceBroken !== true && this.#fences !== fences) return Effect.void
      return Effect.asVoid(
        sendEffect(this.#options.writer, this.#partition, batchOf(views), 0, views.length, timeoutMs)
      )
    })
  }

  #told(from: number, to: number, reason: TransportReason, fate: Run["fate"]): ReadonlyArray<Run> {
    return [{ from, to, fate, error: errorOf(this.#options.inner, "send", reason) }]
  }
}

function same(runs: ReadonlyArray<Run>): ReadonlyArray<Run> {
  return runs
}

/** A writer with the faults of a plan. */
export function faultWriter(options: FaultWriterOptions): Writer {
  const partitions = new Map<number, FaultPartition>()
  const partitionOf = (partition: number): FaultPartition => {
    let found = partitions.get(partition)
    if (found === undefined) {
      found = new FaultPartition(partition, options)
      partitions.set(partition, found)
    }
    return found
  }
  return {
    partitions: options.writer.partitions,
    send: (partition, batch, from, to, timeoutMs, answer) =>
      partitionOf(partition).handOver({ batch, from, to, timeoutMs, answer }),
    fence: (partition) => Effect.suspend(() => partitionOf(partition).fence)
  }
}
