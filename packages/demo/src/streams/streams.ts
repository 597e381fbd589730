import { Effect } from "effect"
import type { ContractInfo, EventStream, OpenLeat } from "leat"
import { SecurityAlert, SosAlert } from "../gen/risk/v1/alert.ts"
import { BeaconSighting, PositionEstimate } from "../gen/risk/v1/beacon.ts"
import { LogLine } from "../gen/risk/v1/log.ts"

/** All streams of the job. */
export const streamNames = [BeaconSighting, LogLine, PositionEstimate, SosAlert, SecurityAlert].map(
  ({ stream }) => stream
)

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

/** A stream of whatever type, as far as it can be looked at. */
export interface AnyStream {
  readonly contract: Pick<ContractInfo, "stream">
  readonly stored: EventStream<unknown>["stored"]
}

export function allStreams(streams: Streams): ReadonlyArray<AnyStream> {
  return [streams.sightings, streams.logs, streams.estimates, streams.sosAlerts, streams.securityAlerts]
}

/** How many events of a stream are stored. */
export const storedCount = (stream: AnyStream) =>
  Effect.map(stream.stored(), (ranges) => ranges.reduce((total, { from, to }) => total + Number(to - from), 0))
