/**
 * What all lanes that write to one partition share, as a synchronous state machine: the ranges on their way, at most as many as the
 * transport keeps in order, and the fence. The rules it keeps:
 *
 * - answers count in the order of the sends, whatever order they come in;
 * - when a range is not stored, nothing is sent before those handed over behind it are answered; they are sent again in order, and
 *   their failure is no attempt of theirs;
 * - after an unknown outcome nothing is sent before `fence` has returned, even if the records in doubt are given up;
 * - what may stand in the spill goes there again before anything else, so that where it stands is known before what is behind it;
 * - lanes take turns, a range each.
 *
 * @example
 * ```ts
 * const command = partition.next(nowMs)
 * if (command._tag === "Send") {
 *   command.answer(runs)
 *   partition.settle(nowMs, random)
 * }
 * ```
 */
import { decide, type Policy } from "../Policy.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import { isPassing } from "../reasons.ts"
import type { Run } from "../transport/index.ts"
import { answeredRuns } from "../transport/answeredRuns.ts"
import { Fifo } from "./Fifo.ts"
import { retryDelayMs } from "./retryDelayMs.ts"
import { isForStandIn } from "./isForStandIn.ts"
import type { Span } from "./Span.ts"
import type { Halted } from "./LaneHome.ts"
import type { Fate } from "./Fate.ts"
import type { WriteLane } from "./WriteLane.ts"

/** A range that is to be handed to the driver. */
export class Sending {
  readonly _tag = "Send"
  readonly lane: WriteLane
  readonly span: Span
  /** Whether it goes to the spill. */
  readonly isOfSpill: boolean
  /** When it was handed over, in milliseconds of the monotonic clock. */
  sentAtMs = 0
  /** When the driver must have answered, in milliseconds of the monotonic clock. */
  lateMs = Number.POSITIVE_INFINITY
  /** Whether a range that was handed over earlier has failed since. */
  isBehind = false
  /** Ends the span that it is traced in, when it is. */
  trace: ((errorType: string | undefined) => void) | undefined
  #runs: ReadonlyArray<Run> | undefined

  constructor(lane: WriteLane, span: Span, isOfSpill: boolean) {
    this.lane = lane
    this.span = span
    this.isOfSpill = isOfSpill
  }

  get batch(): RecordBatch {
    return this.span.queued.batch
  }

  get from(): number {
    return this.span.from
  }

  get to(): number {
    return this.span.to
  }

  /** What the driver has said; undefined while it has not. */
  get runs(): ReadonlyArray<Run> | undefined {
    return this.#runs
  }

  /** It is answered, or its answer is not waited for: its span ends, with the reason when it has failed. */
  endSpan(errorType: string | undefined): void {
    this.trace?.(errorType)
    this.trace = undefined
  }

