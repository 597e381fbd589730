/** The clocks of this driver; nothing else here asks for the time. */
import { clockName } from "./clockName.ts"

/**
 * Milliseconds of the monotonic clock, the same in all threads of a process: what deadlines and waiting are measured by. `performance`
 * begins anew in each thread, and the wall clock may be set at any moment.
 */
export const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000_000n)

/** Milliseconds of the wall clock: the time that rows bear for a person, never a measure of how long something took. */
export const wallMs = (): number => Date.now()

/** What ages are reckoned by. */
export interface ClockSource {
  /** Of the monotonic clock: `clockName`. */
  readonly name: string | undefined
  readonly monotonicMs: () => number
  readonly wallMs: () => number
}

export const machineClock: ClockSource = { name: clockName, monotonicMs, wallMs }
