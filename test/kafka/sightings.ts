import type { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"

/** Sightings by number, which `inputRef` tells, of so many beacons in turn. */
export const sightingAmong =
  (beacons: number) =>
  (number: number): BeaconSighting => ({
    beaconId: `b${number % beacons}`,
    sensorId: "s",
    rssiDbm: -60,
    seenAtUs: BigInt(number),
    inputRef: `${number}`
  })

export const numbers = (from: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => from + index)
