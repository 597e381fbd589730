import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { builtInPlan } from "../src/input/floorPlan.ts"

/** Input for a test: some beacons that walk through the building, and a log with bursts of failed log-ins. */
export interface Walk {
  readonly args: ReadonlyArray<string>
  /** Lines that are events. */
  readonly sightings: number
  readonly lines: number
}

export function writeWalk(folder: string, seconds = 100, beacons = 6): Walk {
  mkdirSync(folder, { recursive: true })
  const sightings: Array<string> = []
  for (let second = 0; second < seconds; second++)
    for (let beacon = 0; beacon < beacons; beacon++) {
      const [x, y] = [9 + 8 * Math.sin(second / 9 + beacon), 9 + 8 * Math.cos(second / 7 + beacon)]
      for (const [sensor, { xM, yM }] of builtInPlan) {
        const rssi = -59 - Math.round(20 * Math.log10(Math.max(0.5, Math.hypot(x - xM, y - yM))))
        sightings.push(`${1_764_000_000 + second}.${beacon}00000,${sensor},walker${beacon},${rssi},${x},${y},1.2`)
      }
    }
  const lines = Array.from({ length: seconds * 10 }, (_, index) => {
    const second = Math.floor(index / 10)
    const at = `Nov 24 08:${String(Math.floor(second / 60)).padStart(2, "0")}:${String(second % 60).padStart(2, "0")}`
    const host = `host${index % 7}`
    return second % 10 < 4
      ? `${at} ${host} sshd[${index}]: Failed password for root from 203.0.113.${index % 5} port 22 ssh2`
      : `${at} ${host} cron[${index}]: nothing happened`
  })
  const [walk, auth] = [join(folder, "walk.mbd"), join(folder, "auth.log")]
  writeFileSync(walk, `${sightings.join("\n")}\nbroken\n`)
  writeFileSync(auth, `${lines.join("\n")}\n`)
  return { args: ["--beacons", walk, "--logs", auth], sightings: sightings.length, lines: lines.length }
}
