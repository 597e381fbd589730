import type { BeaconSighting, PositionEstimate } from "../gen/risk/v1/beacon.ts"
import type { FloorPlan } from "../input/floorPlan.ts"

/** How long a sensor's last word counts, in microseconds of event time. */
const windowUs = 3_000_000n

/** Fewer sensors than this give no position. */
const sensorsMin = 3

/** Log-distance path loss: RSSI at one metre, and how fast it falls; usual values for BLE indoors. */
const rssiAtOneMetreDbm = -59
const pathLossExponent = 2.4

interface Heard {
  readonly rssiDbm: number
  readonly atUs: bigint
}

/**
 * Estimates where beacons are: the mean of the sensors that heard one lately, each weighted by the inverse square of the
 * distance that its signal strength speaks of. What it says of a beacon depends on that beacon's sightings, in their order,
 * and on nothing else.
 */
export class PositionEstimator {
  readonly #plan: FloorPlan
  readonly #heard = new Map<string, Map<string, Heard>>()

  constructor(plan: FloorPlan) {
    this.#plan = plan
  }

  /** The estimate after one more sighting; undefined while too few sensors have heard the beacon. */
  observe({ beaconId, sensorId, rssiDbm, seenAtUs, inputRef }: BeaconSighting): PositionEstimate | undefined {
    const heard = this.#heard.get(beaconId) ?? new Map<string, Heard>()
    this.#heard.set(beaconId, heard)
    heard.set(sensorId, { rssiDbm, atUs: seenAtUs })
    let weights = 0
    let x = 0
    let y = 0
    let z = 0
    let sensors = 0
    for (const [id, { rssiDbm: strength, atUs }] of heard) {
      const sensor = this.#plan.get(id)
      if (atUs < seenAtUs - windowUs) heard.delete(id)
      else if (sensor !== undefined) {
        const distanceM = 10 ** ((rssiAtOneMetreDbm - strength) / (10 * pathLossExponent))
        const weight = 1 / Math.max(distanceM, 0.1) ** 2
        weights += weight
        x += weight * sensor.xM
        y += weight * sensor.yM
        z += weight * sensor.zM
        sensors++
      }
    }
    if (sensors < sensorsMin) return undefined
    const position = { xM: x / weights, yM: y / weights, zM: z / weights }
    return { beaconId, position, sensors, atUs: seenAtUs, sightingRef: inputRef }
  }
}
