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
      for (const { stream, sink } of sinksOf(openLegs(ledger))) {
        const found = report?.gone.find((one) => one.incarnation === ledger.incarnation && one.stream === stream)
        if (found === undefined || found.unauditable > 0 || topicOf(sink, name) !== topic) continue
        const legs = ledger.legs.filter((leg) => leg.stream === stream && leg.sink === sink)
        losses.set(ledger, [...(losses.get(ledger) ?? []), lossOf(legs, sink, found)])
      }
  }
  return ledgers.map((ledger) => ({
    ...ledger,
    crashLosses: [...ledger.crashLosses, ...(losses.get(ledger) ?? [])]
  }))
})

/** The streams and sinks of some rows, once each: a stream that has moved may have rows of several epochs. */
function sinksOf(legs: ReadonlyArray<Leg>): ReadonlyArray<Pick<Leg, "stream" | "sink">> {
  return legs.filter(
    ({ stream, sink }, index) => legs.findIndex((one) => one.stream === stream && one.sink === sink) === index
  )
}

function lossOf(legs: ReadonlyArray<Leg>, sink: string, found: Audit.GonePublisher): CrashLoss {
  const { stream, stored, spilled, crashLost, missing, excess } = found
  return {
    stream,
    sink,
    epoch: Math.max(...legs.map(({ epoch }) => epoch)),
    admitted: legs.reduce((sum, { admitted }) => sum + admitted, 0),
    stored,
    dropped: legs.reduce((sum, { dropped }) => sum + total(dropped), 0),
    spilled,
    crashLost,
    missing,
    excess
  }
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
