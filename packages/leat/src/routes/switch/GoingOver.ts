/**
 * A writer that goes over from one client to another: what there is of it only then.
 *
 * - A partition goes over when nothing of it is on its way or in doubt at the client that it had. Nothing new is sent there: it is held, and sent by the
 *   next client, within the time that it had, when the last answer has come.
 * - If that answer is a failure, what is held stands behind it: not stored, and no attempt. So it is for whoever fences.
 * - What is in doubt is fenced where it was sent. Once a second that is done here too, since nobody else may send to the partition any more, and for what
 *   has no answer after its time.
 * - What cannot be fenced within a minute is left: the client that it had may not reach its cluster any more. That is told, because it is sent again and
 *   may be stored twice, or late.
 */
import { Effect, Exit, type Fiber, Option } from "effect"
import type { OutgoingBatch } from "../../record/OutgoingBatch.ts"
import * as Telemetry from "../../Telemetry.ts"
import { leaving } from "../../transport/endWithin.ts"
import { unknownRun } from "../../transport/Sending.ts"
import { type Run, TransportError } from "../../transport/index.ts"
import type { Opened } from "./Client.ts"
import type { SwitchedWriter, WriterHome } from "./SwitchedWriter.ts"

/** How often is looked for what does not go over by itself, and how long a fence may take, in milliseconds. */
const lookMs = 1000
const fenceMs = 15_000

/** For how long fencing is tried at the client that a partition had, in milliseconds. */
const leaveMs = 60_000

/** How long after its time an answer may come, in milliseconds: longer than whoever waits for it does. */
const graceMs = 5000

/** What is handed over while a partition goes over. */
export interface Held {
  readonly partition: number
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
  readonly timeoutMs: number
  readonly answer: (runs: ReadonlyArray<Run>) => void
}

interface Waiting extends Held {
  /** In milliseconds of the monotonic clock. */
  readonly untilMs: number
}

export class GoingOver {
  readonly was: Opened
  readonly next: Opened
  /** Partitions that have gone over. */
  readonly over = new Set<number>()
  readonly #writer: SwitchedWriter
  readonly #home: WriterHome
  readonly #sinceMs: number
  readonly #held = new Map<number, Array<Waiting>>()
  /** Partitions whose line is being handed over. */
  readonly #handing = new Set<number>()
  /** Partitions that are being fenced here. */
  readonly #fencing = new Map<number, Fiber.Fiber<void>>()
  #looking: Fiber.Fiber<void> | undefined
  #isEnded = false

  constructor(writer: SwitchedWriter, was: Opened, next: Opened, home: WriterHome) {
    this.was = was
    this.next = next
    this.#writer = writer
    this.#home = home
    this.#sinceMs = home.nowMs
  }

