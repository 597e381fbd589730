/** Looks at disks that legs spill to: what had no answer there, and how often a process was given a spill. */
import { Stream } from "effect"
import { formatEventId } from "../../record/EventId.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Driver } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { ownerSuffix } from "./Disks.ts"
import { unheard, withTransports, withWriters } from "./watchLetters.ts"
import type { World } from "./World.ts"
import { clusterName, sinkOf } from "./worldRoutes.ts"

/** A driver that tells the chronicle so: to be put over one with faults. */
export function watchSpills(driver: Driver, chronicle: Chronicle, disk: number, { streams }: World): Driver {
  const legs = streams.flatMap(({ stream, legs: own }) =>
    own.map((leg) => ({ stream, sink: sinkOf(leg), prefix: `${clusterName(leg.cluster)}.${leg.topic}.` }))
  )
  const watched = withWriters(driver, (writer, topic, nowMs) => {
    const leg = legs.find(({ prefix }) => topic.startsWith(prefix))
    if (leg === undefined) return writer
    return {
      ...writer,
      send: (partition, batch, from, to, timeoutMs, answer) => {
        const sentAtMs = nowMs()
        writer.send(partition, batch, from, to, timeoutMs, (runs) => {
          for (const headers of unheard(batch, runs, nowMs() - sentAtMs >= timeoutMs)) {
            const { id } = readMeta(headers, leg.stream)
            chronicle.doubt(`${leg.sink}.spill ${id === undefined ? "no id" : formatEventId(id)}`)
          }
          answer(runs)
        })
      }
    }
  })
  return withTransports(watched, (transport) => ({
    ...transport,
    subscribe: (asked) => {
      const leg = asked.topic.endsWith(ownerSuffix)
        ? legs.find(({ prefix }) => asked.topic.startsWith(prefix))
        : undefined
      if (leg === undefined) return transport.subscribe(asked)
      return Stream.map(transport.subscribe(asked), (lane) => {
        const name = `${disk} ${leg.sink}`
        chronicle.owners.set(name, (chronicle.owners.get(name) ?? 0) + 1)
        return lane
      })
    }
  }))
}
