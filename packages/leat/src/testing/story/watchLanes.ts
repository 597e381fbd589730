/** Looks at the lanes of a process: which sends failed last, and where each lane that it reads is. */
import { Effect, Stream } from "effect"
import type { Driver, Lane } from "../../transport/index.ts"
import type { HeldByProcess, SeenAtDrivers } from "./statesOf.ts"
import { withTransports, withWriters } from "./watchLetters.ts"

/** A driver that keeps `seen`: to be put over one with faults. */
export function watchLanes(driver: Driver, cluster: string, { failing, lanes }: SeenAtDrivers): Driver {
  const watched = withWriters(driver, (writer, topic) => ({
    ...writer,
    send: (partition, batch, from, to, timeoutMs, answer) =>
      writer.send(partition, batch, from, to, timeoutMs, (runs) => {
        const place = `${cluster}/${topic}/${partition}`
        if (runs.every(({ fate }) => fate === "stored")) failing.delete(place)
        else failing.add(place)
        answer(runs)
      })
  }))
  return withTransports(watched, (transport) => ({
    ...transport,
    subscribe: (asked) =>
      Stream.map(transport.subscribe(asked), (lane) => {
        const { id, partition } = lane
        const held = { group: asked.group, topic: asked.topic, partition, id, isFresh: true, isDraining: false }
        lanes.add(held)
        return laneOf(lane, held, lanes)
      })
  }))
}

function laneOf(lane: Lane, held: HeldByProcess, lanes: Set<HeldByProcess>): Lane {
  const takenBack = Effect.sync(() => {
    held.isDraining = true
  })
  const settled = Effect.sync(() => {
    held.isFresh = false
  })
  return {
    ...lane,
    batches: Stream.onEnd(lane.batches, takenBack),
    revoked: Effect.andThen(lane.revoked, takenBack),
    settle: (position) => Effect.andThen(lane.settle(position), settled),
    release: Effect.ensuring(
      lane.release,
      Effect.sync(() => lanes.delete(held))
    )
  }
}