  begin(): void {
    for (let partition = 0; partition < this.#writer.partitions; partition++) this.settled(partition)
    if (!this.#isEnded) this.#looking = this.#home.fork(this.#look)
  }

  /** Whether what cannot be fenced is to be left by now. */
  get isStuck(): boolean {
    return this.#home.nowMs > this.#sinceMs + leaveMs
  }

  /** Nobody writes any more. */
  end(): void {
    this.#isEnded = true
    this.#looking?.interruptUnsafe()
    for (const fiber of this.#fencing.values()) fiber.interruptUnsafe()
  }

  /** Whether what is sent to the partition needs not wait. */
  passes(partition: number): boolean {
    return this.over.has(partition) && !this.#handing.has(partition)
  }

  hold(held: Held): void {
    const waiting = this.#held.get(held.partition) ?? []
    this.#held.set(held.partition, waiting)
    waiting.push({ ...held, untilMs: this.#home.nowMs + held.timeoutMs })
  }

  answered(partition: number, isStored: boolean): void {
    // The driver does not know that what waits was handed over behind it.
    if (!isStored) this.refuse(partition)
    this.settled(partition)
  }

  /** Something of the partition has ended: it goes over if that was the last. */
  settled(partition: number): void {
    if (this.#isEnded || this.over.has(partition)) return
    if (this.#writer.onWay(partition).length > 0 || this.#writer.isInDoubt(partition)) return
    this.over.add(partition)
    const held = this.#held.get(partition) ?? []
    // What is sent meanwhile stands behind it. What is handed over has left the line: it is not refused with the others if it fails at once.
    this.#handing.add(partition)
    for (let one = held.shift(); one !== undefined; one = held.shift()) this.#again(one)
    this.#handing.delete(partition)
    if (this.over.size < this.#writer.partitions || this.#isEnded) return
    this.end()
    this.#writer.isOver(this)
  }

  #again(one: Waiting): void {
    const { partition, batch, from, to, untilMs, answer } = one
    const leftMs = untilMs - this.#home.nowMs
    const { name } = this.next.client.transport
    if (leftMs <= 0) return this.#late(one)
    try {
      this.#writer.hand(partition, batch, from, to, leftMs, answer)
    } catch (error) {
      // Whoever handed it over is not there to be told otherwise.
      answer([unknownRun(name, from, to, `the driver failed: ${String(error)}`)])
    }
  }

  /** What waits stands behind a failure. */
  refuse(partition: number): void {
    for (const { from, to, answer } of this.#held.get(partition)?.splice(0) ?? [])
      answer([{ from, to, fate: "notStored" }])
  }

  /** The first of a line has waited for its time, and whoever waits for its answer gives it up. */
  #late({ partition, from, to, answer }: Waiting): void {
    const { name: transport } = this.next.client.transport
    const detail = "what was on its way at the client before took too long"
    const error = new TransportError({ reason: "Timeout", transport, operation: "send", detail })
    answer([{ from, to, fate: "notStored", error }])
    this.refuse(partition)
  }

  get #look(): Effect.Effect<void> {
    const once = Effect.sync(() => {
      const { nowMs } = this.#home
      for (let partition = 0; partition < this.#writer.partitions && !this.#isEnded; partition++) {
        if (this.over.has(partition)) continue
        const held = this.#held.get(partition) ?? []
        const [waits] = held
        if (waits !== undefined && waits.untilMs <= nowMs) this.#late(held.shift() ?? waits)
        if (this.#isStuck(partition, nowMs) && !this.#fencing.has(partition)) this.#begin(partition)
      }
    })
    return Effect.forever(Effect.andThen(Effect.sleep(lookMs), once))
  }

  /** Nothing was handed to the client that it had since another one takes its place. */
  #isStuck(partition: number, nowMs: number): boolean {
    const onWay = this.#writer.onWay(partition)
    const waitsMs = onWay.reduce((most, { timeoutMs }) => Math.max(most, timeoutMs), 0) + graceMs
    return onWay.length === 0 ? this.#writer.isInDoubt(partition) : nowMs > this.#sinceMs + waitsMs
  }

  /** Partitions that could have been left by now, if the next client could fence, are left where this one can. */
  relieved(by: Opened): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let partition = 0; partition < this.#writer.partitions; partition++) {
        if (this.#isEnded || this.over.has(partition) || !this.isStuck) continue
        if (yield* hasFenced(by, partition)) this.#leave(partition)
      }
    })
  }

  #begin(partition: number): void {
    const fiber = this.#home.fork(this.#fence(partition))
    this.#fencing.set(partition, fiber)
    // It may have ended already, and is told so at once.
    fiber.addObserver(() => this.#fencing.delete(partition))
  }

  #fence(partition: number): Effect.Effect<void> {
    const canFence = this.was.client.transport.capabilities.fencing !== "none"
    return Effect.gen({ self: this }, function* () {
      if (!canFence || (yield* hasFenced(this.was, partition))) {
        this.#giveUp(partition)
        this.#writer.fenced(this.was, partition)
      } else if (this.isStuck && (yield* hasFenced(this.next, partition))) this.#leave(partition)
    })
  }

  /** Whoever still waits for an answer hears that none comes, and what is held stands behind that. */
  #giveUp(partition: number): void {
    const onWay = Array.from(this.#writer.onWay(partition))
    if (onWay.length > 0) this.refuse(partition)
    for (const one of onWay) one.unknown("no answer came before another client took the place of this one")
  }

  #leave(partition: number): void {
    if (this.#isEnded || this.over.has(partition)) return
    const { name: transport } = this.was.client.transport
    const { topic } = this.#writer
    const detail = `partition ${partition} of ${topic} is left at the client before`
    // Told by itself: whoever leaves the last partition is ended with it.
    this.#home.run(
      Telemetry.warn(
        `partition ${partition} of ${topic} has another client now, and the one before has not said within ${leaveMs / 1000} seconds that nothing it sent can still land: events without an answer are sent again, and may be stored twice or out of order`
      )
    )
    this.#giveUp(partition)
    this.#writer.leave(
      this.was,
      partition,
      new TransportError({ reason: "Disconnected", transport, operation: "fence", detail })
    )
  }
}

/** A driver that does not end its fence is left with it. */
function hasFenced({ writer }: Opened, partition: number): Effect.Effect<boolean> {
  const fence = Effect.exit(Effect.suspend(() => writer.fence(partition)))
  return Effect.map(
    Effect.timeoutOption(leaving(fence), fenceMs),
    (exit) => Option.isSome(exit) && Exit.isSuccess(exit.value)
  )
}
