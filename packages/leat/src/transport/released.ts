/** Gives a lane back. A driver may not end it: its partition is given to others all the same, once this process is gone. */
import { Effect } from "effect"
import { warn } from "../Telemetry.ts"
import { endWithin } from "./endWithin.ts"
import type { Lane } from "./index.ts"

/** How long the driver is waited for, in milliseconds. */
const releaseMs = 30_000

/** `what` names the topic and the group, for a person. */
export function released(lane: Pick<Lane, "partition" | "release">, what: string) {
  return Effect.gen(function* () {
    const exit = yield* endWithin(
      Effect.suspend(() => lane.release),
      releaseMs
    )
    if (exit !== undefined) return yield* exit
    yield* warn(
      `the driver has not taken back partition ${lane.partition} of ${what} within ${releaseMs} ms, and is not waited for any longer`
    )
  })
}
