/**
 * When a process takes its spill. One that publishes takes it with its first event, and keeps it. One that only reads leaves it to those that publish:
 * where an earlier process has left something it takes the spill for a turn, sends on what the cluster takes, and gives it back. So a publisher never
 * waits longer than a turn for a reader of the same document, and what was left is sent on also where nobody publishes any more.
 */
import { Deferred, Effect } from "effect"
import { answered } from "./answers.ts"
import type { Spill } from "./Spill.ts"
import { spillGroup } from "./SpillMember.ts"

/** How long a process that has published nothing has the spill at most, and how often it looks whether that is empty, in milliseconds. */
const turnMs = 5000
const emptyMs = 100

/** Pauses between two turns: the first, and the longest, while nothing can be sent on, in milliseconds. */
const againMs = 1000
const againMsMax = 10_000

/** How often a process that has published nothing looks whether something was left, in milliseconds. */
const lookMs = 30_000

export class SpillTurns {
  readonly #spill: Spill
  readonly #nowMs: () => number
  readonly #wanted = Deferred.makeUnsafe<void>()
  /** Before the next look; 0: the first. */
  #pauseMs = 0
  /** Turns, one behind the other, in which nothing was sent on. */
  #stuck = 0

  constructor(spill: Spill, nowMs: () => number) {
    this.#spill = spill
    this.#nowMs = nowMs
  }

  /** Something is published: from now on this process needs the spill. */
  want(): void {
    if (this.isWanted) return
    if (!this.#spill.isReady) this.#spill.waitsSinceMs ??= this.#nowMs()
    Deferred.doneUnsafe(this.#wanted, Effect.void)
  }

  get isWanted(): boolean {
    return Deferred.isDoneUnsafe(this.#wanted)
  }

  /** Completes with the first event that is published. */
  get wanted(): Effect.Effect<void> {
    return Deferred.await(this.#wanted)
  }

  /** Completes when this process is to take the spill. */
  get due(): Effect.Effect<void> {
    const looked: Effect.Effect<void> = Effect.suspend(() =>
      Effect.flatMap(Effect.andThen(Effect.sleep(this.#pauseMs), this.#holds), (holds) => {
        // Where another process takes it in between, or its disk is gone for a moment.
        this.#pauseMs = holds ? againMs : lookMs
        return holds ? Effect.void : looked
      })
    )
    return Effect.raceFirst(this.wanted, looked)
  }

  /** Completes when a process that has published nothing waits for the spill no more: whoever has it has sent on all that was left. */
  get gone(): Effect.Effect<void> {
    const looked: Effect.Effect<void> = Effect.suspend(() =>
      Effect.flatMap(Effect.andThen(Effect.sleep(lookMs), this.#holds), (holds) => {
        if (this.isWanted) return Effect.never
        return holds || this.#spill.isReady ? looked : Effect.void
      })
    )
    return looked
  }

  /** Completes when a process that has published nothing is to give the spill back; never for one that has. */
  get over(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { parts } = this.#spill
      const before = parts.map(({ at }) => at)
      for (let passedMs = 0; passedMs < turnMs && parts.some(({ isOn }) => isOn); passedMs += emptyMs)
        yield* Effect.sleep(emptyMs)
      if (this.isWanted) return yield* Effect.never
      const isStuck = parts.every(({ at }, partition) => at === before[partition])
      this.#stuck = isStuck ? this.#stuck + 1 : 0
      this.#pauseMs = Math.min(againMs * 2 ** this.#stuck, againMsMax)
    })
  }

  /** Whether an earlier process has left something. A disk that does not say so is asked by whoever takes the spill, and told of. */
  get #holds(): Effect.Effect<boolean> {
    const { place } = this.#spill
    const bounds = Effect.suspend(() => place.transport.bounds(place.topic, spillGroup))
    return Effect.matchCause(answered(bounds, place, "bounds"), {
      onSuccess: (rows) => {
        const holds = rows.some(({ settled, end }) => end > (settled ?? 0n))
        if (!holds && !this.isWanted && !this.#spill.isReady) this.#spill.forget()
        return holds
      },
      onFailure: () => true
    })
  }
}
