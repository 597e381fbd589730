/** Where the lane of a member reads and settles: the worker that holds it, by number. */
import { HeldLane, type LaneSource, type Position, type ReceivedBatch } from "leat/transport"
import { batchesOf } from "./batchesOf.ts"
import type { LogWorker } from "./LogWorker.ts"
import type { LaneEvent } from "./Message.ts"

type Given = Extract<LaneEvent, { readonly event: "given" }>

export class LogLane implements LaneSource {
  readonly held: HeldLane
  /** Number under which the worker knows it. */
  readonly #number: number
  readonly #worker: LogWorker
  /** Fetched, and not handed out yet. */
  #batches: Iterator<ReceivedBatch, void> = batchesOf([])
  #next: number
  /** The fetch that is on its way. */
  #fetch: number | undefined

  constructor(worker: LogWorker, topic: string, group: string, { lane, partition, start, abandoned }: Given) {
    this.#number = lane
    this.#worker = worker
    this.#next = start
    this.held = new HeldLane({ transport: "@leat/log", topic, group, partition, start: BigInt(start), abandoned }, this)
  }

  /** What the worker tells of it. */
  told(event: "revoked" | "lost"): void {
    if (event === "revoked") this.held.revoke()
    else this.held.lose()
  }

  read(): ReceivedBatch | undefined {
    const { value: batch } = this.#batches.next()
    if (batch === undefined) this.#fetchMore()
    return batch ?? undefined
  }

  commit(position: Position, done: Parameters<LaneSource["commit"]>[1]): void {
    this.#worker.start(
      "settle",
      { lane: this.#number, position: Number(position) },
      () => done(undefined),
      (error) => done(error)
    )
  }

  ended(): void {
    this.#batches = batchesOf([])
    if (this.#fetch !== undefined) this.#worker.abandon(this.#fetch)
  }

  over(how: "released" | "lost"): void {
    const nothing = () => undefined
    // A lane that cannot be given back is lost with its member's lease.
    if (how === "released") this.#worker.start("release", { lane: this.#number }, nothing, nothing)
  }

  #fetchMore(): void {
    if (this.#fetch !== undefined) return
    this.#fetch = this.#worker.start(
      "pull",
      { lane: this.#number, from: this.#next },
      (answer) => {
        this.#fetch = undefined
        // That it has ended is told apart.
        if ("ended" in answer) return
        this.#batches = batchesOf(answer.segments)
        this.#next = answer.next
        this.held.wake()
      },
      (error) => {
        this.#fetch = undefined
        if (error.reason === "LaneLost") this.held.lose()
        else this.held.fail(error)
      }
    )
  }
}
