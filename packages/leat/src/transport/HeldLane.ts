/**
 * One partition in the hands of one member of a group: the lane of every driver, as a synchronous state machine with Effects for a
 * face. The driver says what comes to read, stores positions, and is told when it may give the partition away.
 *
 * - `held` -> `revoked` -> `released` or `lost`. Only a held lane is read; its stream ends when it is revoked or released, and fails
 *   with `LaneLost` when it is lost. `revoked` completes at the first of the three, whether anybody pulls or not.
 * - A settle is `Rejected` beyond what was handed out: nothing behind that can be done. It is `LaneLost` once the lane is released
 *   or lost. Less than what is settled changes nothing.
 * - One position is on its way at a time, and each is higher than the one before: of two, the lower could land last. What is
 *   asked for meanwhile is one more, the highest. What is not on its way when the lane is released or lost is `LaneLost`; what
 *   is, has the answer that comes.
 * - `over` is called once, when the lane is released or lost and nothing is on its way any more: a settle of this holder
 *   cannot land behind one of the next.
 * - Nobody who waits is resumed inside the stack of who changes the lane.
 *
 * @example
 * ```ts
 * const held = new HeldLane({ transport: "memory", topic: "beacons", group: "positions", partition: 0, start: 0n, abandoned: 0 }, {
 *   read: (from) => log.read(from),
 *   commit: (position, tell) => tell(store(position)),
 *   over: () => rebalance()
 * })
 * log.onAppend(() => held.wake())
 * lanes.offer(held)
 * ```
 */
import { Cause, Effect, Stream } from "effect"
import type { Lane, Position, ReceivedBatch } from "./index.ts"
import { TransportError } from "./TransportError.ts"

/** Which lane it is, and what the group knows of it. */
export interface HeldLaneOptions {
  /** Name of the transport, for errors. */
  readonly transport: string
  readonly topic: string
  readonly group: string
  readonly partition: number
  /** Where the group's settled position stands. */
  readonly start: Position
  /** As in `Lane`. */
  readonly abandoned: number
}

/** What a driver does for its lane. Nothing here waits or throws. */
export interface LaneSource {
  /**
   * What comes next, from the position on up to which was handed out; undefined: nothing is there yet, and `wake` follows when
   * there is. Called when somebody pulls: a driver that fetches only then begins to fetch here.
   */
  readonly read: (from: Position) => ReceivedBatch | undefined
  /** Stores a position and says once what became of it, perhaps before it returns. After `LaneLost` the lane is lost. */
  readonly commit: (position: Position, tell: (error: TransportError | undefined) => void) => void
  /** Nothing more comes to be read: the lane is revoked, released or lost. */
  readonly ended?: () => void
  /** It may be given away. */
  readonly over: (how: "released" | "lost") => void
}

interface Settle {
  readonly position: Position
  readonly answer: (result: Effect.Effect<void, TransportError>) => void
}

/** A lane as its driver holds it; `lane` is what leat is given. */
export class HeldLane {
  /** The face that the SPI asks for. */
  readonly lane: Lane
  readonly #options: HeldLaneOptions
  readonly #source: LaneSource
  readonly #id: string
  #state: "held" | "revoked" | "released" | "lost" = "held"
  #failure: TransportError | undefined
  #isOver = false
  #handedOut: Position
  #settled: Position
  /** On its way to where positions are kept. */
  #committing: Position | undefined
  readonly #settles = new Set<Settle>()
  readonly #waiting = new Set<() => void>()
  #wakes = 0
  readonly #hearing = new Set<() => void>()

