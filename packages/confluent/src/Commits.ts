/**
 * Commits of one member, a request for each lane at a time. The client's `commitCb` answers when a commit was queued, not when it was
 * made; what became of it is told by `offset_commit_cb`, and there without the errors of single partitions: so each request has one.
 */
import { Effect } from "effect"
import type { TransportError } from "leat/transport"
import type { ClientError, Consumer, TopicPartition } from "./client.ts"
import { failureOf } from "./failure.ts"
import type { GroupLane } from "./GroupLane.ts"

/**
 * The group moves, its coordinator does, or this member is about to learn its new generation: tried again while the lane is ours.
 * Whoever lost it is told so by a revocation.
 */
const passing: ReadonlySet<number> = new Set([14, 15, 16, 22, 27, 113, -180, -178, -168])
const retryMs = 100
const retriesMax = 20
/** What the client throws when it is not connected any more. */
const notConnected = -172

interface Asked {
  readonly offset: number
  readonly tell: (result: Effect.Effect<void, TransportError>) => void
}

/** What is on its way for a lane, and what was asked for since. */
interface Line {
  readonly lane: GroupLane
  asked: Array<Asked>
  inFlight: number | undefined
  attempts: number
}

export class Commits {
  readonly #consumer: () => Consumer | undefined
  readonly #group: string
  /** By partition. */
  readonly #lines = new Map<number, Line>()

  constructor(group: string, consumer: () => Consumer | undefined) {
    this.#group = group
    this.#consumer = consumer
  }

  commit(lane: GroupLane, offset: number): Effect.Effect<void, TransportError> {
    return Effect.callback((resume) => {
      let line = this.#lines.get(lane.partition)
      if (line?.lane !== lane) {
        // The lane before, of the same partition, is over: what waits there has lost it.
        if (line !== undefined) this.#answer(line, undefined)
        line = { lane, asked: [], inFlight: undefined, attempts: 0 }
        this.#lines.set(lane.partition, line)
      }
      line.asked.push({ offset, tell: resume })
      this.#next(line)
    })
  }

  /** The client tells what became of a commit. */
  done(error: ClientError | undefined, [offset]: ReadonlyArray<TopicPartition>): void {
    const line = offset === undefined ? undefined : this.#lines.get(offset.partition)
    if (line?.inFlight === undefined) return
    const { lane, inFlight } = line
    line.inFlight = undefined
    if (error === undefined) lane.settled = Math.max(lane.settled, inFlight)
    this.#answer(line, error)
    this.#next(line)
  }

  /** Nothing is committed any more. */
  close(): void {
    for (const line of this.#lines.values()) this.#answer(line, undefined)
    this.#lines.clear()
  }

  #next(line: Line): void {
    const { lane, asked } = line
    if (line.inFlight !== undefined || asked.length === 0) return
    // T38: a lane that was lost in the meantime may be another member's.
    if (lane.isOver) return this.#answer(line, undefined)
    const offset = asked.reduce((highest, one) => Math.max(highest, one.offset), lane.settled)
    if (offset === lane.settled) return this.#answer(line, undefined)
    const consumer = this.#consumer()
    // Nobody would ever tell what became of it.
    if (consumer === undefined) return this.#answer(line, { code: notConnected, message: "" })
    line.inFlight = offset
    try {
      consumer.commit([{ topic: lane.topic, partition: lane.partition, offset }])
    } catch (error) {
      line.inFlight = undefined
      this.#answer(line, { code: codeOf(error), message: "" })
    }
  }

  /** Tells whoever has an answer by now: what is committed, what is lost, what failed for good. */
  #answer(line: Line, error: ClientError | undefined): void {
    const { lane } = line
    const isPassing = error !== undefined && passing.has(error.code) && line.attempts++ < retriesMax
    const waiting: Array<Asked> = []
    for (const one of line.asked) {
      if (lane.settled >= one.offset) one.tell(Effect.void)
      else if (lane.isOver) one.tell(Effect.fail(lane.lost("settle")))
      else if (error === undefined || isPassing) waiting.push(one)
      else one.tell(Effect.fail(failureOf(error, "settle", `${lane.lane.id} of group ${this.#group}`)))
    }
    line.asked = waiting
    if (!isPassing) line.attempts = 0
    else if (waiting.length > 0) setTimeout(() => this.#next(line), retryMs)
  }
}

function codeOf(error: unknown): number {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "number"
    ? error.code
    : notConnected
}
