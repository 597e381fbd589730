/**
 * Which partitions of a fallback hang: something waits there, nobody here has it in hand, nothing of it gets on, and nothing fails either. Then a
 * call of a driver may never come back, or the group has forgotten this member: it joins anew. Later each time, for another process may hold the
 * partition, and its destination may be away.
 */
import type { PartitionBounds, Position } from "../../transport/index.ts"
import { settledOf } from "./openFallback.ts"

/** How long nothing may get on until the member joins anew, in milliseconds; twice as long each time, so often at most. */
const stillMs = 60_000
const joinsMax = 5

interface Still {
  readonly settled: Position
  sinceMs: number
}

/** What was found. Times are milliseconds of the monotonic clock. */
export interface Hang {
  readonly partitions: ReadonlyArray<number>
  readonly sinceMs: number
  readonly isToJoin: boolean
  /** Whether it is the first time since nothing hung. */
  readonly isFirst: boolean
}

export class HangWatch {
  #still = new Map<number, Still>()
  #settled: ReadonlyMap<number, Position> = new Map()
  /** Until then the member is not there, since it has failed. */
  #beginsMs = 0
  #joins = 0
  #joinMs = 0

  /** A partition has failed, or the member where that is undefined: it is tried again at a time. */
  failed(partition: number | undefined, againMs: number): void {
    if (partition === undefined) this.#beginsMs = againMs
    for (const [one, still] of this.#still) if (partition === undefined || partition === one) still.sinceMs = againMs
  }

  /** Looks at what waits; undefined: nothing hangs. What is in hand here does not. A send may take `timeoutMs`. */
  look(
    waiting: ReadonlyArray<PartitionBounds>,
    isInHand: (row: PartitionBounds) => boolean,
    timeoutMs: number,
    nowMs: number
  ): Hang | undefined {
    this.#lookWhetherOn(waiting)
    const before = this.#still
    const begunMs = Math.max(nowMs, this.#beginsMs)
    this.#still = new Map(
      waiting
        .filter((row) => !isInHand(row))
        .map((row) => {
          const [settled, found] = [settledOf(row), before.get(row.partition)]
          return [row.partition, found?.settled === settled ? found : { settled, sinceMs: begunMs }]
        })
    )
    const hangMs = Math.max(stillMs, timeoutMs * 3)
    const hung = Array.from(this.#still).filter(([, { sinceMs }]) => nowMs - sinceMs >= hangMs)
    if (hung.length === 0) return undefined
    const isToJoin = nowMs >= this.#joinMs
    const isFirst = this.#joins === 0
    if (isToJoin) {
      this.#joinMs = nowMs + hangMs * 2 ** this.#joins
      this.#joins = Math.min(this.#joins + 1, joinsMax)
    }
    const sinceMs = Math.min(...hung.map(([, still]) => still.sinceMs))
    return { partitions: hung.map(([partition]) => partition), sinceMs, isToJoin, isFirst }
  }

  /** Only what gets on ends it: a partition that has just been taken from another process has not. */
  #lookWhetherOn(waiting: ReadonlyArray<PartitionBounds>): void {
    const settled = new Map(waiting.map((row) => [row.partition, settledOf(row)] as const))
    const isOn = waiting.some((row) => settledOf(row) > (this.#settled.get(row.partition) ?? settledOf(row)))
    this.#settled = settled
    if (!isOn && waiting.length > 0) return
    this.#joins = 0
    this.#joinMs = 0
  }
}
