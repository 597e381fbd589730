import { Effect } from "effect"
import type { Role } from "../arguments.ts"
import { sosText } from "../domain/resultText.ts"
import { PositionEstimator } from "../domain/positions.ts"
import { SecurityWatch } from "../domain/security.ts"
import { SosWatch } from "../domain/sos.ts"
import type { SecurityAlert, SosAlert } from "../gen/risk/v1/alert.ts"
import type { PositionEstimate } from "../gen/risk/v1/beacon.ts"
import type { FloorPlan } from "../input/floorPlan.ts"
import { Follower } from "./Follower.ts"
import { LineSet } from "../streams/LineSet.ts"
import type { AnyStream, Streams } from "../streams/streams.ts"

/** Called for what is consumed, as it comes. */
export interface Listener {
  readonly estimate: (estimate: PositionEstimate) => void
  readonly sos: (alert: SosAlert) => void
  readonly security: (alert: SecurityAlert) => void
}

/** Events that a handler gets at once: what follows from them is one write to disk, not hundreds. */
const records = 256

/**
 * The consumers of a role, each in a group of its own; without a role all of them. What a handler publishes is stored before its
 * events count as done: if the process dies in between, they come again and nothing is lost.
 */
export const startConsumers = Effect.fnUntraced(function* (
  streams: Streams,
  plan: FloorPlan,
  role: Role | undefined,
  listener: Listener
) {
  const { sightings, logs, estimates, sosAlerts, securityAlerts } = streams
  const positions = new Follower({
    group: "positions",
    events: sightings,
    results: estimates,
    begin: () => new PositionEstimator(plan),
    observe: (state, sighting) => {
      const estimate = state.observe(sighting)
      return estimate === undefined ? [] : [estimate]
    },
    eventLine: ({ inputRef }) => inputRef,
    // A sighting leads to one estimate at most.
    resultName: ({ sightingRef }) => sightingRef,
    resultNames: new LineSet()
  })
  const sos = new Follower({
    group: "sos",
    events: estimates,
    results: sosAlerts,
    begin: () => new SosWatch(),
    observe: (state, estimate) => state.observe(estimate),
    eventLine: ({ sightingRef }) => sightingRef,
    resultName: sosText,
    resultNames: new Set(),
    watch: (estimate) => listener.estimate(estimate)
  })
  const security = new Follower({
    group: "security",
    events: logs,
    results: securityAlerts,
    begin: () => new SecurityWatch(),
    observe: (state, line) => {
      const alert = state.observe(line)
      return alert === undefined ? [] : [alert]
    },
    eventLine: ({ inputRef }) => inputRef,
    resultName: ({ lineRef }) => lineRef,
    resultNames: new LineSet()
  })
  const startPositions = Effect.all([sightings.handleBatch("positions", positions.handle, { records })])
  const startAlerts = Effect.all([
    estimates.handleBatch("sos", sos.handle, { records }),
    logs.handleBatch("security", security.handle, { records }),
    sosAlerts.handle("console", (alert) => Effect.sync(() => listener.sos(alert))),
    securityAlerts.handle("console", (alert) => Effect.sync(() => listener.security(alert)))
  ])
  const subscriptions = [
    ...(role === undefined || role === "positions" ? yield* startPositions : []),
    ...(role === undefined || role === "alerts" ? yield* startAlerts : [])
  ]
  return { subscriptions, positions, sos, security }
})

export type Consumers = Effect.Success<ReturnType<typeof startConsumers>>

export interface Group {
  readonly group: string
  readonly events: AnyStream
}

/** The groups of the job and what they read, upstream first: who asks in this order sees nobody ahead of his source. */
export function groupsOf(streams: Streams): ReadonlyArray<Group> {
  const { sightings, logs, estimates, sosAlerts, securityAlerts } = streams
  return [
    { group: "positions", events: sightings },
    { group: "security", events: logs },
    { group: "sos", events: estimates },
    { group: "console", events: sosAlerts },
    { group: "console", events: securityAlerts }
  ]
}

/** Records that a group has before it, over all members. */
export const lagOf = ({ group, events }: Group) =>
  Effect.map(events.stored(group), (ranges) =>
    ranges.reduce((total, { from, to, settled = from }) => total + Number(to - settled), 0)
  )
