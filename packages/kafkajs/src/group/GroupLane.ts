/** One partition in the hands of one member: what was fetched and not pulled yet, and how far it is settled. */
import { Cause, Effect, Stream } from "effect"
import type { Lane, Position, ReceivedBatch, TransportError } from "leat/transport"
import { failure } from "../client/failureOf.ts"

/** What a lane needs of the member that holds it. */
export interface LaneHolder {
  /** Stores a position; rejects with `LaneLost` when it may not. */
  readonly commit: (lane: GroupLane, position: Position) => Promise<void>
  /** There is room for more, or the lane is over. */
  readonly changed: (lane: GroupLane) => void
}

/** Bytes that a lane fetches ahead of who pulls it. */
const aheadBytes = 1024 ** 2

export class GroupLane {
  readonly partition: number
  readonly lane: Lane
  /** Next position that is fetched. */
  next: Position
  /** Whether a fetch is on its way. */
  isFetching = false
  #state: "held" | "revoked" | "released" | "lost" = "held"
  #failure: TransportError | undefined
  readonly #batches: Array<{ readonly batch: ReceivedBatch; readonly bytes: number }> = []
  #aheadBytes = 0
  /** Position after what was pulled: nothing behind it can have been done. */
  #pulled: Position
  #settled: Position
  /** The settles that are on their way, one after another. */
  #settling: Promise<unknown> = Promise.resolve()
  #wake: (() => void) | undefined
  readonly #ended = Promise.withResolvers<void>()
  readonly #holder: LaneHolder
  readonly #where: string

  constructor(holder: LaneHolder, topic: string, partition: number, start: Position) {
    this.partition = partition
    this.next = start
    this.#pulled = start
    this.#settled = start
    this.#holder = holder
    this.#where = `${topic}/${partition}`
    this.lane = {
      id: this.#where,
      partition,
      start,
      // Kafka does not count members that vanished.
      abandoned: 0,
      batches: Stream.fromPull(Effect.succeed(this.#pull)),
      revoked: Effect.promise(() => this.#ended.promise),
      settle: (position) => this.#settle(position),
      release: this.#release
    }
  }

  get isHeld(): boolean {
    return this.#state === "held"
  }

  /** Whether nothing of it can be settled any more. */
  get isOver(): boolean {
    return this.#state === "released" || this.#state === "lost"
  }

  get wantsMore(): boolean {
    return this.#state === "held" && this.#failure === undefined && !this.isFetching && this.#aheadBytes < aheadBytes
  }

  /** Resolves when no settle is on its way any more: what is sent later cannot be overtaken by one. */
  get settledDown(): Promise<unknown> {
    return this.#settling
  }

  /** Takes what was fetched from `next` on. */
  received(batch: ReceivedBatch, bytes: number): void {
    if (this.#state !== "held") return
    this.next = batch.next
    if (batch.records.length === 0 && batch.gap === undefined) return
    this.#batches.push({ batch, bytes })
    this.#aheadBytes += bytes
    this.#awake()
  }

  /** No more comes: drain, settle, release. */
  revoke(): void {
    if (this.#state !== "held") return
    this.#state = "revoked"
    this.#empty()
  }

  /** It is somebody else's by now. */
  lose(): void {
    if (this.isOver) return
    this.#state = "lost"
    this.#empty()
  }

  /** Nothing more can be read of it; whoever pulls is told why. */
  fail(error: TransportError): void {
    this.#failure ??= error
    this.#awake()
  }

  readonly #pull: Effect.Effect<readonly [ReceivedBatch], TransportError | Cause.Done> = Effect.suspend(() => {
    if (this.#state === "lost") return Effect.fail(this.#lost("pull"))
    if (this.#state !== "held") return Cause.done()
    const first = this.#batches.shift()
    if (first !== undefined) {
      this.#aheadBytes -= first.bytes
      this.#pulled = first.batch.next
      this.#holder.changed(this)
      return Effect.succeed([first.batch] as const)
    }
    if (this.#failure !== undefined) return Effect.fail(this.#failure)
    return Effect.andThen(this.#changed, this.#pull)
  })

  readonly #changed = Effect.callback<void>((resume) => {
    // The fiber may have given way since it looked.
    if (this.#state !== "held" || this.#batches.length > 0 || this.#failure !== undefined) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    this.#wake = wake
    return Effect.sync(() => {
      if (this.#wake === wake) this.#wake = undefined
    })
  })

  #settle(position: Position): Effect.Effect<void, TransportError> {
    return Effect.tryPromise({
      try: () => {
        // One after another: of two that are on their way at once, the lower one could come last.
        const settled = this.#settling.then(() => this.#settleNow(position))
        this.#settling = settled.catch(() => undefined)
        return settled
      },
      catch: (error) => error as TransportError
    })
  }

  async #settleNow(position: Position): Promise<void> {
    if (this.isOver) throw this.#lost("settle")
    if (position > this.#pulled) {
      const detail = `${this.#where}: position ${position} is behind ${this.#pulled}, up to where it was read`
      throw failure("Rejected", "settle", detail)
    }
    if (position <= this.#settled) return
    await this.#holder.commit(this, position)
    this.#settled = position
  }

  readonly #release: Effect.Effect<void> = Effect.sync(() => {
    if (this.isOver) return
    this.#state = "released"
    this.#empty()
  })

  #empty(): void {
    this.#ended.resolve()
    this.#batches.length = 0
    this.#awake()
    this.#holder.changed(this)
  }

  #awake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #lost(operation: string): TransportError {
    return failure("LaneLost", operation, `${this.#where} is no longer held by this member of its group`)
  }
}
