/**
 * Commits of one member: one request at a time, with everything that was settled meanwhile. Each request waits in a thread that all
 * clients share, so that many at a time would stop the others.
 */
import { Effect } from "effect"
import type { TransportError } from "leat/transport"
import type { ClientError, Consumer } from "./client.ts"
import { failureOf } from "./failure.ts"
import type { GroupLane } from "./GroupLane.ts"

/** The group moves, or this member learns its new generation soon: tried again while the lane is ours. */
const passing: ReadonlySet<number> = new Set([14, 15, 16, 22, 27, 113, -180, -178])
const retryMs = 100
const retriesMax = 20
/** Committed is what the client calls nothing to commit. */
const noOffset = -168

interface Asked {
  readonly lane: GroupLane
  readonly offset: number
  attempts: number
  readonly tell: (result: Effect.Effect<void, TransportError>) => void
}

export class Commits {
  readonly #consumer: Consumer
  readonly #group: string
  #asked: Array<Asked> = []
  #isBusy = false

  constructor(consumer: Consumer, group: string) {
    this.#consumer = consumer
    this.#group = group
  }

  commit(lane: GroupLane, offset: number): Effect.Effect<void, TransportError> {
    return Effect.callback((resume) => {
      this.#asked.push({ lane, offset, attempts: 0, tell: resume })
      this.#next()
    })
  }

  #next(): void {
    if (this.#isBusy || this.#asked.length === 0) return
    const asked = this.#asked
    this.#asked = []
    const highest = new Map<GroupLane, number>()
    for (const { lane, offset } of asked) {
      // T38: a lane that was lost in the meantime may be another member's.
      if (!lane.isOver) highest.set(lane, Math.max(offset, highest.get(lane) ?? lane.settled))
    }
    if (highest.size === 0) return this.#answer(asked, undefined)
    this.#isBusy = true
    const offsets = [...highest].map(([{ topic, partition }, offset]) => ({ topic, partition, offset }))
    const done = (error: ClientError | null) => {
      this.#isBusy = false
      const failed = error?.code === noOffset ? null : error
      if (!failed) for (const [lane, offset] of highest) lane.settled = Math.max(lane.settled, offset)
      this.#answer(asked, failed ?? undefined)
      this.#next()
    }
    try {
      this.#consumer.commitCb(offsets, done)
    } catch (error) {
      done({ code: codeOf(error), message: "" })
    }
  }

  #answer(asked: ReadonlyArray<Asked>, error: ClientError | undefined): void {
    const again: Array<Asked> = []
    for (const one of asked) {
      const { lane, offset, tell } = one
      if (lane.settled >= offset) tell(Effect.void)
      else if (lane.isOver || error === undefined) tell(Effect.fail(lane.lost("settle")))
      else if (passing.has(error.code) && one.attempts++ < retriesMax) again.push(one)
      else tell(Effect.fail(failureOf(error, "settle", `${lane.topic}/${lane.partition} of group ${this.#group}`)))
    }
    if (again.length === 0) return
    setTimeout(() => {
      this.#asked.unshift(...again)
      this.#next()
    }, retryMs)
  }
}

function codeOf(error: unknown): number {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "number"
    ? error.code
    : -172
}
