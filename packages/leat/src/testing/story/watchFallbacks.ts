/** Looks at fallbacks: what had no answer there, and how often a lane was given to a process that sends on. */
import { Stream } from "effect"
import { fallbackGroup } from "../../publish/fallback/openFallback.ts"
import { formatEventId } from "../../record/EventId.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Driver } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { unheard, withTransports, withWriters } from "./watchLetters.ts"
import type { World } from "./World.ts"
import { isFallbackOf, sinkOf } from "./worldRoutes.ts"

/** A driver of a cluster that tells the chronicle so: to be put over one with faults. */
export function watchFallbacks(driver: Driver, chronicle: Chronicle, cluster: number, { streams }: World): Driver {
  const all = streams.flatMap(({ stream, legs }) => legs.map((leg) => ({ leg, stream })))
  const find = (topic: string) => all.find(({ leg }) => isFallbackOf(leg, cluster, topic))
  const watched = withWriters(driver, (writer, topic, nowMs) => {
    const found = find(topic)
    if (found === undefined) return writer
    return {
      ...writer,
      send: (partition, batch, from, to, timeoutMs, answer) => {
        const sentAtMs = nowMs()
        writer.send(partition, batch, from, to, timeoutMs, (runs) => {
          for (const headers of unheard(batch, runs, nowMs() - sentAtMs >= timeoutMs)) {
            const { id } = readMeta(headers, found.stream)
            chronicle.doubt(`${sinkOf(found.leg)}.fallback ${id === undefined ? "no id" : formatEventId(id)}`)
          }
          answer(runs)
        })
      }
    }
  })
  return withTransports(watched, (transport) => ({
    ...transport,
    subscribe: (asked) => {
      const found = asked.group === fallbackGroup ? find(asked.topic) : undefined
      const fact = found && chronicle.fallbacks.get(sinkOf(found.leg))
      if (fact === undefined) return transport.subscribe(asked)
      return Stream.map(transport.subscribe(asked), (lane) => {
        fact.given++
        return lane
      })
    }
  }))
}
