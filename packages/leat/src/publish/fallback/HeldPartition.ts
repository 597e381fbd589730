/** A partition of a fallback in the hands of a member: how far it was sent on and settled. */
import { Effect, type Scope } from "effect"
import type { Lane, Position, ReceivedRecord, Writer } from "../../transport/index.ts"
import type { Ending, Unstored } from "../sendOn/Ending.ts"
import type { SentPartition } from "../sendOn/SendOn.ts"
import { Settles } from "../sendOn/Settles.ts"
import type { FallbackPlace } from "./openFallback.ts"
import type { RedriveEndings } from "./RedriveEndings.ts"

/** How long an answer of the fallback may take before it is asked anew, in milliseconds. */
const answerMs = 30_000

export interface HeldHome {
  readonly place: Pick<FallbackPlace, "transport" | "topic" | "name">
  readonly endings: RedriveEndings
  /** What is before the position was sent on, whether that is settled or not. */
  readonly sentOn: (partition: number, position: Position) => void
  /** Nothing gets on for the time being: nobody is to wait for it. */
  readonly stands: (partition: number, reason: string | undefined) => void
  /** Position behind what this leat has there. */
  readonly endOf: (partition: number) => Position
}

export class HeldPartition implements SentPartition {
  readonly partition: number
  readonly lane: Lane
  readonly writer: Writer
  isOver = false
  /** Whether nothing may land that was sent when this leat had the partition before, and was given up without an answer. */
  isFenced = false
  /** Whether a batch of it is being sent on. */
  isSending = false
  /** What stands before this position has ended. */
  at: Position
  /** Position behind what was read last. */
  readEnd: Position = 0n
  /** Whether its topic was made anew since: what it knows are positions of the one before, and none of them is settled any more. */
  isOfBefore = false
  readonly #home: HeldHome
  readonly #settles: Settles

  /** Nothing of it is settled any more when the scope ends. */
  constructor(lane: Lane, writer: Writer, home: HeldHome, scope: Scope.Scope) {
    this.partition = lane.partition
    this.lane = lane
    this.writer = writer
    this.at = lane.start
    this.#home = home
    const { name, topic, transport } = home.place
    this.#settles = new Settles(name, scope, {
      answerMs,
      settle: (_, position) => Effect.suspend(() => lane.settle(position)),
      trim: (partition, position) => transport.trim?.(topic, partition, position) ?? Effect.void,
      settled: () => undefined,
      trimmed: () => undefined
    })
  }

  /** Of this leat's, and of whoever else has put there what was read. */
  get end(): Position {
    const end = this.#home.endOf(this.partition)
    return end > this.readEnd ? end : this.readEnd
  }

  /** All that is not settled counts as what may be stored. */
  doubt(): void {}

  stands(reason?: string): void {
    this.#home.stands(this.partition, reason)
  }

  ended(records: ReadonlyArray<ReceivedRecord>, how: Ending): void {
    this.#home.endings.ended(this.partition, records, how, this.isOfBefore)
    const last = records.at(-1)
    if (last !== undefined) this.passed(last.position + 1n)
  }

  /** What stands before a position has ended. */
  passed(position: Position): void {
    if (position <= this.at || this.isOfBefore) return
    this.at = position
    this.#home.sentOn(this.partition, position)
  }

  announce(record: ReceivedRecord, how: Unstored): void {
    this.#home.endings.announce(this.partition, record, how)
  }

  refused(): void {
    this.#home.endings.handOver(this.partition)
  }

  /** Whoever has the partition next judges it anew, and tells it. */
  untold(): void {
    this.#home.endings.notices.forget(this.partition)
  }

  settle(position: Position): Effect.Effect<boolean> {
    return this.isOfBefore ? Effect.succeed(false) : this.#settles.settle(this.partition, position)
  }

  /** Settles what has ended before it is given back; not for long. */
  get last(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.at > this.lane.start && !this.isOfBefore ? this.#settles.last(this.partition, this.at) : Effect.void
    )
  }
}
