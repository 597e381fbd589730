/** Opens the spill of a sink: a topic with as many partitions as the destination has, in the cluster that the leg names. */
import { Effect, type Scope } from "effect"
import type { Leg } from "../../routes/Route.ts"
import { contained } from "../../transport/contained.ts"
import { type Transport, TransportError } from "../../transport/index.ts"
import type { SpillPlace } from "./Spill.ts"

/** What the names of spills end with. */
const spillSuffix = ".spill"

/**
 * The partitions stand in the name: a key keeps its partition there as long as the destination has as many.
 *
 * @example
 * ```ts
 * spillTopic({ cluster: "kafka", topic: "risk.beacons.sighting" }, 8) // "kafka.risk.beacons.sighting.8.spill"
 * ```
 */
function spillTopic({ cluster, topic }: Pick<Leg, "cluster" | "topic">, partitions: number): string {
  return `${cluster}.${topic}.${partitions}${spillSuffix}`
}

export function openSpill(
  transport: Transport,
  leg: Leg,
  partitions: number,
  latest: () => Leg
): Effect.Effect<SpillPlace, TransportError, Scope.Scope> {
  return Effect.gen(function* () {
    const topic = spillTopic(leg, partitions)
    yield* transport.ensure({ topic, partitions })
    const writer = yield* contained(transport.openWriter(topic), topic)
    if (writer.partitions !== partitions) {
      const detail = `topic ${topic} has ${writer.partitions} partitions, and a spill of ${leg.sink} has ${partitions}`
      return yield* new TransportError({
        reason: "Unsupported",
        transport: transport.name,
        operation: "openWriter",
        detail
      })
    }
    return { transport, topic, writer, bytesMax: () => latest().spill?.bytesMax ?? 0 }
  })
}
