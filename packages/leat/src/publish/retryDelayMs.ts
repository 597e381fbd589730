/** Attempts that may follow one another without a delay, when the policy asks for none. */
const promptAttempts = 3

/** The least delay from then on, in milliseconds. */
const delayMinMs = 10

/** How long to wait before the next attempt: a policy without a delay must not keep the thread busy while a cluster is down. */
export function retryDelayMs(wantedMs: number, attempts: number): number {
  return attempts > promptAttempts ? Math.max(wantedMs, delayMinMs) : wantedMs
}
