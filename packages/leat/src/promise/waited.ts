import { Cause, Effect, Exit } from "effect"
import { RouteError, type RouteFault } from "../routes/Routes.ts"
import { meant } from "../given/nearest.ts"
import type { Logging } from "./logging.ts"
import { optionsFault } from "./optionsFault.ts"
import { untilAborted } from "./untilAborted.ts"

/** How long `flush` and `caughtUp` wait. */
export interface WaitOptions {
  /** Gives up waiting: the promise rejects with the reason of the signal, and nothing else changes. */
  readonly signal?: AbortSignal | undefined
}

/** A promise for an effect that may wait for long. Rejects as the effect fails, and with the reason of the signal. */
export function waited<A, E>(logging: Logging, effect: Effect.Effect<A, E>, options: WaitOptions = {}): Promise<A> {
  const wrong = optionsFault(options, nameFault)
  if (wrong !== undefined) return Promise.reject(new RouteError({ faults: [wrong] }))
  return untilAborted(
    options,
    (resolve, reject) => {
      const fiber = Effect.runFork(logging(effect))
      fiber.addObserver((exit) => (Exit.isSuccess(exit) ? resolve(exit.value) : reject(Cause.squash(exit.cause))))
      return { giveUp: () => fiber.interruptUnsafe() }
    },
    (_, reason) => reason
  )
}

const names: ReadonlyArray<string> = ["signal"]

/** Whoever misspells the bound of a wait would wait without one. */
function nameFault(options: WaitOptions): RouteFault | undefined {
  const path = Object.keys(options).find((name) => !names.includes(name))
  if (path === undefined) return undefined
  const message = `is no option of a wait, which has signal, as { signal: AbortSignal.timeout(500) }${meant(path, names)}`
  return { path, message }
}
