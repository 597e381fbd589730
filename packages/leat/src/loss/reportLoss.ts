/** How fast loss objectives are used up, as metrics: a gauge for each window of an alert, and the state. */
import { type Context, Duration } from "effect"
import type { LossState } from "../ledger/ObjectiveRow.ts"
import { type Pulled, register, unregister } from "../ledger/pulled.ts"
import { attribute, metricNames } from "../Telemetry.ts"
import type { LegObjective } from "./LegObjective.ts"

interface WindowOfLeg {
  readonly leg: LegObjective
  readonly windowMs: number
}

const numbers: Readonly<Record<LossState, number>> = { ok: 0, ticket: 1, page: 2 }

const burns: ReadonlyArray<Pulled<WindowOfLeg>> = [
  { name: metricNames.lossBurn, type: "Gauge", isMost: true, read: ({ leg, windowMs }) => leg.burnIn(windowMs) }
]
const states: ReadonlyArray<Pulled<LegObjective>> = [
  { name: metricNames.lossState, type: "Gauge", isMost: true, read: ({ state }) => numbers[state] }
]

/** Registers the metrics of one leg; returns how to take them out. */
export function reportLoss(leg: LegObjective, context: Context.Context<never>): () => void {
  const { stream, sink } = leg.account
  const attributes = { [attribute.stream]: stream, [attribute.sink]: sink }
  const windows = leg.windowsMs.map((windowMs) => {
    const window = Duration.format(Duration.millis(windowMs))
    return { of: { leg, windowMs }, attributes: { ...attributes, [attribute.window]: window } }
  })
  register(states, leg, attributes, context)
  for (const window of windows) register(burns, window.of, window.attributes, context)
  return () => {
    unregister(states, leg, attributes, context)
    for (const window of windows) unregister(burns, window.of, window.attributes, context)
  }
}
