/** Opens the spill of a sink: a topic with as many partitions as the destination has, in the cluster that the leg names. */
import { Effect, type Scope } from "effect"
import type { Leg } from "../../routes/Route.ts"
import { contained } from "../../transport/contained.ts"
import { everything } from "../../transport/everything.ts"
import { type TopicStatus, type Transport, TransportError } from "../../transport/index.ts"
import type { SpillPlace } from "./Spill.ts"

type Difference = Extract<TopicStatus, { readonly status: "differs" }>["differences"][number]

/** What the names of spills end with. */
const spillSuffix = ".spill"

/**
 * The partitions stand in the name: a key keeps its partition there as long as the destination has as many. No two destinations come to one
 * name, or each would send to its own topic what the other has left there: the name of the cluster has no dot.
 *
 * @example
 * ```ts
 * spillTopic({ cluster: "kafka", topic: "risk.beacons.sighting" }, 8) // "kafka.risk.beacons.sighting.8.spill"
 * spillTopic({ cluster: "kafka.eu", topic: "orders" }, 8) // "kafka_2eeu.orders.8.spill"
 * ```
 */
export function spillTopic(leg: Pick<Leg, "cluster" | "topic">, partitions: number): string {
  return `${spillPrefix(leg)}${partitions}${spillSuffix}`
}

function spillPrefix({ cluster, topic }: Pick<Leg, "cluster" | "topic">): string {
  return `${cluster.replaceAll(/_(?=2e|5f)/g, "_5f").replaceAll(".", "_2e")}.${topic}.`
}

/** Of how many partitions the spills of a destination are that are there; empty where the disk cannot tell. */
export function spilledPartitions(
  { topics }: Transport,
  leg: Pick<Leg, "cluster" | "topic">
): Effect.Effect<ReadonlyArray<number>, TransportError> {
  if (topics === undefined) return Effect.succeed([])
  const prefix = spillPrefix(leg)
  return Effect.map(topics, (all) =>
    all.flatMap((topic) => {
      const isOne = topic.startsWith(prefix) && topic.endsWith(spillSuffix)
      const count = isOne ? topic.slice(prefix.length, -spillSuffix.length) : ""
      return /^[1-9][0-9]{0,5}$/.test(count) ? [Number(count)] : []
    })
  )
}

export function openSpill(
  transport: Transport,
  leg: Leg,
  partitions: number,
  latest: () => Leg
): Effect.Effect<SpillPlace, TransportError, Scope.Scope> {
  return Effect.gen(function* () {
    const topic = spillTopic(leg, partitions)
    if (transport.trim === undefined) {
      const detail = `${leg.spill?.cluster} cannot trim a topic, so what was sent on from a spill would stay there for ever; name another cluster`
      return yield* refused(transport, "trim", detail)
    }
    const kept = yield* transport.ensure({ topic, partitions, retention: everything })
    const faults = kept.status === "differs" ? kept.differences.filter(({ property }) => property !== "partitions") : []
    if (faults.length > 0) return yield* refused(transport, "ensure", whyDeletes(topic, leg, faults))
    const writer = yield* contained(transport.openWriter(topic), topic)
    if (writer.partitions !== partitions) {
      const detail = `topic ${topic} has ${writer.partitions} partitions, and a spill of ${leg.sink} has ${partitions}`
      return yield* refused(transport, "openWriter", detail)
    }
    return { transport, topic, writer, bytesMax: () => latest().spill?.bytesMax ?? 0 }
  })
}

/** Why a topic that is there already is no spill. */
function whyDeletes(topic: string, { spill }: Leg, faults: ReadonlyArray<Difference>): string {
  const found = faults.map(({ property, found: has }) => `${property}: ${has}`).join(", ")
  return `topic ${topic} of ${spill?.cluster} may delete what was not sent on yet (${found}), and a spill keeps everything: take the retention out of the section of that cluster, or name another cluster`
}

function refused(transport: Transport, operation: string, detail: string): TransportError {
  return new TransportError({ reason: "Unsupported", transport: transport.name, operation, detail })
}
