/**
 * What a fallback waits for before its records are sent on: what the fallbacks before it hold. A publisher writes to a later one only behind what it has in
 * earlier ones. So records that were read wait for all that stands in the earlier ones at that time, and for nothing that is stored there after it.
 */
import { Effect, Semaphore } from "effect"
import type { Pump } from "../Pump.ts"
import { askedBounds } from "./askedBounds.ts"
import { type FallbackPlace, settledOf } from "./openFallback.ts"
import type { PartitionBounds, Position } from "../../transport/index.ts"

/** Pauses between two questions: the first, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 2000

/** Who is told that nothing is sent on. */
export interface WaitingFor {
  /** An earlier one does not say how far it was sent on, since a time of the monotonic clock; shown as long as that lasts. */
  readonly stands: (partition: number, sinceMs: number, why: string) => void
}

export class EarlierPlaces {
  readonly #looks: ReadonlyArray<SharedLook>
  readonly #waiting: WaitingFor
  readonly #pump: Pick<Pump, "nowMs">

  constructor(earlier: ReadonlyArray<FallbackPlace>, waiting: WaitingFor, pump: Pick<Pump, "nowMs">) {
    this.#looks = earlier.map((place) => new SharedLook(place))
    this.#waiting = waiting
    this.#pump = pump
  }

  /** Waits until all that they hold of a partition was sent on. */
  sentOn(partition: number): Effect.Effect<void> {
    return Effect.forEach(this.#looks, (look) => this.#sentOnFrom(look, partition), { discard: true })
  }

  #sentOnFrom(look: SharedLook, partition: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let end: Position | undefined
      let shorter: Position | undefined
      let silentMs: number | undefined
      for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
        const rows = yield* look.next
        const row = typeof rows === "string" ? undefined : rows.find((one) => one.partition === partition)
        if (row === undefined) {
          silentMs ??= this.#pump.nowMs
          const why = typeof rows === "string" ? rows : `nothing is said of partition ${partition}`
          const { name } = look.place
          const sentence = `${name}, from which is sent on first, does not say how far it was: ${why}`
          this.#waiting.stands(partition, silentMs, sentence)
        } else {
          silentMs = undefined
          end ??= row.end
          // One that was made anew ends earlier, and holds nothing of what was waited for. A broker that has just taken over may say so once.
          if (row.end < end && shorter !== undefined && row.end <= shorter) end = row.end
          shorter = row.end < end ? row.end : undefined
          if (settledOf(row) >= end) return
        }
        yield* Effect.sleep(pauseMs)
      }
    })
  }
}

/** Questions to one place: whoever asks is answered by one that was begun after that, and several partitions by the same. */
class SharedLook {
  readonly place: FallbackPlace
  readonly #turn = Semaphore.makeUnsafe(1)
  #begun = 0
  #last: ReadonlyArray<PartitionBounds> | string = []

  constructor(place: FallbackPlace) {
    this.place = place
  }

  get next(): Effect.Effect<ReadonlyArray<PartitionBounds> | string> {
    return Effect.suspend(() => {
      const asked = this.#begun
      const look = Effect.suspend(() => {
        if (this.#begun > asked) return Effect.succeed(this.#last)
        this.#begun++
        return Effect.tap(askedBounds(this.place), (rows) => Effect.sync(() => (this.#last = rows)))
      })
      return this.#turn.withPermits(1)(look)
    })
  }
}
