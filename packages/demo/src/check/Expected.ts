import { PositionEstimator } from "../domain/positions.ts"
import { SecurityWatch } from "../domain/security.ts"
import { SosWatch } from "../domain/sos.ts"
import { estimateText, securityText, sosText } from "../domain/resultText.ts"
import type { BeaconSighting } from "../gen/risk/v1/beacon.ts"
import type { LogLine } from "../gen/risk/v1/log.ts"
import type { FloorPlan } from "../input/floorPlan.ts"

/**
 * What the input says should come out, computed beside leat and not through it: the same rules, applied to the lines as they
 * are read.
 */
export class Expected {
  readonly sightings: Array<string> = []
  readonly lines: Array<string> = []
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
    this.sightings.push(event.inputRef)
    const estimate = this.#positions.observe(event)
    if (estimate === undefined) return
    this.estimates.push(estimateText(estimate))
    for (const alert of this.#sos.observe(estimate)) this.sosAlerts.push(sosText(alert))
  }

  log(event: LogLine): void {
    this.lines.push(event.inputRef)
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
  const tell = (what: string, texts: ReadonlyArray<string>) =>
    texts.length === 0 ? [] : [`${name}: ${texts.length} ${what}, such as ${texts.slice(0, most).join("; ")}`]
  return [...tell("missing", missing), ...tell("unexpected", extra)]
}
