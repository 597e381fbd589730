import { Clock, Context, Effect } from "effect"

const realClock = Context.get(Context.empty(), Clock.Clock)

/** The longest time that a timer can have, in milliseconds. */
const timerMsMax = 2 ** 31 - 1

/**
 * Sleeps until the next look at something that changes rarely, without keeping the process: a timer that only looks now and then is no work, and a
 * program that has nothing else to do has ended. By any other clock than the real one it is a sleep like others.
 */
export function idleSleep(ms: number): Effect.Effect<void> {
  return Effect.clockWith((clock) => (isRealTime(clock) ? unheld(ms) : Effect.sleep(Math.max(0, ms))))
}

/** Whether time passes by itself: a test may have a clock of its own. */
export function isRealTime(clock: Clock.Clock): boolean {
  return clock === realClock
}

function unheld(ms: number): Effect.Effect<void> {
  return Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), Math.min(Math.max(0, ms), timerMsMax))
    timer.unref()
    return Effect.sync(() => clearTimeout(timer))
  })
}
