/** What is asked of the disk of a spill: each question has a time-out, and those that have to be answered are asked until they are. */
import { Cause, Effect } from "effect"
import { warn } from "../../Telemetry.ts"
import { TransportError } from "../../transport/index.ts"
import type { Spill, SpillPlace } from "./Spill.ts"

/** Pause before something of the spill is asked for again, in milliseconds. */
export const againMs = 1000

/** How long something that is asked of the spill may take before it is asked anew, in milliseconds. */
export const answerMs = 30_000

/** Asks until there is an answer; says once why there is none, and shows it as long as that lasts. */
export function asked<A>(effect: Effect.Effect<A, TransportError>, spill: Spill): Effect.Effect<A> {
  let isTold = false
  const once: Effect.Effect<A> = effect.pipe(
    Effect.tap(() => Effect.sync(() => (spill.why = undefined))),
    Effect.catchCause((cause) => {
      const why = textOf(cause)
      spill.why = () => `does not answer: ${why}`
      const told = isTold ? Effect.void : warn(`${spill.name} does not answer, and is asked again: ${why}`)
      isTold = true
      return Effect.andThen(
        Effect.andThen(told, Effect.sleep(againMs)),
        Effect.suspend(() => once)
      )
    })
  )
  return once
}

/** What does not answer has failed. */
export function answered<A, E>(
  effect: Effect.Effect<A, E>,
  place: SpillPlace,
  operation: string
): Effect.Effect<A, E | TransportError> {
  return Effect.timeoutOrElse(effect, { duration: answerMs, orElse: () => Effect.fail(lateOf(place, operation)) })
}

export function oddOf({ transport }: SpillPlace): TransportError {
  const detail = "the driver says positions that are none"
  return new TransportError({ reason: "Unknown", transport: transport.name, operation: "bounds", detail })
}

export function lateOf({ transport }: SpillPlace, operation: string): TransportError {
  const detail = `no answer within ${answerMs} ms`
  return new TransportError({ reason: "Timeout", transport: transport.name, operation, detail })
}

export function errorOf({ transport }: SpillPlace, operation: string, cause: Cause.Cause<unknown>): TransportError {
  const error = Cause.squash(cause)
  if (error instanceof TransportError) return error
  return new TransportError({ reason: "Unknown", transport: transport.name, operation, detail: String(error) })
}

export function textOf(cause: Cause.Cause<unknown>): string {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

export function reasonOf(cause: Cause.Cause<unknown>): string | undefined {
  const error = Cause.squash(cause)
  return error instanceof TransportError ? error.reason : undefined
}
