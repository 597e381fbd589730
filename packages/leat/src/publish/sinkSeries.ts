/** What is read of a sink when somebody scrapes. */
import type { Pulled } from "../ledger/pulled.ts"
import { metricNames } from "../Telemetry.ts"
import type { SinkBreaker } from "./SinkBreaker.ts"
import type { FallbackState } from "./fallback/SinkFallback.ts"
import type { LaneRules } from "./LaneRules.ts"

interface ScrapedSink {
  readonly bufferedBytes: number
  readonly breaker: SinkBreaker | undefined
  readonly fallback: { readonly state: FallbackState } | undefined
  readonly rules: LaneRules
}

const breakerStates = { closed: 0, halfOpen: 1, open: 2 } as const

const kinds: ReadonlyArray<Pulled<ScrapedSink>> = [
  { name: metricNames.bufferBytes, type: "Gauge", read: ({ bufferedBytes }) => bufferedBytes },
  {
    name: metricNames.breakerState,
    type: "Gauge",
    read: ({ breaker }) => breakerStates[breaker?.view.state ?? "closed"]
  },
  { name: metricNames.retries, type: "Counter", read: ({ rules }) => rules.retries }
]

const kindsWithFallback: ReadonlyArray<Pulled<ScrapedSink>> = [
  ...kinds,
  {
    name: metricNames.fallbackPartitions,
    type: "Gauge",
    read: ({ fallback }) => fallback?.state.partitions.length ?? 0
  },
  // Each process that has looked sees those of all.
  {
    name: metricNames.fallbackWaiting,
    type: "Gauge",
    isMost: true,
    read: ({ fallback }) => fallback?.state.waiting ?? 0
  }
]

export function seriesOf({ fallback }: ScrapedSink): ReadonlyArray<Pulled<ScrapedSink>> {
  return fallback === undefined ? kinds : kindsWithFallback
}
