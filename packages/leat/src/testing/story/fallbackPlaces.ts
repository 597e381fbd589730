/** The topics of fallbacks: where they are, and what groups read of them. */
import { Effect } from "effect"
import type { Transport, TransportError } from "../../transport/index.ts"
import type { World, WorldGroup, WorldLeg } from "./World.ts"
import { isFallbackOf } from "./worldRoutes.ts"

/** A topic of a cluster, given by its index. */
export interface PlaceOfTopic {
  readonly cluster: number
  readonly topic: string
}

/** The fallback of a leg, as far as there is one: its topic has the number of partitions in its name. */
export function fallbackPlace(
  leg: WorldLeg | undefined,
  transports: ReadonlyArray<Transport>
): Effect.Effect<PlaceOfTopic | undefined, TransportError> {
  const { cluster = -1 } = leg?.fallback ?? {}
  const topics = transports[cluster]?.topics
  if (leg === undefined || topics === undefined) return Effect.succeed(undefined)
  return Effect.map(topics, (names) => {
    const topic = names.find((name) => isFallbackOf(leg, cluster, name))
    return topic === undefined ? undefined : { cluster, topic }
  })
}

/** What a group reads: the first leg of its stream, and the fallback of that where events stay there. */
export function placesRead(
  { streams }: World,
  { stream }: Pick<WorldGroup, "stream">,
  transports: ReadonlyArray<Transport>
): Effect.Effect<ReadonlyArray<PlaceOfTopic>, TransportError> {
  const [leg] = streams[stream]?.legs ?? []
  if (leg === undefined) return Effect.succeed([])
  if (leg.fallback?.back !== "stay") return Effect.succeed([leg])
  return Effect.map(fallbackPlace(leg, transports), (found) => (found === undefined ? [leg] : [leg, found]))
}
