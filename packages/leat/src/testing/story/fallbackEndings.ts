/** How a story ends with its fallbacks: every partition goes back, and what is to be sent on is. */
import { Effect } from "effect"
import { fallbackGroup } from "../../publish/fallback/openFallback.ts"
import { within } from "./endings.ts"
import { fallbackPlaces } from "./fallbackPlaces.ts"
import { haveAllLegs } from "./mirrorEndings.ts"
import { type Party, resumeAll } from "./party.ts"
import { openTeller } from "./processes.ts"

/** Time between two looks, in milliseconds. */
const lookMs = 100

/** Waits until nothing goes to a fallback any more, and nothing waits there; where nobody is left, a process is begun for it. */
export const emptyFallbacks = Effect.fnUntraced(function* (party: Party) {
  const { tellers, world, stages } = party
  const falling = world.streams.flatMap(({ legs }, stream) =>
    legs.flatMap((leg) => (leg.fallback === undefined ? [] : [{ leg, stream }]))
  )
  if (falling.length === 0) return
  if (tellers.every(({ isClosing }) => isClosing)) yield* openTeller(party, 0)
  for (const teller of tellers) if (!teller.isClosing) for (const { stream } of falling) yield* teller.stream(stream)
  yield* haveAllLegs(party)
  const transports = yield* Effect.forEach(stages, ({ reader }) => reader)
  const isEmpty = Effect.gen(function* () {
    yield* resumeAll(party)
    for (const { leg } of falling) {
      for (const place of leg.fallback?.back === "redrive" ? yield* fallbackPlaces(leg, transports) : []) {
        const bounds = yield* transports[place.cluster]?.bounds(place.topic, fallbackGroup) ?? Effect.succeed([])
        if (bounds.some(({ start, end, settled = start }) => settled < end)) return false
      }
    }
    return tellers.every(
      ({ isClosing, leat }) =>
        isClosing || leat.sinks().every(({ fallback }) => (fallback?.partitions.length ?? 0) === 0)
    )
  })
  yield* within(party, "a fallback", Effect.repeat(Effect.delay(isEmpty, lookMs), { until: (empty) => empty }))
})
