/** Audits of everything that a world holds: they are told nothing of what was asked for. */
import { Effect } from "effect"
import { topic } from "../../audit/auditTopic.ts"
import { sumOf } from "./Teller.ts"
import type { Transport } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { fallbackPlaces } from "./fallbackPlaces.ts"
import { wasOpen } from "./readBack.ts"
import type { World } from "./World.ts"
import { clusterName, sinkOf } from "./worldRoutes.ts"

export const audit = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  { streams, disk }: World,
  transports: ReadonlyArray<Transport>
) {
  for (const { stream, isCompacted, legs } of streams)
    for (const leg of legs) {
      const transport = transports[leg.cluster]
      const sink = sinkOf(leg)
      if (transport === undefined || !Array.from(chronicle.legs.values()).some((one) => one.sink === sink)) continue
      if (!wasOpen(chronicle, leg)) continue
      const [place] = leg.fallback?.back === "stay" ? yield* fallbackPlaces(leg, transports) : []
      const fallback = transports[place?.cluster ?? -1]
      const { events, copies, dropped, missing } = yield* topic(transport, leg.topic, {
        streams: [stream],
        ...(fallback === undefined ? {} : { cluster: clusterName(leg.cluster), fallbacks: [fallback] })
      })
      // What a process has left to another one is announced by nobody, and neither is what was lost with one.
      const isTroubled = chronicle.mishaps.some(({ mishap }) => mishap === "close" || mishap === "crash")
      const hasOneOwner =
        disk?.isShared !== true && chronicle.processes.every(({ leat }) => chronicle.ownersOf({ leat, sink }) < 2)
      // What is given up while its partition spills may be announced from the spill, by a process that comes later, and none does.
      const isLeft =
        leg.spill !== undefined &&
        chronicle.mishaps.some(({ mishap }) => mishap === "outage" || mishap === "diskFull" || mishap === "losePower")
      // While it was not in the table, or had another share, nobody announced anything there.
      const isSteady = leg.isIn === undefined && leg.canary?.even === leg.canary?.odd
      const isAnnounced = isSteady && !isCompacted && !isTroubled && hasOneOwner && !isLeft
      chronicle.audits.push({
        sink,
        hasFallback: fallback !== undefined,
        events,
        copies,
        dropped: sumOf(dropped),
        missing,
        isAnnounced
      })
    }
})
