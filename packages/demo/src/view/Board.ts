import type { PositionEstimate } from "../gen/risk/v1/beacon.ts"
import { builtInPlan, type FloorPlan } from "../input/floorPlan.ts"
import type { Beginning, Status } from "./Report.ts"

/** A place on the floor, in metres. */
export interface Place {
  readonly xM: number
  readonly yM: number
}

export interface AlertLine {
  readonly kind: "SOS" | "SECURITY" | "trouble" | "malformed"
  readonly text: string
  /** How often it was said. */
  readonly count: number
}

/** Beacons shown at once: more are a blur. Those heard of longest ago go first. */
const beaconsMax = 200
const trailMax = 40
const linesMax = 50

/** What the screen shows, gathered from what the report is told. Bounded, whatever comes. */
export class Board {
  beginning: Beginning = { headline: "", lines: 0, role: undefined, plan: builtInPlan }
  status: Status | undefined
  /** Events per second, by stream. */
  readonly rates = new Map<string, number>()
  /** The last places of each beacon, the newest last. */
  readonly trails = new Map<string, Array<Place>>()
  readonly #lines = new Map<string, AlertLine>()
  #done = 0

  get plan(): FloorPlan {
    return this.beginning.plan
  }

  /** Lines of the input that are behind us, as far as this process knows. */
  get done(): number {
    const stored = (this.status?.streams ?? [])
      .filter(({ stream }) => stream === "risk.beacons.sighting" || stream === "risk.logs.line")
      .reduce((total, row) => total + row.stored, 0)
    return Math.min(this.beginning.lines, Math.max(this.#done, stored))
  }

  progress(done: number): void {
    this.#done = done
  }

  told(status: Status): void {
    const seconds = this.status === undefined ? 0 : (status.atMs - this.status.atMs) / 1000
    for (const { stream, stored } of status.streams) {
      const before = this.status?.streams.find((row) => row.stream === stream)?.stored ?? stored
      const rate = seconds > 0 ? (stored - before) / seconds : 0
      // Half of the last one, so that figures can be read.
      this.rates.set(stream, rate / 2 + (this.rates.get(stream) ?? 0) / 2)
    }
    this.status = status
  }

  located({ beaconId, position }: PositionEstimate): void {
    if (position === undefined) return
    const trail = this.trails.get(beaconId) ?? []
    trail.push({ xM: position.xM, yM: position.yM })
    if (trail.length > trailMax) trail.shift()
    this.trails.delete(beaconId)
    this.trails.set(beaconId, trail)
    const [oldest] = this.trails.keys()
    if (this.trails.size > beaconsMax && oldest !== undefined) this.trails.delete(oldest)
  }

  /** The last different lines, that which was said last at the end. */
  get lines(): ReadonlyArray<AlertLine> {
    return [...this.#lines.values()]
  }

  line(kind: AlertLine["kind"], text: string): void {
    const key = `${kind} ${text}`
    const count = (this.#lines.get(key)?.count ?? 0) + 1
    this.#lines.delete(key)
    this.#lines.set(key, { kind, text, count })
    const [oldest] = this.#lines.keys()
    if (this.#lines.size > linesMax && oldest !== undefined) this.#lines.delete(oldest)
  }
}
