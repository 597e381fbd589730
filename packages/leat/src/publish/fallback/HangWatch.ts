/**
 * Which partitions of a fallback hang: something waits there, nobody here has it in hand, nothing of it gets on, and nothing fails either. Then a
 * call of a driver may never come back, or the group has forgotten this member: it joins anew. Later each time, for another process may hold the
 * partition, and its destination may be away.
 */
import type { PartitionBounds, Position } from "../../transport/index.ts"
import { settledOf } from "./openFallback.ts"

/** How long a partition may not get on until the member joins anew, in milliseconds; twice as long each time, so often at most. */
const stillMs = 60_000
const joinsMax = 5

interface Still {
  readonly settled: Position
  sinceMs: number
}

/** How often the member has joined anew for a partition, and when it does next, in milliseconds of the monotonic clock. */
interface Joins {
  readonly settled: Position
  times: number
  nextMs: number
}

/** What was found. Times are milliseconds of the monotonic clock. */
export interface Hang {
  readonly partitions: ReadonlyArray<number>
  readonly sinceMs: number
  readonly isToJoin: boolean
  /** Whether one of them hangs for the first time since it got on. */
  readonly isFirst: boolean
}

export class HangWatch {
  #still = new Map<number, Still>()
  /** Of partitions that have hung and have not got on since, whoever has them in hand. */
  readonly #joins = new Map<number, Joins>()
  /** Until then the member is not there, since it has failed. */
  #beginsMs = 0

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
    this.#lookWhichAreOn(waiting)
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
    const isFirst = hung.some(([partition]) => !this.#joins.has(partition))
    let isToJoin = false
    for (const [partition, { settled }] of hung) {
      const joins = this.#joins.get(partition) ?? { settled, times: 0, nextMs: 0 }
      this.#joins.set(partition, joins)
      if (nowMs < joins.nextMs) continue
      isToJoin = true
      joins.nextMs = nowMs + hangMs * 2 ** joins.times
      joins.times = Math.min(joins.times + 1, joinsMax)
    }
    const sinceMs = Math.min(...hung.map(([, still]) => still.sinceMs))
    return { partitions: hung.map(([partition]) => partition), sinceMs, isToJoin, isFirst }
  }

  /** Only a partition that gets on itself hangs no more: one that has just been taken from another process has not, nor has its neighbour. */
  #lookWhichAreOn(waiting: ReadonlyArray<PartitionBounds>): void {
    for (const [partition, { settled }] of this.#joins) {
      const row = waiting.find((one) => one.partition === partition)
      if (row === undefined || settledOf(row) > settled) this.#joins.delete(partition)
    }
  }
}
