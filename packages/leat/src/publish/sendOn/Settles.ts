/**
 * What was sent on is settled in its spill or fallback, beside the sending: one settle of a partition at a time, and always the latest position. What a
 * settle is for is known in memory, so a place that does not answer it keeps nobody waiting; it costs copies, if this process dies meanwhile.
 */
import { Clock, Deferred, Effect, type Fiber, type Scope } from "effect"
import { warn } from "../../Telemetry.ts"
import type { Position, TransportError } from "../../transport/index.ts"
import { monotonicMs } from "../../Wake.ts"

/** How long whoever sends on waits for a settle, in milliseconds: with that little is sent twice after a crash, and nothing stands for long. */
const patienceMs = 500

/** Pause before a settle, or a trim, is begun anew, in milliseconds. */
const againMs = 1000

/** The longest pause between two trims, in milliseconds: nobody is in a hurry for the room, but one that is full needs it. */
const trimAgainMsMax = 60_000

/** How long closing waits for what was sent on to be settled, in milliseconds. */
const lastMs = 2000

/** How long nothing may be settled until that is told, in milliseconds. */
const tellUnsettledMs = 10_000

/** What settles ask of the spill, or of the fallback. */
export interface SettledPlace {
  /** How long an answer is waited for, in milliseconds. */
  readonly answerMs: number
  readonly settle: (partition: number, position: Position) => Effect.Effect<void, TransportError>
  readonly trim: (partition: number, position: Position) => Effect.Effect<void, TransportError>
  /** What stands before a position is settled. */
  readonly settled: (partition: number, position: Position) => void
  /** The room of what stands before a position was given back. */
  readonly trimmed: (partition: number, position: Position) => void
}

/** Of one partition. */
interface Settling {
  wanted: Position
  settled: Position
  /** Completes when what is wanted is settled; undefined: it is. */
  waiting: Deferred.Deferred<void> | undefined
  isRunning: boolean
  /** The one that runs, or the last that did. */
  running: Fiber.Fiber<void> | undefined
  isTrimming: boolean
  /** Whether the last one has taken longer than anybody waits. */
  isLate: boolean
  /** Whether it was told that its room is not given back. */
  isTrimTold: boolean
}

export class Settles {
  readonly #name: string
  readonly #scope: Scope.Scope
  readonly #place: SettledPlace
  readonly #settlings = new Map<number, Settling>()

  /** `name`: of the place, for warnings. Nothing is settled any more when the scope ends. */
  constructor(name: string, scope: Scope.Scope, place: SettledPlace) {
    this.#name = name
    this.#scope = scope
    this.#place = place
  }

