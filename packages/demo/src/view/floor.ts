import { restrictedZone } from "../domain/sos.ts"
import type { FloorPlan } from "../input/floorPlan.ts"
import type { Place } from "./Board.ts"
import { Canvas } from "./Canvas.ts"

/** Metres around the outermost sensors: estimates lie between them. */
const marginM = 0.25

/**
 * The floor seen from above, north up: sensors, the restricted zone, and each beacon with where it came from. As large as its form allows
 * within so many columns and rows.
 */
export function drawFloor(
  plan: FloorPlan,
  trails: ReadonlyMap<string, ReadonlyArray<Place>>,
  columnsMax: number,
  rowsMax: number
): Canvas {
  const sensors = [...plan.values()]
  if (sensors.length === 0) return new Canvas(columnsMax, rowsMax)
  const xs = sensors.map(({ xM }) => xM)
  const ys = sensors.map(({ yM }) => yM)
  const [west, north] = [Math.min(...xs) - marginM, Math.max(...ys) + marginM]
  const [widthM, heightM] = [Math.max(...xs) + marginM - west, north - Math.min(...ys) + marginM]
  // One scale for both, so that a walk looks as it was.
  const dotsPerM = Math.min((columnsMax * 2 - 1) / widthM, (rowsMax * 4 - 1) / heightM)
  const cells = (metres: number, dots: number) => Math.ceil(Math.round(metres * dotsPerM + 1) / dots)
  const canvas = new Canvas(Math.min(columnsMax, cells(widthM, 2)), Math.min(rowsMax, cells(heightM, 4)))
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