  /** Takes the first answer; returns whether this was it. */
  answer(runs: ReadonlyArray<Run>): boolean {
    if (this.#runs !== undefined) return false
    this.#runs = answeredRuns(runs, this.from, this.to)
    return true
  }
}

export type WriteCommand =
  | Sending
  | { readonly _tag: "Fence" }
  /** The lane, or when it is undefined the partition, has nothing to do before this time (milliseconds of the monotonic clock). */
  | { readonly _tag: "Wait"; readonly lane: WriteLane | undefined; readonly untilMs: number }
  /** Nothing until something happens. */
  | { readonly _tag: "Idle" }

export interface WritePartitionOptions {
  readonly rules: { readonly policy: Policy }
  /** Ranges that may be on their way at once. */
  readonly pipeline: number
  /** Whether the destination can promise that nothing sent earlier still lands. */
  readonly canFence: boolean
  /** What takes the place of the destination, where that are fallbacks: whether the one that a partition is at can fence. */
  readonly fallback?: { readonly canFence: (partition: WritePartition) => boolean } | undefined
  /** The policy spills, or falls back: calls `trip`, with everything that goes with it. False, or absent: there is no such place. */
  readonly trip?: (partition: WritePartition, failure: Halted) => boolean
}

/** How long it waits before it asks again for a fence that the policy has given up waiting for, in milliseconds. */
const fenceRetryMs = 1000

const idle: WriteCommand = { _tag: "Idle" }

export class WritePartition {
  /** Why nothing is sent to the partition: the policy does not ask for its fence again. Undefined while it does. */
  halted: Halted | undefined
  /** Whether what is sent there goes to the spill, or to the fallback. */
  isSpilling = false
  /** Whether nothing is sent for the time being: what is in the spill has its turn, and with it what may stand there. */
  isHeldBack = false
  /** Whether the spill belongs to another process: nothing goes there. */
  isBarred = false
  /** Lanes that have halted and that nobody was told of. */
  readonly haltedLanes: Array<WriteLane> = []
  #options: WritePartitionOptions
  /** On their way, in the order of the sends. */
  readonly #window = new Fifo<Sending>()
  /** Lanes that may have something to send, in the order of their turns. */
  readonly #line = new Fifo<WriteLane>()
  /** Lanes with records in doubt. */
  readonly #doubted = new Set<WriteLane>()
  /** Lanes that had ranges whose answers of the spill were lost. */
  readonly #owed = new Set<WriteLane>()
  #behind = 0
  #isFenceDue = false
  #isFencing = false
  #fenceAttempts = 0
  #fenceSinceMs = 0
  #notBeforeMs = 0
  /** How often it was turned to another place. */
  #turns = 0

  constructor(options: WritePartitionOptions) {
    this.#options = options
  }

