/** How a story ends with legs that come and go: the last table has all of them, because what their spills and fallbacks hold is sent on by who has them. */
import { Effect, Schedule } from "effect"
import type { Party } from "./party.ts"
import { sinksIn, worldRoutes } from "./worldRoutes.ts"

/** Above those of all tables before. */
const lastVersion = 1_000_000

/** Time between two tries, in milliseconds, and how many there are. */
const lookMs = 500
const looksMax = 200

export const haveAllLegs = Effect.fnUntraced(function* ({ stages, world, tellers, chronicle }: Party) {
  const legs = world.streams.flatMap((stream) => stream.legs)
  if (legs.every(({ isIn }) => isIn === undefined)) return
  for (const { isClosing, index, leat } of tellers) {
    if (isClosing) continue
    const version = Math.max(lastVersion, leat.routes().version + 1)
    chronicle.table(index, undefined)
    // A cluster that is still going over to another client takes no section yet.
    const again = { schedule: Schedule.spaced(lookMs), times: looksMax }
    yield* Effect.retry(leat.swapRoutes(worldRoutes(stages, world, version, true)), again).pipe(
      Effect.match({
        onSuccess: () => chronicle.table(index, sinksIn(world, version, true)),
        onFailure: ({ message }) => chronicle.notice("toldWrongly", `the last table is refused: ${message}`)
      })
    )
  }
})
