/** Failures of a coordinator that pass, and the pause before the next try. */
import type { TransportError } from "leat/transport"

/** Pause before a try that follows a failure, in milliseconds. */
export const againMs = 100

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** True for a transient failure: connections break, coordinators move and load. */
export function passes({ reason }: TransportError): boolean {
  return reason === "Unavailable" || reason === "Disconnected" || reason === "Timeout" || reason === "Throttled"
}
