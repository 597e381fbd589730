/** One partition in the hands of this member: what librdkafka gave and leat has not pulled, and how far it is settled. */
import { Cause, Effect, Stream } from "effect"
import { type Lane, type Position, type ReceivedBatch, TransportError } from "leat/transport"
import type { ClientMessage } from "./client.ts"
import { failure } from "./failure.ts"
import { batchOfMessages, offsetOf } from "./received.ts"

/** Records and bytes that wait in a lane before its partition is paused, until they are pulled. */
const waitingRecordsMax = 5000
const waitingBytesMax = 4 * 1024 * 1024

/** What a lane asks of its member. */
export interface LaneOwner {
  readonly commit: (lane: GroupLane, offset: number) => Effect.Effect<void, TransportError>
  readonly released: (lane: GroupLane) => void
  /** The partition is to be fetched no more for now, or again. */
  readonly pause: (lane: GroupLane, isPaused: boolean) => void
}

export class GroupLane {
  readonly lane: Lane
  readonly topic: string
  readonly partition: number
  /** First offset that is not known to be done. */
  settled: number
  state: "held" | "revoked" | "released" | "lost" = "held"
  isPaused = false
  readonly #owner: LaneOwner
  readonly #group: string
  #waiting: Array<ClientMessage> = []
  #waitingBytes = 0
  /** Offset behind what was handed out. */
  #pulled: number
  /** Offset behind what is known, gaps included. */
  #known: number
  #wake: (() => void) | undefined
  readonly #ended = Promise.withResolvers<void>()
  #error: TransportError | undefined

  constructor(owner: LaneOwner, topic: string, group: string, partition: number, start: number) {
    this.#owner = owner
    this.topic = topic
    this.#group = group
    this.partition = partition
    this.settled = start
    this.#pulled = start
    this.#known = start
    this.lane = {
      id: `${topic}/${partition}`,
      partition,
      start: BigInt(start),
      // Kafka does not tell of members that vanished.
      abandoned: 0,
      batches: Stream.fromPull(Effect.succeed(this.#pull)),
      revoked: Effect.promise(() => this.#ended.promise),
      settle: (position) => this.#settle(position),
      release: this.#release
    }
  }

  get isOver(): boolean {
    return this.state === "released" || this.state === "lost"
  }

  /** Offset of the next record that is wanted. */
  get next(): number {
    return this.#known
  }

  /** Takes what came; what came before already is not taken again. */
  received(message: ClientMessage): void {
    if (message.offset < this.#known) return
    this.#waiting.push(message)
    this.#waitingBytes += (message.value?.length ?? 0) + (message.key?.length ?? 0)
    this.#known = message.offset + 1
  }

  /** Nothing readable stands before this offset any more. */
  passed(offset: number): void {
    if (offset > this.#known) this.#known = offset
  }

  /** After anything came: wakes who pulls, or stops the fetching. */
  flow(): void {
    if (this.#known > this.#pulled) this.#wakeUp()
    const isFull = this.#waiting.length > waitingRecordsMax || this.#waitingBytes > waitingBytesMax
    if (isFull && !this.isPaused && this.state === "held") this.#pause(true)
  }

  /** The stream ends; settling goes on until the lane is released or lost. */
  revoke(): void {
    if (this.state !== "held") return
    this.state = "revoked"
    this.#ended.resolve()
    this.#wakeUp()
  }

  lose(): void {
    if (this.isOver) return
    this.state = "lost"
    this.#ended.resolve()
    this.#waiting = []
    this.#wakeUp()
  }

  /** The member failed: leat leaves the group, and joins again where the reason may pass. */
  fail(error: TransportError): void {
    if (this.isOver) return
    this.#error = error
    this.#wakeUp()
  }

  lost(operation: string): TransportError {
    const detail = `${this.topic}/${this.partition} is no longer held by this member of group ${this.#group}`
    return failure("LaneLost", operation, detail)
  }

  readonly #pull: Effect.Effect<readonly [ReceivedBatch], TransportError | Cause.Done> = Effect.suspend(() => {
    if (this.state === "lost") return Effect.fail(this.lost("pull"))
    if (this.#error !== undefined) return Effect.fail(this.#error)
    if (this.state !== "held") return Cause.done()
    if (this.#known > this.#pulled) return Effect.succeed([this.#take()] as const)
    return Effect.andThen(this.#changed, this.#pull)
  })

  #take(): ReceivedBatch {
    const messages = this.#waiting
    const batch = batchOfMessages(messages, this.#pulled, this.#known)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#pulled = this.#known
    if (this.isPaused) this.#pause(false)
    return batch
  }

  readonly #changed: Effect.Effect<void> = Effect.callback<void>((resume) => {
    // The fiber may have given way since it looked.
    if (this.state !== "held" || this.#known > this.#pulled || this.#error !== undefined) return resume(Effect.void)
    this.#wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #pause(isPaused: boolean): void {
    this.isPaused = isPaused
    this.#owner.pause(this, isPaused)
  }

  #settle(position: Position): Effect.Effect<void, TransportError> {
    return Effect.suspend(() => {
      if (this.isOver) return Effect.fail(this.lost("settle"))
      const offset = offsetOf(position, "settle")
      if (offset instanceof TransportError) return Effect.fail(offset)
      if (offset <= this.settled) return Effect.void
      if (offset > this.#known) {
        const detail = `${this.topic}/${this.partition}: nothing before position ${position} was read behind ${this.#known}`
        return Effect.fail(failure("Rejected", "settle", detail))
      }
      return this.#owner.commit(this, offset)
    })
  }

  readonly #release: Effect.Effect<void> = Effect.sync(() => {
    if (this.isOver) return
    this.state = "released"
    this.#ended.resolve()
    this.#waiting = []
    this.#owner.released(this)
  })
}
