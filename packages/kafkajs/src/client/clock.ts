/** The clocks of this driver; no other file here reads the time. */

/** Milliseconds of the monotonic clock, for deadlines, leases and pauses. */
export const monotonicMs = (): number => performance.now()

/** Milliseconds of the wall clock, for timestamps of records and tokens. Never for durations. */
export const wallMs = (): number => Date.now()
