/** Deletes from an inbox what is older than its horizon, for as long as a subscription runs. */
import { Clock, Effect } from "effect"
import { effectTrouble } from "../given/effectTrouble.ts"
import { idleSleep } from "../idleSleep.ts"
import type { Inbox } from "./Inbox.ts"
import * as Telemetry from "../Telemetry.ts"

/** Horizon of an inbox that does not say one, in milliseconds. */
const horizonMsDefault = 7 * 86_400_000

/** The longest time between two deletions, in milliseconds; of a short horizon it is a tenth. */
const everyMsMax = 3_600_000

/**
 * Until it is interrupted. What fails is done later: an id that is remembered for too long does no harm. `waitsMs`: how long a record may wait in all
 * retry topics of the group together; of two copies one may be handled when it has passed none, and the other when it has passed all.
 */
export function forgetIds(inbox: Inbox, group: string, stream: string, waitsMs: () => number): Effect.Effect<never> {
  const horizonMs = inbox.horizonMs ?? horizonMsDefault
  let isTold = false
  const left = Telemetry.warn(
    `the forget of the inbox of the group ${group} of ${stream} did not end within 5 seconds after it was interrupted, and is not waited for any longer; it may still run`
  )
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const why = yield* effectTrouble(
      "forget of the inbox",
      () => inbox.forget({ group, beforeMs: nowMs - horizonMs - waitsMs() }),
      left
    )
    if (why !== undefined && !isTold)
      yield* Telemetry.warn(
        `the inbox of the group ${group} of ${stream} cannot delete what is older than its horizon, and grows: ${why}`
      )
    isTold = why !== undefined
    yield* idleSleep(Math.min(horizonMs / 10, everyMsMax))
  }).pipe(Effect.forever)
}
