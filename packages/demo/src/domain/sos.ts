import type { SosAlert } from "../gen/risk/v1/alert.ts"
import type { PositionEstimate } from "../gen/risk/v1/beacon.ts"

/** Where nobody should be: the plant room in the middle of the floor, in metres. */
export const restrictedZone = { name: "plant room", xMinM: 9, xMaxM: 12, yMinM: 8, yMaxM: 11 } as const

/** A beacon that was not located for this long was silent, in microseconds of event time. */
const silentUs = 20_000_000n

/** Who is back in the zone within this time has not really left it: estimates waver at its edge. */
const returnUs = 10_000_000n

interface Seen {
  readonly atUs: bigint
  /** When it was last inside the zone; undefined if never. */
  readonly insideUs: bigint | undefined
}

/** Raises an alert when a beacon enters the restricted zone, and when it is located again after being silent for too long. */
export class SosWatch {
  readonly #seen = new Map<string, Seen>()

  observe({ beaconId, position, atUs, sightingRef }: PositionEstimate): ReadonlyArray<SosAlert> {
    const last = this.#seen.get(beaconId)
    const isInside = position !== undefined && contains(position)
    this.#seen.set(beaconId, { atUs, insideUs: isInside ? atUs : last?.insideUs })
    const alerts: Array<SosAlert> = []
    if (last !== undefined && atUs - last.atUs > silentUs) {
      alerts.push({ beaconId, atUs, sightingRef, reason: { case: "silence", value: { silentUs: atUs - last.atUs } } })
    }
    const isEntering = last?.insideUs === undefined || atUs - last.insideUs > returnUs
    if (isInside && isEntering && position !== undefined) {
      const value = { zone: restrictedZone.name, position }
      alerts.push({ beaconId, atUs, sightingRef, reason: { case: "restrictedZone", value } })
    }
    return alerts
  }
}

function contains({ xM, yM }: { readonly xM: number; readonly yM: number }): boolean {
  const { xMinM, xMaxM, yMinM, yMaxM } = restrictedZone
  return xM >= xMinM && xM <= xMaxM && yM >= yMinM && yM <= yMaxM
}
