/** Looks at fallbacks: what is stored there, what had no answer, and how often a lane was given to a process that sends on. */
import { Stream } from "effect"
import { fallbackGroup } from "../../publish/fallback/openFallback.ts"
import { formatEventId } from "../../record/EventId.ts"
import type { Header } from "../../record/Headers.ts"
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
    const sink = sinkOf(found.leg)
    const idIn = (headers: ReadonlyArray<Header>) => {
      const { id } = readMeta(headers, found.stream)
      return id === undefined ? "no id" : formatEventId(id)
    }
    return {
      ...writer,
      send: (partition, batch, from, to, timeoutMs, answer) => {
        const sentAtMs = nowMs()
        writer.send(partition, batch, from, to, timeoutMs, (runs) => {
          const isLate = nowMs() - sentAtMs >= timeoutMs
          for (const headers of unheard(batch, runs, isLate)) chronicle.doubt(`${sink}.fallback ${idIn(headers)}`)
          // Before it is answered: a process that crashes does not hear it, and the record may be sent on and trimmed before the story ends.
          for (const run of runs)
            if (run.fate === "stored")
              for (let index = run.from; index < run.to; index++)
                chronicle.storedInFallback.add(`${sink} ${idIn(batch.headers(index))}`)
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
