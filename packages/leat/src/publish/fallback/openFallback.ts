/** Opens a fallback of a sink: a topic with as many partitions as the destination has, in a cluster that the leg names. */
import { Effect, type Scope } from "effect"
import { fallbackPartitions, fallbackTopic } from "../../record/fallbackTopic.ts"
import type { Leg } from "../../routes/Route.ts"
import { contained } from "../../transport/contained.ts"
import { everything } from "../../transport/everything.ts"
import { isWhole } from "../sendOn/isWhole.ts"
import { type PartitionBounds, type Transport, TransportError, type Writer } from "../../transport/index.ts"

/** The group whose members send on what stands in fallbacks, and whose settled positions say what was sent on. */
export const fallbackGroup = "leat.fallback"

/** Where a sink falls back to, open. */
export interface FallbackPlace {
  /** Its number in the order in which the places of a leg are tried, from 0. */
  readonly index: number
  /** Name of the cluster in the document. */
  readonly cluster: string
  /** As warnings call it. */
  readonly name: string
  readonly transport: Transport
  /** Of the topic there. */
  readonly topic: string
  /** Opened with as many partitions as the destination has. */
  readonly writer: Writer
  readonly back: "redrive" | "stay"
  /** What is not sent on yet, of each partition; empty where nothing ever is. */
  readonly bounds: ReadonlyArray<PartitionBounds>
}

/** In the order in which they are tried. */
export type FallbackPlaces = readonly [FallbackPlace, ...ReadonlyArray<FallbackPlace>]

/**
 * Whoever cannot trim keeps what its cluster keeps by default: a topic that nothing is ever deleted from fills the disk. Where what waits may be
 * deleted although it could be kept, nothing is opened.
 */
export function openFallback(
  transport: Transport,
  leg: Leg,
  index: number,
  partitions: number
): Effect.Effect<FallbackPlace, TransportError, Scope.Scope> {
  return Effect.gen(function* () {
    const { back = "redrive", clusters = [] } = leg.fallback ?? {}
    const topic = fallbackTopic(leg, partitions)
    const cluster = clusters[index] ?? transport.name
    // One has no need of its cluster to be told from others.
    const name = `the fallback ${clusters.length > 1 ? `${cluster}/` : ""}${topic}`
    const keepsAll = back === "redrive" && transport.trim !== undefined
    const kept = yield* transport.ensure({ topic, partitions, ...(keepsAll ? { retention: everything } : {}) })
    const faults = kept.status === "differs" ? kept.differences : []
    if (faults.length > 0) {
      const found = faults.map(({ property, asked, found: has }) => `${property}: ${has} and not ${asked}`).join(", ")
      const detail = `topic ${topic} of ${cluster} is not as a fallback of ${leg.sink} has to be (${found}); change that topic, or name another cluster`
      return yield* new TransportError({
        reason: "Unsupported",
        transport: transport.name,
        operation: "ensure",
        detail
      })
    }
    const writer = yield* contained(transport.openWriter(topic), topic)
    const bounds = back === "redrive" ? yield* transport.bounds(topic, fallbackGroup) : []
    if (!bounds.every(isWhole)) {
      const detail = "the driver says positions that are none"
      return yield* new TransportError({ reason: "Unknown", transport: transport.name, operation: "bounds", detail })
    }
    return { index, cluster, name, transport, topic, writer, back, bounds }
  })
}

/** Of how many partitions the fallbacks of a destination are that are there; empty where the cluster cannot tell. */
export function fallenPartitions(
  { topics }: Transport,
  leg: Pick<Leg, "cluster" | "topic">
): Effect.Effect<ReadonlyArray<number>, TransportError> {
  if (topics === undefined) return Effect.succeed([])
  return Effect.map(topics, (all) => all.flatMap((topic) => fallbackPartitions(topic, leg) ?? []))
}

/** Behind what was sent on. A group may have settled more of a topic of that name which is gone. */
export function settledOf({ start, settled, end }: PartitionBounds): bigint {
  return settled !== undefined && settled > start && settled <= end ? settled : start
}
