/** A driver's fence, with an end: what it fails with, dies of or does not say in time is why it has not fenced. */
import { Cause, Effect } from "effect"
import { TransportError, type Writer } from "../transport/index.ts"
import * as Telemetry from "../Telemetry.ts"

/** Why a fence has not returned. */
export interface FenceFailure {
  readonly tag: string
  readonly detail: string
}

/** How long a driver that is interrupted may take to end its fence before that is told, in milliseconds. */
const tellMs = 10_000

/** Asks for the fence; undefined when it returned. What cannot be interrupted is waited for, and that is told once. */
export function boundedFence(
  writer: Writer,
  partition: number,
  sink: string,
  timeoutMs: number
): Effect.Effect<FenceFailure | undefined> {
  const late = { tag: "Timeout", detail: `the driver has not fenced within ${timeoutMs} ms` }
  const fenced = Effect.suspend(() => writer.fence(partition)).pipe(
    Effect.as(undefined),
    Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.succeed(late) }),
    Effect.catchCause((cause) => Effect.succeed(failureOf(cause)))
  )
  const told = Telemetry.warn(
    `the driver has not ended the fence of partition ${partition} of ${sink}, and cannot be interrupted: nothing is sent there until it has`
  )
  // At once: the interruption of a fiber that has not begun can be lost where the scheduler lets it give way at its first step.
  const telling = Effect.forkScoped(Effect.delay(told, timeoutMs + tellMs), { startImmediately: true })
  return Effect.scoped(Effect.andThen(telling, fenced))
}

function failureOf(cause: Cause.Cause<TransportError>): FenceFailure {
  const error = Cause.squash(cause)
  return error instanceof TransportError
    ? { tag: error.reason, detail: error.detail }
    : { tag: "Unknown", detail: String(error) }
}
