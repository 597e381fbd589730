import { setTimeout as sleep } from "node:timers/promises"

/** Length of a burst, in milliseconds. */
const everyMs = 5

/** Calls `burst` every few milliseconds with how many events are due, for so long; a late one is made up for by its size. */
export async function steadily(perSecond: number, seconds: number, burst: (events: number) => void): Promise<void> {
  const startMs = performance.now()
  let given = 0
  for (;;) {
    const elapsedMs = performance.now() - startMs
    if (elapsedMs >= seconds * 1000) return
    const due = Math.floor((elapsedMs / 1000) * perSecond) - given
    if (due > 0) burst(due)
    given += due
    await sleep(everyMs)
  }
}
