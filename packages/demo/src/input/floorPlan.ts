import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** Position of a sensor in metres. */
export interface Sensor {
  readonly xM: number
  readonly yM: number
  readonly zM: number
  readonly name: string
}

export type FloorPlan = ReadonlyMap<string, Sensor>

/** Twelve sensors on a floor of 18 by 18 metres: where those of the data set stand, and those of the generated sample. */
export const builtInPlan: FloorPlan = new Map(
  [
    ["b827eb4521b4", 7.0, 7.09, 1.22, "sensor10"],
    ["000000000101", 7.18, 0.68, 2.3, "sensor11"],
    ["000000000102", 0.71, 6.16, 2.3, "sensor12"],
    ["b827eb917e19", 7.25, 11.36, 1.22, "sensor20"],
    ["000000000201", 0.76, 12.13, 2.3, "sensor21"],
    ["000000000202", 7.18, 17.64, 2.3, "sensor22"],
    ["b827ebf7d096", 13.14, 12.33, 1.22, "sensor30"],
    ["000000000301", 12.82, 16.83, 2.3, "sensor31"],
    ["000000000302", 18.12, 11.93, 2.3, "sensor32"],
    ["b827ebfd7811", 13.01, 5.51, 1.22, "sensor40"],
    ["000000000401", 17.77, 6.33, 2.3, "sensor41"],
    ["000000000402", 12.76, 0.27, 2.3, "sensor42"]
  ].map(([id, xM, yM, zM, name]) => [
    String(id),
    { xM: Number(xM), yM: Number(yM), zM: Number(zM), name: String(name) }
  ])
)

/** The plan beside the beacon files (`*.dev`: `"sensor": [[x, y, z], colour, "name"]`), else the built-in one. */
export function floorPlanFor(beaconFiles: ReadonlyArray<string>): FloorPlan {
  for (const file of beaconFiles) {
    const plan = join(dirname(file), "tetam.dev")
    if (existsSync(plan)) {
      const sensors = parsePlan(readFileSync(plan, "utf8"))
      if (sensors.size > 0) return sensors
    }
  }
  return builtInPlan
}

/** The file is almost JSON; only its sensor entries are read. */
function parsePlan(text: string): FloorPlan {
  const sensors = new Map<string, Sensor>()
  const entry = /"([^"]+)":\s*\[\[\s*([\d.-]+)\s*,\s*([\d.-]+)\s*,\s*([\d.-]+)\s*\]\s*,\s*\d+\s*,\s*"([^"]*)"\s*\]/g
  for (const [, id = "", x, y, z, name = ""] of text.matchAll(entry)) {
    const [xM, yM, zM] = [Number(x), Number(y), Number(z)]
    if ([xM, yM, zM].every(Number.isFinite)) sensors.set(id, { xM, yM, zM, name })
  }
  return sensors
}