  constructor(options: HeldLaneOptions, source: LaneSource) {
    const { topic, partition, start, abandoned } = options
    this.#options = options
    this.#source = source
    this.#id = `${topic}/${partition}`
    this.#handedOut = start
    this.#settled = start
    this.lane = {
      id: this.#id,
      partition,
      start,
      abandoned,
      batches: Stream.fromPull(Effect.succeed(this.#pull)),
      revoked: this.#revoked,
      settle: (position) => this.#settle(position),
      release: Effect.sync(() => this.release())
    }
  }

  /** Number of the partition. */
  get partition(): number {
    return this.#options.partition
  }

  /** Whether it may still be read. */
  get isHeld(): boolean {
    return this.#state === "held"
  }

  /** Whether nothing can be settled any more. */
  get isOver(): boolean {
    return this.#state === "released" || this.#state === "lost"
  }

  /** Position after what was handed out. */
  get handedOut(): Position {
    return this.#handedOut
  }

  /** There is something to read, perhaps. */
  wake(): void {
    this.#wakes++
    for (const resume of this.#waiting) resume()
    this.#waiting.clear()
  }

  /** Nothing more can be read, and whoever pulls is told why, after what is there. The lane stays this member's. */
  fail(error: TransportError): void {
    this.#failure ??= error
    this.wake()
  }

  /** It is to be given back: drain, settle, release. */
  revoke(): void {
    if (this.#state === "held") this.#become("revoked")
  }

  /** It is somebody else's by now. */
  lose(): void {
    if (!this.isOver) this.#become("lost")
  }

  /** This member settles nothing more. */
  release(): void {
    if (!this.isOver) this.#become("released")
  }

  #become(state: "revoked" | "released" | "lost"): void {
    const wasHeld = this.#state === "held"
    this.#state = state
    this.wake()
    if (wasHeld) {
      for (const resume of this.#hearing) resume()
      this.#hearing.clear()
      this.#source.ended?.()
    }
    if (!this.isOver) return
    this.#answer(({ position }) => this.#committing === undefined || position > this.#committing, this.#lost("settle"))
    this.#tellOver()
  }

  readonly #pull: Effect.Effect<readonly [ReceivedBatch], TransportError | Cause.Done> = Effect.suspend(() => {
    if (this.#state === "lost") return Effect.fail(this.#lost("pull"))
    if (this.#state !== "held") return Cause.done()
    const seen = this.#wakes
    const batch = this.#source.read(this.#handedOut)
    if (batch !== undefined) {
      if (batch.next > this.#handedOut) this.#handedOut = batch.next
      return Effect.succeed([batch] as const)
    }
    if (this.#failure !== undefined) return Effect.fail(this.#failure)
    // The fiber may give way before it waits: what came meanwhile wakes nobody any more.
    return Effect.andThen(
      waiting(this.#waiting, () => this.#wakes !== seen),
      this.#pull
    )
  })

  readonly #revoked: Effect.Effect<void> = Effect.suspend(() => waiting(this.#hearing, () => this.#state !== "held"))

  #settle(position: Position): Effect.Effect<void, TransportError> {
    return answered((answer) => {
      if (this.isOver) return answer(Effect.fail(this.#lost("settle")))
      if (position > this.#handedOut) return answer(Effect.fail(this.#tooFar(position)))
      if (position <= this.#settled) return answer(Effect.void)
      const settle = { position, answer }
      this.#settles.add(settle)
      this.#commit()
      // What is on its way is stored all the same; nobody waits for it any more.
      return () => this.#settles.delete(settle)
    })
  }

  #commit(): void {
    if (this.#committing !== undefined || this.isOver) return
    let highest = this.#settled
    for (const { position } of this.#settles) if (position > highest) highest = position
    if (highest === this.#settled) return
    this.#committing = highest
    this.#source.commit(highest, (error) => {
      if (this.#committing === highest) this.#committed(highest, error)
    })
  }

  #committed(committed: Position, error: TransportError | undefined): void {
    this.#committing = undefined
    if (error === undefined) this.#settled = committed
    this.#answer(({ position }) => position <= committed, error)
    if (error?.reason === "LaneLost") this.lose()
    this.#commit()
    this.#tellOver()
  }

  /** Tells those whom it concerns what became of their settle. */
  #answer(concerns: (settle: Settle) => boolean, error: TransportError | undefined): void {
    const concerned = [...this.#settles].filter(concerns)
    for (const settle of concerned) this.#settles.delete(settle)
    const result = error === undefined ? Effect.void : Effect.fail(error)
    for (const { answer } of concerned) answer(result)
  }

  #tellOver(): void {
    if (this.#isOver || this.#committing !== undefined) return
    if (this.#state !== "released" && this.#state !== "lost") return
    this.#isOver = true
    this.#source.over(this.#state)
  }

  #lost(operation: string): TransportError {
    const { transport, group } = this.#options
    const detail = `${this.#id} is no longer held by this member of group ${group}`
    return new TransportError({ reason: "LaneLost", transport, operation, detail })
  }

  #tooFar(position: Position): TransportError {
    const { transport } = this.#options
    const detail = `${this.#id}: position ${position} is behind ${this.#handedOut}, up to where it was handed out`
    return new TransportError({ reason: "Rejected", transport, operation: "settle", detail })
  }
}

/** Waits until it is resumed, in a turn of the waiter's own scheduler; not at all when that has become needless. */
function waiting(resumes: Set<() => void>, isNeedless: () => boolean): Effect.Effect<void> {
  return Effect.callback<void>(function (resume) {
    if (isNeedless()) return resume(Effect.void)
    const dispatcher = this.makeDispatcher()
    const later = () => dispatcher.scheduleTask(() => resume(Effect.void), 0)
    resumes.add(later)
    return Effect.sync(() => resumes.delete(later))
  })
}

/**
 * Waits for the answer to what is asked: one that comes while it is asked is taken at once, a later one in a turn of the waiter's own
 * scheduler. Asking and registering are one step: what gives way between the two could miss the answer.
 */
function answered(ask: (answer: Settle["answer"]) => (() => unknown) | void): Effect.Effect<void, TransportError> {
  return Effect.callback<void, TransportError>(function (resume) {
    const dispatcher = this.makeDispatcher()
    let isAsking = true
    const forget = ask((result) => (isAsking ? resume(result) : dispatcher.scheduleTask(() => resume(result), 0)))
    isAsking = false
    return forget === undefined ? undefined : Effect.sync(forget)
  })
}
