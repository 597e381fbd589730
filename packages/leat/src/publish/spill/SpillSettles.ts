/**
 * What was sent on is settled in the spill, beside the sending: one settle of a partition at a time, and always the latest position. What a
 * settle is for is known in memory, so a disk that does not answer it keeps nobody waiting; it costs copies, if this process dies meanwhile.
 */
import { Clock, Deferred, Effect, type Scope } from "effect"
import { warn } from "../../Telemetry.ts"
import type { Position, TransportError } from "../../transport/index.ts"
import { monotonicMs } from "../../Wake.ts"

/** How long whoever sends on waits for a settle, in milliseconds: with that little is sent twice after a crash, and nothing stands for long. */
const patienceMs = 500

/** Pause before a settle is begun anew, in milliseconds. */
const againMs = 1000

/** How long nothing may be settled until that is told, in milliseconds. */
const tellUnsettledMs = 10_000

/** What settles ask of the spill. */
export interface SettledSpill {
  /** How long an answer is waited for, in milliseconds. */
  readonly answerMs: number
  readonly settle: (partition: number, position: Position) => Effect.Effect<void, TransportError>
  readonly trim: (partition: number, position: Position) => Effect.Effect<void, TransportError>
}

/** Of one partition. */
interface Settling {
  wanted: Position
  settled: Position
  /** Completes when what is wanted is settled; undefined: it is. */
  running: Deferred.Deferred<void> | undefined
  /** Whether the last one has taken longer than anybody waits. */
  isLate: boolean
  /** Whether it was told that its room is not given back. */
  isTrimTold: boolean
}

export class SpillSettles {
  readonly #name: string
  readonly #scope: Scope.Scope
  readonly #spill: SettledSpill
  readonly #settlings = new Map<number, Settling>()

  /** `name`: of the spill, for warnings. Nothing is settled any more when the scope ends. */
  constructor(name: string, scope: Scope.Scope, spill: SettledSpill) {
    this.#name = name
    this.#scope = scope
    this.#spill = spill
  }

  /** Completes when everything before the position is settled, or after half a second; at once while that was too short. */
  settle(partition: number, position: Position): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const settling = this.#of(partition)
      if (position > settling.wanted) settling.wanted = position
      if (settling.wanted === settling.settled) return
      let { running } = settling
      if (running === undefined) {
        running = Deferred.makeUnsafe<void>()
        settling.running = running
        yield* Effect.forkIn(this.#run(partition, settling), this.#scope)
      }
      if (settling.isLate) return
      const late = Effect.andThen(Effect.sleep(patienceMs), () => {
        settling.isLate = true
        return Effect.void
      })
      yield* Effect.raceFirst(Deferred.await(running), late)
    })
  }

  #of(partition: number): Settling {
    const found = this.#settlings.get(partition)
    if (found !== undefined) return found
    const made: Settling = { wanted: 0n, settled: 0n, running: undefined, isLate: false, isTrimTold: false }
    this.#settlings.set(partition, made)
    return made
  }

  #run(partition: number, settling: Settling): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (settling.settled < settling.wanted) {
        settling.settled = yield* this.#settled(partition, settling)
        settling.isLate = false
      }
      const { running } = settling
      settling.running = undefined
      if (running !== undefined) yield* Deferred.succeed(running, undefined)
      // Whoever waited goes on: nobody is in a hurry for the room.
      yield* this.#trim(partition, settling.settled, settling)
    })
  }

  /** Settles the latest position that is wanted, however long that takes. Returns it. */
  #settled(partition: number, settling: Settling): Effect.Effect<Position> {
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const sinceMs = monotonicMs(clock)
      let isTold = false
      for (;;) {
        const position = settling.wanted
        const why = yield* this.#failureOf(this.#spill.settle(partition, position))
        if (why === undefined) return position
        if (!isTold && monotonicMs(clock) - sinceMs >= tellUnsettledMs) {
          isTold = true
          yield* warn(
            `${this.#name} cannot settle partition ${partition}, and is tried again; what was sent on from it is sent once more if this process ends: ${why}`
          )
        }
        yield* Effect.sleep(againMs)
      }
    })
  }

  /** The next one makes up for what has failed. */
  #trim(partition: number, position: Position, settling: Settling): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const why = yield* this.#failureOf(this.#spill.trim(partition, position))
      const wasTold = settling.isTrimTold
      settling.isTrimTold = why !== undefined
      if (why === undefined || wasTold) return
      yield* warn(
        `${this.#name} does not give back the room of what was sent on from partition ${partition}, and is asked again with the next: ${why}`
      )
    })
  }

  /** Why it has failed, or has no answer; undefined: it has not. */
  #failureOf(asked: Effect.Effect<void, TransportError>): Effect.Effect<string | undefined> {
    const { answerMs } = this.#spill
    return Effect.suspend(() => asked).pipe(
      Effect.as(undefined),
      Effect.catch((error) => Effect.succeed(error.message)),
      Effect.catchDefect((defect) => Effect.succeed(String(defect))),
      Effect.timeoutOrElse({ duration: answerMs, orElse: () => Effect.succeed(`no answer within ${answerMs} ms`) })
    )
  }
}