  /** Begins anew as another partition: of what it was nothing is left. */
  serve(options: WritePartitionOptions): void {
    this.#options = options
    this.halted = undefined
    this.isSpilling = false
    this.isHeldBack = false
    this.isBarred = false
    if (this.#owed.size > 0) this.#owed.clear()
    // Emptying a set makes another table for it.
    if (this.#doubted.size > 0) this.#doubted.clear()
    this.#fenceAttempts = 0
    this.#notBeforeMs = 0
  }

  /** How many fences have returned. */
  fences = 0

  /** Whether something may land yet that no lane holds any more: its outcome is unknown, and its fence has not returned. */
  get isFenceOwed(): boolean {
    return this.#isFenceDue || this.#isFencing
  }

  /** Whether nothing is on its way, nor may be, nor may stand in the spill unseen. */
  get isQuiet(): boolean {
    return this.#window.length === 0 && !this.#isFenceDue && !this.#isFencing && !this.isOwing
  }

  /** From now on what is sent there goes to the spill, or to a fallback; before that is sent on, the destination is fenced. */
  trip(): void {
    this.#turns++
    this.isSpilling = true
    this.halted = undefined
    this.#isFenceDue = false
    this.#isFencing = false
    this.#fenceAttempts = 0
    this.#notBeforeMs = 0
    for (const lane of this.#doubted) lane.clearDoubt()
    this.#doubted.clear()
  }

  /**
   * From now on what is sent there goes to the destination again; nothing is on its way. `isOwed`: the destination is fenced before that. What
   * had no answer of the fallback may stand there too: it is sent again before anything later, so that it stands there as a copy.
   */
  turnBack(isOwed: boolean): void {
    this.isSpilling = false
    this.isHeldBack = false
    this.#isFencing = false
    this.#fenceAttempts = 0
    this.#notBeforeMs = 0
    this.#isFenceDue = isOwed && this.#options.canFence
    if (this.#isFenceDue) return
    for (const lane of this.#doubted) lane.clearDoubt()
    this.#doubted.clear()
  }

  /** Whether nothing is on its way. */
  get isUnsent(): boolean {
    return this.#window.length === 0
  }

  /** Whether nothing is on its way, in doubt or waiting. */
  get isIdle(): boolean {
    return this.#window.length === 0 && this.#line.length === 0 && !this.#isFenceDue && this.halted === undefined
  }

  /** The ranges on their way that have no answer yet. */
  get unanswered(): ReadonlyArray<Sending> {
    return this.#window.all.filter(({ runs }) => runs === undefined)
  }

  /** The lane may have something to send. */
  ready(lane: WriteLane): void {
    if (lane.isReady) return
    lane.isReady = true
    this.#line.push(lane)
  }

  /** Whether `settle` has answers to look at. */
  get isAnswered(): boolean {
    return this.#window.at(0)?.runs !== undefined
  }

  /** What to do now. After `Wait` of a lane others may have something: ask again. */
  next(nowMs: number): WriteCommand {
    if (this.halted !== undefined || this.#isFencing) return idle
    if (this.#isFenceDue) return this.#fence(nowMs)
    const owing = this.#owing
    if (owing !== undefined) return this.#again(owing, nowMs)
    if (this.isHeldBack) return idle
    if (this.#window.length >= (this.isSpilling ? 1 : this.#options.pipeline) || this.#behind > 0 || this.#hasFailure)
      return idle
    const { isSpilling } = this
    for (;;) {
      const lane = this.#line.shift()
      if (lane === undefined) return idle
      const { halted } = lane
      const span = lane.take(nowMs, isSpilling)
      if (span !== undefined) {
        this.#line.push(lane)
        return this.#send(lane, span)
      }
      this.#noteHalt(lane, halted)
      if (lane.dueMs <= nowMs) {
        // What an open breaker keeps has ended, or goes to the spill: the lane may have more.
        this.#line.push(lane)
        if (this.isSpilling === isSpilling) continue
        return idle
      }
      lane.isReady = false
      if (lane.dueMs < Number.POSITIVE_INFINITY) return { _tag: "Wait", lane, untilMs: lane.dueMs }
    }
  }

  /** Looks at the answers that have come, as far as they are in order. Returns the worst of them. */
  settle(nowMs: number, random: number): Fate {
    let worst: Fate = "stored"
    for (let first = this.#window.at(0); first?.runs !== undefined; first = this.#window.at(0)) {
      this.#window.shift()
      const { lane, isBehind, isOfSpill, runs } = first
      if (isBehind) this.#behind--
      const { halted } = lane
      const turns = this.#turns
      // What the destination had before the spill took over is no attempt: the spill has its own.
      const isPassedOver = this.isSpilling && !isOfSpill
      const facts = { nowMs, random, isBehind: isBehind || isPassedOver, isOfSpill }
      const fate = lane.settled(first.span, runs ?? [], facts)
      this.ready(lane)
      if (fate === "stored") continue
      this.#noteHalt(lane, halted)
      if (worst !== "unknown") worst = fate
      this.#putBehind()
      const { fallback, canFence } = this.#options
      if (fate === "unknown" && isOfSpill && fallback === undefined) this.#owed.add(lane)
      // What a fallback does not know is sent to the next one before anything behind it: what lands late is a copy.
      const isTurned = isOfSpill && this.#turns !== turns
      // A spill can fence, whatever its destination can.
      if (fate !== "unknown" || (!isTurned && !(isOfSpill ? (fallback?.canFence(this) ?? true) : canFence))) continue
      // What the destination does not know when the spill takes over is fenced by that.
      if (isTurned || (this.isSpilling && !isOfSpill)) lane.clearDoubt()
      else {
        this.#isFenceDue = true
        this.#doubted.add(lane)
      }
    }
    return worst
  }

  /** The answer to `Fence`: undefined when it returned, else why it failed. */
  fenced(failure: { readonly tag: string; readonly detail: string } | undefined, nowMs: number, random: number): void {
    if (!this.#isFencing) return
    this.#isFencing = false
    if (failure === undefined) {
      this.#isFenceDue = false
      this.#fenceAttempts = 0
      this.fences++
      for (const lane of this.#doubted) lane.clearDoubt()
      this.#doubted.clear()
      return
    }
    const { tag, detail } = failure
    const attempts = this.#fenceAttempts
    if (this.isSpilling) {
      // Of the spill, or the fallback, whose failures pass.
      this.#notBeforeMs = nowMs + fenceRetryMs
      return
    }
    const decision = decide(this.#options.rules.policy, {
      tag,
      attempts,
      elapsedMs: nowMs - this.#fenceSinceMs,
      random
    })
    if ("retryAfterMs" in decision) this.#notBeforeMs = nowMs + retryDelayMs(decision.retryAfterMs, attempts)
    else if (decision.ending === "deadLetter" && isPassing(tag)) {
      // What keeps the fence from returning is not the records in doubt, and would keep their letters too: it is asked for until it has.
      this.#notBeforeMs = nowMs + fenceRetryMs
    } else if (decision.ending === "drop") {
      // The policy may give records up, never the fence: what is in doubt could still land behind whatever is sent next.
      for (const lane of this.#doubted) lane.dropDoubt(tag)
      this.#doubted.clear()
      this.#fenceAttempts = 1
      this.#fenceSinceMs = nowMs
      this.#notBeforeMs = nowMs + fenceRetryMs
    } else if (isForStandIn(decision) && this.#options.trip?.(this, { tag, attempts, detail }) === true) return
    else this.halted = { tag, attempts, detail }
  }

  /** Goes on, and asks for its fence at once where it owes one; attempts count on. */
  tryNow(): void {
    this.halted = undefined
    this.#notBeforeMs = 0
  }

  /** Goes on after a halt, with the attempts counted from zero. */
  resume(): void {
    this.tryNow()
    this.#fenceAttempts = 0
  }

  /** Whether a range has failed whose turn to be looked at has not come: then nothing is sent behind it. */
  get #hasFailure(): boolean {
    for (let at = 0; at < this.#window.length; at++)
      if (this.#window.at(at)?.runs?.some(({ fate }) => fate !== "stored") === true) return true
    return false
  }

  /** A lane that has halted since is told of. */
  #noteHalt(lane: WriteLane, halted: Halted | undefined): void {
    if (lane.halted !== halted) this.haltedLanes.push(lane)
  }

  #send(lane: WriteLane, span: Span): Sending {
    const sending = new Sending(lane, span, this.isSpilling)
    this.#window.push(sending)
    return sending
  }

  /** Whether a range goes to the spill again that may stand there. */
  get isOwing(): boolean {
    return this.#owing !== undefined
  }

  /** The first lane with a range that may stand in the spill. */
  get #owing(): WriteLane | undefined {
    if (this.#owed.size === 0) return undefined
    for (const lane of this.#owed) {
      if (lane.isOwed) return lane
      this.#owed.delete(lane)
    }
    return undefined
  }

  #again(lane: WriteLane, nowMs: number): WriteCommand {
    if (this.isBarred || this.#window.length > 0) return idle
    const span = lane.takeOwed(nowMs)
    if (span !== undefined) return this.#send(lane, span)
    return lane.dueMs < Number.POSITIVE_INFINITY ? { _tag: "Wait", lane: undefined, untilMs: lane.dueMs } : idle
  }

  #fence(nowMs: number): WriteCommand {
    // What is on its way is answered first: the fence is for all of it.
    if (this.#window.length > 0) return idle
    if (this.#notBeforeMs > nowMs) return { _tag: "Wait", lane: undefined, untilMs: this.#notBeforeMs }
    this.#isFencing = true
    if (this.#fenceAttempts++ === 0) this.#fenceSinceMs = nowMs
    return { _tag: "Fence" }
  }

  #putBehind(): void {
    for (const sending of this.#window.all) {
      if (!sending.isBehind) this.#behind++
      sending.isBehind = true
    }
  }
}
