/** One partition in the hands of one member, as the main thread sees it. */
import { Cause, Effect, Stream } from "effect"
import { type Lane, type Position, type ReceivedBatch, TransportError } from "leat/transport"
import { batchesOf } from "./batchesOf.ts"
import type { LogWorker } from "./LogWorker.ts"
import type { LaneEvent } from "./Message.ts"

type Given = Extract<LaneEvent, { readonly event: "given" }>

export class LogLane {
  readonly lane: Lane
  /** Number under which the worker knows it. */
  readonly number: number
  #state: "held" | "revoked" | "lost" | "released" = "held"
  readonly #worker: LogWorker
  readonly #name: string
  /** Read, and not handed out yet. */
  #batches: Iterator<ReceivedBatch, void> = batchesOf([])
  #next: number
  readonly #ended = Promise.withResolvers<void>()

  constructor(worker: LogWorker, topic: string, { lane, partition, start, abandoned }: Given) {
    this.number = lane
    this.#worker = worker
    this.#name = `${topic}/${partition}`
    this.#next = start
    this.lane = {
      id: this.#name,
      partition,
      start: BigInt(start),
      abandoned,
      batches: Stream.fromPull(Effect.succeed(this.#pull)),
      revoked: Effect.promise(() => this.#ended.promise),
      settle: (position) => this.#settle(position),
      release: this.#release
    }
  }

  /** Whether nothing can happen to it any more. */
  get isOver(): boolean {
    return this.#state === "released" || this.#state === "lost"
  }

  /** What the worker tells of it. */
  told(event: "revoked" | "lost"): void {
    if (this.#state !== "released") this.#state = event
    this.#ended.resolve()
  }

  readonly #pull: Effect.Effect<readonly [ReceivedBatch], TransportError | Cause.Done> = Effect.suspend(() => {
    if (this.#state === "lost") return Effect.fail(this.#lost("pull"))
    if (this.#state !== "held") return Cause.done()
    const { value: batch } = this.#batches.next()
    if (batch !== undefined) return Effect.succeed([batch] as const)
    return Effect.flatMap(this.#worker.call("pull", { lane: this.number, from: this.#next }), (answer) => {
      if ("ended" in answer) return Cause.done()
      this.#batches = batchesOf(answer.segments)
      this.#next = answer.next
      return this.#pull
    })
  })

  #settle(position: Position): Effect.Effect<void, TransportError> {
    return Effect.suspend(() => {
      if (this.#state === "lost" || this.#state === "released") return Effect.fail(this.#lost("settle"))
      return Effect.asVoid(this.#worker.call("settle", { lane: this.number, position: Number(position) }))
    })
  }

  readonly #release: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#state === "lost" || this.#state === "released") return Effect.void
    this.#state = "released"
    this.#ended.resolve()
    // A lane that cannot be given back is lost with its member's lease.
    return Effect.ignore(this.#worker.call("release", { lane: this.number }))
  })

  #lost(operation: string): TransportError {
    const detail = `${this.#name} is no longer held by this member of its group`
    return new TransportError({ reason: "LaneLost", transport: "@leat/log", operation, detail })
  }
}
