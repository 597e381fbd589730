/**
 * Warns of clusters and topics that do not open while they are tried again and again: soon after the first failure, then ever more rarely.
 * A fault that passes at once, as of a broker that starts, is not worth a word.
 */
import { Clock, type Context, Effect, Exit, type Fiber } from "effect"
import * as Telemetry from "../Telemetry.ts"
import { monotonicMs } from "../Wake.ts"

/** From the first failure to the first warning, in milliseconds. */
const patienceMs = 2000
/** How long a driver may say nothing at all before that counts as a failure, in milliseconds: a large log takes its time. */
const silenceMs = 8000
const silent = "its driver has given no answer"
/** From one warning to the next one of the same thing, in milliseconds; twice as long each time. */
const pauseMsMin = 10_000
const pauseMsMax = 600_000

/** As a cluster is called there. */
export const openingName = (cluster: string): string => `the cluster ${cluster}`

interface Warned {
  readonly nextMs: number
  readonly pauseMs: number
}

export class OpeningWatch {
  /** By name: what was warned of and has not been open since. */
  readonly #warned = new Map<string, Warned>()
  /** By name: why what is being opened has failed last. */
  readonly #whys = new Map<string, string>()

  /** Why something that is being opened is not open yet; undefined: nobody knows, or it is not being opened. */
  why(what: string): string | undefined {
    return this.#whys.get(what)
  }

  /** Whether it was warned of, and has not been open since. */
  hasWarned(what: string): boolean {
    return this.#warned.has(what)
  }

  /** Runs an effect that opens something; it calls `failed` with the reason for each try that failed. */
  during<A, E, R>(
    what: string,
    open: (failed: (why: string) => void) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.contextWith((context: Context.Context<R>) => {
      const last = { why: "", times: 0 }
      let warning: Fiber.Fiber<never> | undefined
      let isOver = false
      const failed = (why: string) => {
        last.why = why
        last.times++
        if (isOver) return
        this.#whys.set(what, why)
        warning ??= Effect.runForkWith(context)(this.#warn(what, last))
      }
      const silence = Effect.delay(
        Effect.sync(() => {
          if (last.why === "") failed(silent)
        }),
        silenceMs
      )
      // At once: see `boundedFence`.
      return Effect.flatMap(Effect.forkChild(silence, { startImmediately: true }), (listening) =>
        Effect.onExit(open(failed), (exit) =>
          Effect.sync(() => {
            isOver = true
            this.#whys.delete(what)
            listening.interruptUnsafe()
            warning?.interruptUnsafe()
            if (Exit.isSuccess(exit)) this.#warned.delete(what)
          })
        )
      )
    })
  }

  #warn(what: string, last: { readonly why: string; readonly times: number }): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      let toldTimes = 0
      const clock = yield* Clock.Clock
      yield* Effect.sleep(patienceMs)
      for (;;) {
        const nowMs = monotonicMs(clock)
        const { nextMs, pauseMs } = this.#warned.get(what) ?? { nextMs: nowMs, pauseMs: pauseMsMin }
        if (nextMs > nowMs) {
          yield* Effect.sleep(nextMs - nowMs)
        } else {
          this.#warned.set(what, { nextMs: nowMs + pauseMs, pauseMs: Math.min(pauseMs * 2, pauseMsMax) })
          const said = last.why === silent ? `: ${silent}` : `, and is tried again: ${last.why}`
          // From one warning to the next it is long enough.
          const isSilent = last.why !== silent && last.times === toldTimes
          toldTimes = last.times
          yield* Telemetry.warn(`${what} is not open yet${said}${isSilent ? `; since then ${silent}` : ""}`)
        }
      }
    })
  }
}
