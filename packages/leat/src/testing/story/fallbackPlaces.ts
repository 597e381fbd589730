/** The topics of fallbacks: where they are, and what groups read of them. */
import { Effect } from "effect"
import type { Transport, TransportError } from "../../transport/index.ts"
import type { World, WorldGroup, WorldLeg } from "./World.ts"
import { fallbackClusters, isFallbackOf } from "./worldRoutes.ts"

/** A topic of a cluster, given by its index. */
export interface PlaceOfTopic {
  readonly cluster: number
  readonly topic: string
}

/** The fallbacks of a leg, as far as they are there: their topics have the number of partitions in their name. */
export function fallbackPlaces(
  leg: WorldLeg | undefined,
  transports: ReadonlyArray<Transport>
): Effect.Effect<ReadonlyArray<PlaceOfTopic>, TransportError> {
  if (leg === undefined) return Effect.succeed([])
  const found = fallbackClusters(leg).map((cluster) => {
    const topics = transports[cluster]?.topics ?? Effect.succeed([])
    return Effect.map(topics, (names) => {
      const topic = names.find((name) => isFallbackOf(leg, cluster, name))
      return topic === undefined ? [] : [{ cluster, topic }]
    })
  })
  return Effect.map(Effect.all(found), (places) => places.flat())
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
  return Effect.map(fallbackPlaces(leg, transports), (found) => [leg, ...found])
}
