/**
 * When a process takes its spill. One that publishes takes it with its first event, and keeps it. One that only reads leaves it to those that publish:
 * where an earlier process has left something, the cluster answers and nobody else has the spill, it takes that for a turn, sends on what the cluster takes,
 * and gives it back once what it has sent is answered. So in an outage a publisher waits for no reader of the same document, else for a turn and an
 * answer; and what was left is sent on also where nobody publishes any more.
 */
import { Deferred, Effect, Random } from "effect"
import type { Position } from "../../transport/index.ts"
import { answered } from "./answers.ts"
import type { OlderSpills } from "./OlderSpills.ts"
import type { Spill } from "./Spill.ts"
import { spillGroup } from "./SpillMember.ts"

/**
 * How long a process that has published nothing has the spill, in milliseconds: so long, or twice as long as the cluster has taken to answer before it
 * began, because a turn begins with the same question; and at most. How often it looks whether the spill is empty.
 */
const turnMs = 5000
const turnMsMax = 60_000
const emptyMs = 100

/** Pauses between two turns: the first, and the longest, while nothing can be sent on, in milliseconds. */
const againMs = 1000
const againMsMax = 10_000

/**
 * How long a process that has published nothing waits for the spill, in milliseconds: a driver may give it to anybody who waits, and it is to be given to
 * whoever publishes. Twice as long each time that it was not given, and at most.
 */
const lineMs = 1000
const lineMsMax = 30_000

/** How often a process that has published nothing looks whether something was left, in milliseconds. */
const lookMs = 30_000

/** What is asked of the drain. */
export interface TurnsHome {
  readonly nowMs: number
  /** Whether the destination of a partition answers, by its fence. */
  readonly answers: (partition: number) => Effect.Effect<boolean>
  /** Nothing stands before a position any more: another process has sent it on. */
  readonly passed: (partition: number, position: Position) => void
}

export class SpillTurns {
  readonly #spill: Spill
  readonly #older: Pick<OlderSpills, "isHolding">
  readonly #home: TurnsHome
  readonly #wanted = Deferred.makeUnsafe<void>()
  /** Before the next look; 0: the first. */
  #pauseMs = 0
  /** Turns, one behind the other, in which nothing was sent on. */
  #stuck = 0
  /** How often, one behind the other, it was waited for in vain. */
  #missed = 0
  #isGiven = false
  /** Of the next turn. */
  #turnMs = turnMs

  constructor(spill: Spill, older: Pick<OlderSpills, "isHolding">, home: TurnsHome) {
    this.#spill = spill
    this.#older = older
    this.#home = home
  }

  /** Something is published: from now on this process needs the spill. */
  want(): void {
    if (this.isWanted) return
    if (!this.#spill.isReady) this.#spill.waitsSinceMs ??= this.#home.nowMs
    Deferred.doneUnsafe(this.#wanted, Effect.void)
  }

  get isWanted(): boolean {
    return Deferred.isDoneUnsafe(this.#wanted)
  }

  /** Completes when this process is to take the spill. */
  get due(): Effect.Effect<void> {
    const looked: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
      // Apart from those that look at the same time.
      yield* Effect.sleep(this.#pauseMs * (0.8 + 0.4 * (yield* Random.next)))
      const left = yield* this.#left
      if (left === undefined) {
        this.#pauseMs = lookMs
        return yield* looked
      }
      if (!(yield* this.#answers(left))) {
        this.#pauseMs = againMsMax
        return yield* looked
      }
      // Where another process takes it in between.
      this.#pauseMs = againMs
    })
    this.#isGiven = false
    return Effect.raceFirst(Deferred.await(this.#wanted), looked)
  }

  /** The spill was given to this process. */
  given(): void {
    this.#isGiven = true
    this.#missed = 0
  }

  /** Completes when a process that has published nothing waits for the spill no more: another one has it, or waits for it. */
  get missed(): Effect.Effect<void> {
    const waitMs = Math.min(lineMs * 2 ** this.#missed, lineMsMax)
    return Effect.andThen(Effect.sleep(waitMs), () => {
      if (this.isWanted || this.#isGiven) return Effect.never
      this.#missed++
      this.#pauseMs = Math.min(againMs * 2 ** this.#missed, lookMs)
      return Effect.void
    })
  }

  /** Completes when a process that has published nothing is to give the spill back; never for one that has. */
  get over(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { parts } = this.#spill
      const before = parts.map(({ at }) => at)
      for (let passedMs = 0; passedMs < this.#turnMs && parts.some(({ isOn }) => isOn); passedMs += emptyMs)
        yield* Effect.sleep(emptyMs)
      if (this.isWanted) return yield* Effect.never
      const isStuck = parts.every(({ at }, partition) => at === before[partition])
      this.#stuck = isStuck ? this.#stuck + 1 : 0
      this.#pauseMs = Math.min(againMs * 2 ** this.#stuck, againMsMax)
    })
  }

  /** Whether the cluster answers; how long that takes says how long a turn has to be. */
  #answers(partition: number): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const sinceMs = this.#home.nowMs
      return Effect.tap(this.#home.answers(partition), () =>
        Effect.sync(() => {
          this.#turnMs = Math.min(Math.max(turnMs, 2 * (this.#home.nowMs - sinceMs)), turnMsMax)
        })
      )
    })
  }

  /**
   * A partition in which an earlier process has left something; undefined: there is none. A disk that does not say so is asked by whoever takes the
   * spill, and told of.
   */
  get #left(): Effect.Effect<number | undefined> {
    const { place } = this.#spill
    const bounds = Effect.suspend(() => place.transport.bounds(place.topic, spillGroup))
    const looked = Effect.all([bounds, this.#older.isHolding])
    return Effect.matchCause(answered(looked, place, "bounds"), {
      onSuccess: ([rows, isLeftElsewhere]) => {
        const left = rows.find(({ settled, end }) => end > (settled ?? 0n))
        const due = left?.partition ?? (isLeftElsewhere ? 0 : undefined)
        if (this.isWanted || this.#spill.isReady) return due
        if (left === undefined) this.#spill.forget()
        for (const { partition, settled = 0n } of rows) this.#home.passed(partition, settled)
        return due
      },
      onFailure: () => 0
    })
  }
}
