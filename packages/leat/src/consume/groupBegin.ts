import { Cause, Effect, Exit } from "effect"
import type { Placement } from "../control/Placement.ts"
import { isKnownIn } from "./GroupBefore.ts"
import { topicOf } from "./SettledPositions.ts"
import type { TopicPlace } from "./PlaceEpochs.ts"
import type { Whereabouts } from "./Whereabouts.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import { type From, TransportError } from "../transport/index.ts"

/** How long an answer is waited for, and how long after one that failed it is asked again: the first time, and at most, in milliseconds. */
const answerMs = 30_000
const againMs = 1000
const againMsMax = 30_000

interface BeginParts {
  readonly group: string
  readonly settings: SubscriptionSettings
  readonly whereabouts: Whereabouts | undefined
}

/**
 * Where a group begins in a place of a stream that was moved before it reads, in partitions in which it has settled nothing. One that has read an earlier epoch
 * reads all of a later one. A new one begins where its settings say: an end or a time is one in each place, a position one of the newest that is open.
 */
export function groupBegin(
  { epochs }: Placement,
  topic: string,
  { group, settings: { from }, whereabouts }: BeginParts
): Effect.Effect<From> {
  const index = epochs.findIndex(({ place, phase }) => topicOf(place) === topic && phase !== "retired")
  const isOld = epochs.some(({ handedOver }) => handedOver.has(group))
  if (from === "earliest" || epochs[index]?.begin === undefined || (index > 0 && isOld))
    return Effect.succeed("earliest")
  const newest = epochs.findLast(({ begin }) => begin !== undefined)
  const isElsewhere = typeof from === "object" && "position" in from && newest && topicOf(newest.place) !== topic
  const begin = isElsewhere === true ? "latest" : from
  const before = index === 0 ? [] : epochs.slice(0, index + 1).filter(({ phase }) => phase !== "retired")
  const places = new Map(before.map(({ place }) => [topicOf(place), place]))
  return Effect.gen(function* () {
    for (const place of places.values()) if (yield* hasSettled(place, group, whereabouts)) return "earliest"
    return begin
  })
}

/** Whether the group has begun in a place. Asked until it is known: where it is not, nothing may begin that could pass over events. */
function hasSettled(
  { cluster, topic }: TopicPlace,
  group: string,
  whereabouts: Whereabouts | undefined,
  pauseMs = againMs
): Effect.Effect<boolean> {
  if (whereabouts === undefined) return Effect.succeed(false)
  return Effect.flatMap(whereabouts.transportOf(cluster), (transport) => isKnownIn(transport, topic, group)).pipe(
    Effect.scoped,
    Effect.timeout(answerMs),
    Effect.exit,
    Effect.flatMap((exit) => {
      if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
      const error = Cause.squash(exit.cause)
      if (error instanceof TransportError && error.reason === "UnknownTopic") return Effect.succeed(false)
      const why = error instanceof TransportError ? error.message : textOfThrown(error)
      const text = `it is not known whether the group ${group} has read ${cluster}/${topic}, and later places wait for that: ${why}`
      return Telemetry.warn(text).pipe(
        Effect.andThen(Effect.sleep(pauseMs)),
        Effect.andThen(
          Effect.suspend(() => hasSettled({ cluster, topic }, group, whereabouts, Math.min(pauseMs * 2, againMsMax)))
        )
      )
    })
  )
}
