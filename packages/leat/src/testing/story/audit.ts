/** Audits of everything that a world holds: they are told nothing of what was asked for. */
import { Effect } from "effect"
import { topic } from "../../audit/auditTopic.ts"
import { sumOf } from "./Teller.ts"
import type { Transport } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import type { World } from "./World.ts"
import { sinkOf } from "./worldRoutes.ts"

export const audit = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  { streams }: World,
  transports: ReadonlyArray<Transport>
) {
  for (const { stream, isCompacted, legs } of streams)
    for (const leg of legs) {
      const transport = transports[leg.cluster]
      const sink = sinkOf(leg)
      if (transport === undefined || !Array.from(chronicle.legs.values()).some((one) => one.sink === sink)) continue
      const { events, copies, dropped, missing } = yield* topic(transport, leg.topic, { streams: [stream] })
      const isAnnounced = !isCompacted && !chronicle.mishaps.some(({ mishap }) => mishap === "close")
      chronicle.audits.push({ sink, events, copies, dropped: sumOf(dropped), missing, isAnnounced })
    }
})
