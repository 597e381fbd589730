import { restrictedZone } from "../domain/sos.ts"
import type { FloorPlan } from "../input/floorPlan.ts"
import type { Place } from "./Board.ts"
import { Canvas } from "./Canvas.ts"

/** Metres around the outermost sensors. */
const marginM = 1

/** The floor seen from above, north up: sensors, the restricted zone, and each beacon with where it came from. */
export function drawFloor(
  plan: FloorPlan,
  trails: ReadonlyMap<string, ReadonlyArray<Place>>,
  width: number,
  height: number
): Canvas {
  const canvas = new Canvas(width, height)
  const sensors = [...plan.values()]
  if (sensors.length === 0) return canvas
  const xs = sensors.map(({ xM }) => xM)
  const ys = sensors.map(({ yM }) => yM)
  const [west, north] = [Math.min(...xs) - marginM, Math.max(...ys) + marginM]
  // One scale for both, so that a walk looks as it was.
  const dotsPerM = Math.min(
    (width * 2 - 1) / (Math.max(...xs) + marginM - west),
    (height * 4 - 1) / (north - Math.min(...ys) + marginM)
  )
  const at = ({ xM, yM }: Place): readonly [number, number] => [(xM - west) * dotsPerM, (north - yM) * dotsPerM]

  const { xMinM, xMaxM, yMinM, yMaxM } = restrictedZone
  const [left, top] = at({ xM: xMinM, yM: yMaxM })
  const [right, bottom] = at({ xM: xMaxM, yM: yMinM })
  for (let x = left; x <= right; x++) for (const y of [top, bottom]) canvas.dot(x, y, "red")
  for (let y = top; y <= bottom; y++) for (const x of [left, right]) canvas.dot(x, y, "red")

  for (const trail of trails.values()) for (const place of trail) canvas.dot(...at(place), "cyan")
  for (const sensor of sensors) canvas.mark(...at(sensor), "+", "yellow")
  for (const trail of trails.values()) {
    const last = trail.at(-1)
    if (last !== undefined) canvas.mark(...at(last), "●", "green")
  }
  return canvas
}
