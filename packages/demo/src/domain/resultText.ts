import type { SecurityAlert, SosAlert } from "../gen/risk/v1/alert.ts"
import type { PositionEstimate } from "../gen/risk/v1/beacon.ts"

// One line of text for each result, every digit of it: that is what is compared.

export function estimateText({ beaconId, position, sensors, atUs, sightingRef }: PositionEstimate): string {
  return `${sightingRef} ${beaconId} ${position?.xM} ${position?.yM} ${position?.zM} ${sensors} ${atUs}`
}

export function sosText({ beaconId, atUs, reason, sightingRef }: SosAlert): string {
  const what =
    reason?.case === "silence"
      ? `silent ${reason.value.silentUs}`
      : `${reason?.value.zone} ${reason?.value.position?.xM} ${reason?.value.position?.yM}`
  return `${sightingRef} ${beaconId} ${atUs} ${what}`
}

export function securityText({ host, sourceAddress, failures, atUs, lineRef }: SecurityAlert): string {
  return `${lineRef} ${host} ${sourceAddress} ${failures} ${atUs}`
}
