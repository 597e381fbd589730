/** What processes announced of one cluster of a route document, and what was lost with those that are gone: the topics of the cluster tell. */
import type { AnnouncedLedger, CrashLoss } from "@leat/log"
import { Console, Effect, type Scope } from "effect"
import { Audit, type Routes } from "leat"
import type { ChosenCluster } from "../openCluster.ts"
import type { CommandFailure } from "../outcome.ts"

/** The part of the ledgers that is about one cluster. */
export function ofCluster(
  ledgers: ReadonlyArray<AnnouncedLedger>,
  { name, routes }: ChosenCluster
): ReadonlyArray<AnnouncedLedger> {
  return ledgers.flatMap((ledger) => {
    const legs = ledger.legs.filter(({ sink }) => sink.startsWith(`${name}/`))
    const isWritten = (stream: string) => legs.some((leg) => leg.stream === stream)
    const streams = ledger.streams.filter(({ stream }) => isWritten(stream))
    const lanes = ledger.lanes.filter(({ stream }) => readClusterOf(routes, stream, ledger.source) === name)
    const objectives = ledger.objectives?.filter(({ sink }) => sink.startsWith(`${name}/`))
    if (legs.length === 0 && lanes.length === 0) return []
    return [{ ...ledger, legs, streams, lanes, ...(objectives === undefined ? {} : { objectives }) }]
  })
}

function readClusterOf(routes: Routes, stream: string, source: string): string | undefined {
  return routes.lookup(stream, source)?.readLeg.cluster
}

type Leg = AnnouncedLedger["legs"][number]

/** What was on its way to the cluster in a process that is gone, and of which nothing is known yet. */
function openLegs({ state, legs, crashLosses }: AnnouncedLedger): ReadonlyArray<Leg> {
  if (state !== "gone") return []
  return legs.filter(
    (leg) => pendingOf(leg) > 0 && !crashLosses.some(({ stream, sink }) => stream === leg.stream && sink === leg.sink)
  )
}

/** Reads the topics in which something may be that a process which is gone had on its way: what is there was stored. */
export const withCrashLosses = Effect.fnUntraced(function* (
  ledgers: ReadonlyArray<AnnouncedLedger>,
  { name, open }: ChosenCluster
): Effect.fn.Return<ReadonlyArray<AnnouncedLedger>, CommandFailure, Scope.Scope> {
  const gone = ledgers.filter((ledger) => openLegs(ledger).length > 0)
  if (gone.length === 0) return ledgers
  const { transport } = yield* open
  const losses = new Map<AnnouncedLedger, Array<CrashLoss>>()
  for (const topic of new Set(gone.flatMap((ledger) => openLegs(ledger).map(({ sink }) => topicOf(sink, name))))) {
    const report = yield* Audit.topic(transport, topic, { cluster: name, ledgers: gone }).pipe(
      Effect.catch(({ detail }) =>
        Effect.as(Console.error(`leat: what is lost in ${topic} stays unknown: ${detail}`), undefined)
      )
    )
    for (const ledger of gone)
      for (const leg of openLegs(ledger)) {
        const found = report?.gone.find(
          ({ incarnation, stream }) => incarnation === ledger.incarnation && stream === leg.stream
        )
        if (found === undefined || found.unauditable > 0 || topicOf(leg.sink, name) !== topic) continue
        losses.set(ledger, [...(losses.get(ledger) ?? []), lossOf(leg, found)])
      }
  }
  return ledgers.map((ledger) => ({
    ...ledger,
    crashLosses: [...ledger.crashLosses, ...(losses.get(ledger) ?? [])]
  }))
})

function lossOf(leg: Leg, { crashLost, spilled }: Audit.GonePublisher): CrashLoss {
  const { stream, sink, epoch, admitted } = leg
  const dropped = total(leg.dropped)
  const stored = Math.max(0, admitted + leg.recovered - total(leg.deadLettered) - dropped - crashLost - spilled)
  return { stream, sink, epoch, admitted, stored, dropped, crashLost, spilled }
}

function pendingOf({ queued, inFlight, inDoubt, deadLettering, spilled }: Leg): number {
  return queued + inFlight + inDoubt + deadLettering + spilled
}

function topicOf(sink: string, cluster: string): string {
  return sink.slice(cluster.length + 1)
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
