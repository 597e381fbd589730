import { PositionEstimator } from "../domain/positions.ts"
import { SecurityWatch } from "../domain/security.ts"
import { SosWatch } from "../domain/sos.ts"
import { estimateText, securityText, sosText } from "../domain/resultText.ts"
import type { BeaconSighting } from "../gen/risk/v1/beacon.ts"
import type { LogLine } from "../gen/risk/v1/log.ts"
import type { FloorPlan } from "../input/floorPlan.ts"
import { LineSet } from "../streams/LineSet.ts"

/**
 * What the input says should come out, computed beside leat and not through it: the same rules, applied to the lines as they
 * are read.
 */
export class Expected {
  readonly sightings = new LineSet()
  readonly lines = new LineSet()
  /** Lines of sightings that lead to an estimate. */
  readonly located = new LineSet()
  readonly estimates: Array<string> = []
  readonly sosAlerts: Array<string> = []
  readonly securityAlerts: Array<string> = []
  readonly #positions: PositionEstimator
  readonly #sos = new SosWatch()
  readonly #security = new SecurityWatch()

  constructor(plan: FloorPlan) {
    this.#positions = new PositionEstimator(plan)
  }

  sighting(event: BeaconSighting): void {
    this.sightings.add(event.inputRef)
    const estimate = this.#positions.observe(event)
    if (estimate === undefined) return
    this.located.add(event.inputRef)
    this.estimates.push(estimateText(estimate))
    for (const alert of this.#sos.observe(estimate)) this.sosAlerts.push(sosText(alert))
  }

  log(event: LogLine): void {
    this.lines.add(event.inputRef)
    const alert = this.#security.observe(event)
    if (alert !== undefined) this.securityAlerts.push(securityText(alert))
  }
}

export interface DifferenceOptions {
  /** Whether less than expected is right too: the run was stopped. */
  readonly mayMiss?: boolean
  /** Examples of each kind that are told; 3 when absent. */
  readonly most?: number
}

/** How the lines that are found differ from those that are expected, of which none comes twice. */
export function lineDifferences(
  name: string,
  expected: LineSet,
  found: LineSet,
  { mayMiss = false, most = 3 }: DifferenceOptions = {}
): ReadonlyArray<string> {
  const missing = mayMiss ? { count: 0, some: [] } : absent(expected, found, most)
  const extra = absent(found, expected, most)
  return [
    ...told(name, "missing", missing.count, missing.some),
    ...told(name, "unexpected", extra.count + found.repeated, [...extra.some, ...found.twice].slice(0, most))
  ]
}

/** Lines of one set that are not in another: how many, and some of them. */
function absent(lines: LineSet, from: LineSet, most: number) {
  const some: Array<string> = []
  let count = 0
  for (const ref of lines) {
    if (from.has(ref)) continue
    count++
    if (some.length < most) some.push(ref)
  }
  return { count, some }
}

function told(name: string, what: string, count: number, some: ReadonlyArray<string>): ReadonlyArray<string> {
  return count === 0 ? [] : [`${name}: ${count} ${what}, such as ${some.join("; ")}`]
}

/** How two collections differ as multisets; empty when they do not. What is there twice is unexpected once. */
export function differences(
  name: string,
  expected: ReadonlyArray<string>,
  found: ReadonlyArray<string>,
  { mayMiss = false, most = 3 }: DifferenceOptions = {}
): ReadonlyArray<string> {
  const counts = new Map<string, number>()
  for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1)
  for (const text of found) counts.set(text, (counts.get(text) ?? 0) - 1)
  const missing = mayMiss ? [] : [...counts].filter(([, count]) => count > 0).map(([text]) => text)
  const extra = [...counts].filter(([, count]) => count < 0).map(([text]) => text)
  return [
    ...told(name, "missing", missing.length, missing.slice(0, most)),
    ...told(name, "unexpected", extra.length, extra.slice(0, most))
  ]
}
