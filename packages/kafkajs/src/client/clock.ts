/** The clocks of this driver; nothing else here asks for the time. */

/** Milliseconds of the monotonic clock: deadlines, leases and pauses are measured by it. */
export const monotonicMs = (): number => performance.now()

/** Milliseconds of the wall clock: the time that records and tokens bear, never a measure of how long something took. */
export const wallMs = (): number => Date.now()
