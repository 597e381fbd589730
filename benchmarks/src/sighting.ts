import type { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"

/** The event of every benchmark: about 100 bytes, one of 100 keys. */
export function sighting(index: number): BeaconSighting {
  return {
    beaconId: `beacon-${String(index % 100).padStart(3, "0")}`,
    sensorId: "b827eb4521b4",
    rssiDbm: -60 - (index % 30),
    seenAtUs: 1_795_416_249_141_000n + BigInt(index),
    groundTruth: { xM: 7.25, yM: 11.36 + index / 1000, zM: 1.22 },
    inputRef: `straight_01.mbd:${index + 1}`
  }
}
