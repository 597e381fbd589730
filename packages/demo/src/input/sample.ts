import { builtInPlan } from "./floorPlan.ts"

/** One generated file, as lines. */
export interface SampleFile {
  readonly name: string
  readonly kind: "beacons" | "logs"
  readonly lines: ReadonlyArray<string>
}

const beacons = 100
const seconds = 60
const seed = 20_261_124
const floorM = 18
const startSeconds = 1_764_000_000

/** When the sample would have been written: times of its logs name no year. */
export const sampleWrittenMs = (startSeconds + seconds) * 1000

/** A generated minute of 100 beacons and of mixed logs, some lines of which are broken. The same every time. */
export function generateSample(): ReadonlyArray<SampleFile> {
  const random = mulberry(seed)
  return [
    { name: "sample.mbd", kind: "beacons", lines: sightings(random) },
    { name: "sample-auth.log", kind: "logs", lines: authLines(random) },
    { name: "sample-web.log", kind: "logs", lines: webLines(random) }
  ]
}

/** Beacons walk in straight lines and turn at the walls; each second, three sensors or more hear each of them. */
function sightings(random: () => number): ReadonlyArray<string> {
  const walkers = Array.from({ length: beacons }, (_, index) => ({
    id: `beacon-${String(index).padStart(3, "0")}`,
    x: random() * floorM,
    y: random() * floorM,
    dx: random() * 2 - 1,
    dy: random() * 2 - 1
  }))
  const lines: Array<string> = []
  for (let second = 0; second < seconds; second++) {
    for (const [index, walker] of walkers.entries()) {
      walker.x += walker.dx
      walker.y += walker.dy
      // One beacon goes silent for most of the minute.
      if (index === 7 && second > 10 && second < 50) continue
      const at = startSeconds + second + index / beacons
      const [x, y] = [reflected(walker.x), reflected(walker.y)]
      for (const [sensor, { xM, yM }] of builtInPlan) {
        const distanceM = Math.hypot(x - xM, y - yM)
        if (distanceM > 9) continue
        const rssi = Math.round(-59 - 20 * Math.log10(Math.max(distanceM, 0.5)) + (random() - 0.5) * 6)
        lines.push(`${at.toFixed(6)},${sensor},${walker.id},${rssi},${x.toFixed(3)},${y.toFixed(3)},1.200`)
      }
    }
    if (second % 20 === 5) lines.push(`${second},not a sighting`)
  }
  return lines
}

function authLines(random: () => number): ReadonlyArray<string> {
  const lines: Array<string> = []
  for (let second = 0; second < seconds; second++) {
    const time = `Nov 24 08:00:${String(second).padStart(2, "0")}`
    // Two bursts from one address each, and now and then somebody who mistypes.
    const isBurst = (second >= 10 && second < 18) || (second >= 40 && second < 46)
    if (isBurst) {
      const address = second < 20 ? "203.0.113.7" : "198.51.100.23"
      lines.push(
        `${time} gate sshd[${1000 + second}]: Failed password for invalid user admin from ${address} port ${40_000 + second} ssh2`
      )
    }
    if (random() < 0.2)
      lines.push(
        `${time} gate sshd[${2000 + second}]: Failed password for anna from 192.0.2.${Math.floor(random() * 200)} port 5022 ssh2`
      )
    lines.push(`${time} gate sshd[${3000 + second}]: Accepted publickey for deploy from 192.0.2.10 port 6022 ssh2`)
    if (second === 30) lines.push("a line that no format knows")
  }
  return lines
}

function webLines(random: () => number): ReadonlyArray<string> {
  return Array.from({ length: seconds * 5 }, (_, index) => {
    const time = `[Tue Nov 24 08:00:${String(Math.floor(index / 5)).padStart(2, "0")} 2026]`
    return random() < 0.1
      ? `${time} [error] mod_jk child workerEnv in error state ${Math.floor(random() * 9)}`
      : `${time} [notice] jk2_init() Found child ${6000 + index} in scoreboard slot ${index % 10}`
  })
}

/** Folds a straight walk into the floor: it turns round at the walls. */
function reflected(at: number): number {
  const folded = ((at % (2 * floorM)) + 2 * floorM) % (2 * floorM)
  return folded > floorM ? 2 * floorM - folded : folded
}

/** Mulberry32, a small generator of numbers in [0, 1): the sample must be the same on every machine. */
function mulberry(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
