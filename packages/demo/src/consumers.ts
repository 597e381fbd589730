import { Effect } from "effect"
import type { OpenLeat } from "leat"
import { PositionEstimator } from "./domain/positions.ts"
import { SecurityWatch } from "./domain/security.ts"
import { SosWatch } from "./domain/sos.ts"
import { SecurityAlert, SosAlert } from "./gen/risk/v1/alert.ts"
import { BeaconSighting, PositionEstimate } from "./gen/risk/v1/beacon.ts"
import { LogLine } from "./gen/risk/v1/log.ts"
import type { FloorPlan } from "./input/floorPlan.ts"

/** What each group has handled, by where it came from. */
export interface Handled {
  readonly positions: Array<string>
  readonly sos: Array<string>
  readonly security: Array<string>
}

/** Called for every alert, as it is consumed from its own stream. */
export interface AlertListener {
  readonly sos: (alert: SosAlert) => void
  readonly security: (alert: SecurityAlert) => void
}

/** Opens the five streams of the job. */
export const openStreams = Effect.fnUntraced(function* (leat: OpenLeat) {
  return {
    sightings: yield* leat.stream(BeaconSighting),
    logs: yield* leat.stream(LogLine),
    estimates: yield* leat.stream(PositionEstimate),
    sosAlerts: yield* leat.stream(SosAlert),
    securityAlerts: yield* leat.stream(SecurityAlert)
  }
})

export type Streams = Effect.Success<ReturnType<typeof openStreams>>

/**
 * Starts the consumers, each in a group of its own. What a handler publishes is stored before its event counts as done: if the
 * process dies in between, the event comes again and nothing is lost.
 */
export const startConsumers = Effect.fnUntraced(function* (streams: Streams, plan: FloorPlan, listener: AlertListener) {
  const handled: Handled = { positions: [], sos: [], security: [] }
  const positions = new PositionEstimator(plan)
  const sos = new SosWatch()
  const security = new SecurityWatch()
  const subscriptions = [
    yield* streams.sightings.handle("positions", (sighting) => {
      handled.positions.push(sighting.inputRef)
      const estimate = positions.observe(sighting)
      return estimate === undefined ? Effect.void : Effect.asVoid(streams.estimates.publish(estimate))
    }),
    yield* streams.estimates.handle("sos", (estimate) => {
      handled.sos.push(estimate.sightingRef)
      return Effect.forEach(sos.observe(estimate), (alert) => streams.sosAlerts.publish(alert), { discard: true })
    }),
    yield* streams.logs.handle("security", (line) => {
      handled.security.push(line.inputRef)
      const alert = security.observe(line)
      return alert === undefined ? Effect.void : Effect.asVoid(streams.securityAlerts.publish(alert))
    }),
    yield* streams.sosAlerts.handle("console", (alert) => Effect.sync(() => listener.sos(alert))),
    yield* streams.securityAlerts.handle("console", (alert) => Effect.sync(() => listener.security(alert)))
  ]
  return { handled, subscriptions }
})