  /** Completes when everything before the position is settled, or after half a second; at once while that was too short. Says whether it is. */
  settle(partition: number, position: Position): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const settling = this.#of(partition)
      if (position > settling.wanted) settling.wanted = position
      if (settling.settled >= settling.wanted) return true
      const waiting = settling.waiting ?? Deferred.makeUnsafe<void>()
      settling.waiting = waiting
      if (!settling.isRunning) yield* this.#begun(partition, settling)
      if (settling.isLate) return false
      const late = Effect.andThen(Effect.sleep(patienceMs), () => {
        settling.isLate = true
        return Effect.void
      })
      yield* Effect.raceFirst(Deferred.await(waiting), late)
      return settling.settled >= position
    })
  }

  /** What an earlier process has settled may not be trimmed yet. */
  trim(partition: number, position: Position): Effect.Effect<void> {
    return Effect.suspend(() => {
      const settling = this.#of(partition)
      if (position > settling.settled) settling.settled = position
      if (position > settling.wanted) settling.wanted = position
      return this.#trimming(partition, settling)
    })
  }

  /** Settles what has ended before a partition is given out of the hand, beside whatever hangs, and not for long. */
  last(partition: number, position: Position): Effect.Effect<void> {
    return Effect.suspend(() => {
      const settling = this.#of(partition)
      if (settling.settled >= position) return Effect.void
      // Not waited for: a driver may not let itself be interrupted.
      settling.running?.interruptUnsafe()
      settling.isRunning = false
      const settle = this.#failureOf(this.#place.settle(partition, position), lastMs)
      return Effect.map(settle, (why) => {
        if (why === undefined) this.#place.settled(partition, position)
      })
    })
  }

  #of(partition: number): Settling {
    const found = this.#settlings.get(partition)
    if (found !== undefined) return found
    const made: Settling = {
      wanted: 0n,
      settled: 0n,
      waiting: undefined,
      isRunning: false,
      running: undefined,
      isTrimming: false,
      isLate: false,
      isTrimTold: false
    }
    this.#settlings.set(partition, made)
    return made
  }

  /** In one step: whoever settles may be interrupted at any other, and what is said to run and does not would never settle anything. */
  #begun(partition: number, settling: Settling): Effect.Effect<void> {
    const running = Effect.suspend(() => {
      // Said before it begins: it may have ended before whoever begins it goes on.
      settling.isRunning = true
      return Effect.forkIn(Effect.interruptible(this.#run(partition, settling)), this.#scope)
    })
    return Effect.uninterruptible(Effect.map(running, (fiber) => void (settling.running = fiber)))
  }

  #run(partition: number, settling: Settling): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (settling.settled < settling.wanted) {
        settling.settled = yield* this.#settled(partition, settling)
        this.#place.settled(partition, settling.settled)
        settling.isLate = false
      }
      const { waiting } = settling
      settling.waiting = undefined
      settling.isRunning = false
      if (waiting !== undefined) yield* Deferred.succeed(waiting, undefined)
      // Whoever waited goes on, and so does the next settle.
      yield* this.#trimming(partition, settling)
    })
  }

  /** Trims until what is settled has gone; one at a time. */
  #trimming(partition: number, settling: Settling): Effect.Effect<void> {
    const all = Effect.gen({ self: this }, function* () {
      let trimmed = 0n
      for (let failures = 0; trimmed < settling.settled;) {
        const { settled } = settling
        if (yield* this.#trim(partition, settled, settling)) trimmed = settled
        else yield* Effect.sleep(Math.min(againMs * 2 ** failures++, trimAgainMsMax))
      }
      settling.isTrimming = false
    })
    const begun = Effect.suspend(() => {
      if (settling.isTrimming) return Effect.void
      settling.isTrimming = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(all), this.#scope))
    })
    return Effect.uninterruptible(begun)
  }

  /** Settles the latest position that is wanted, however long that takes. Returns it. */
  #settled(partition: number, settling: Settling): Effect.Effect<Position> {
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const sinceMs = monotonicMs(clock)
      let isTold = false
      for (;;) {
        const position = settling.wanted
        const why = yield* this.#failureOf(this.#place.settle(partition, position))
        if (why === undefined) return position
        if (!isTold && monotonicMs(clock) - sinceMs >= tellUnsettledMs) {
          isTold = true
          yield* warn(
            `${this.#name} cannot settle partition ${partition}, and is tried again; what was sent on from it is sent once more if this process ends, and keeps its room: ${why}`
          )
        }
        yield* Effect.sleep(againMs)
      }
    })
  }

  /** Whether the room was given back. */
  #trim(partition: number, position: Position, settling: Settling): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const why = yield* this.#failureOf(this.#place.trim(partition, position))
      const wasTold = settling.isTrimTold
      settling.isTrimTold = why !== undefined
      if (why === undefined) {
        this.#place.trimmed(partition, position)
        return true
      }
      if (!wasTold)
        yield* warn(
          `${this.#name} does not give back the room of what was sent on from partition ${partition}, and is asked again: ${why}`
        )
      return false
    })
  }

  /** Why it has failed, or has no answer; undefined: it has not. */
  #failureOf(
    asked: Effect.Effect<void, TransportError>,
    answerMs = this.#place.answerMs
  ): Effect.Effect<string | undefined> {
    return Effect.suspend(() => asked).pipe(
      Effect.as(undefined),
      Effect.catch((error) => Effect.succeed(error.message)),
      Effect.catchDefect((defect) => Effect.succeed(String(defect))),
      Effect.timeoutOrElse({ duration: answerMs, orElse: () => Effect.succeed(`no answer within ${answerMs} ms`) })
    )
  }
}
