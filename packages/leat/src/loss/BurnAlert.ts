/**
 * When a loss objective is used up too fast: alerts over several windows and burn rates, as Google's SRE workbook has them for 30 days, scaled
 * to the window of the objective. A burn rate of 1 uses up exactly what may be lost.
 */
import type { LossState } from "../ledger/ObjectiveRow.ts"
import type { Objective } from "../routes/Routes.ts"

/** Begins when both windows burn faster than the rate; ends when the short one does not. */
export interface BurnAlert {
  readonly state: Exclude<LossState, "ok">
  readonly rate: number
  readonly longMs: number
  readonly shortMs: number
}

const hourMs = 3_600_000
const standardMs = 30 * 24 * hourMs

/** Most urgent first: 2, 5 and 10 % of the objective are used up when they begin. */
const standard: ReadonlyArray<Pick<BurnAlert, "state" | "rate" | "longMs">> = [
  { state: "page", rate: 14.4, longMs: hourMs },
  { state: "page", rate: 6, longMs: 6 * hourMs },
  { state: "ticket", rate: 1, longMs: 72 * hourMs }
]

/** So much shorter is the window that says whether it still burns. */
const shortPart = 12

/** The alerts of an objective, most urgent first. */
export function alertsOf({ windowMs }: Pick<Objective, "windowMs">): ReadonlyArray<BurnAlert> {
  const scaled = standard.map(({ state, rate, longMs }) => {
    // Shorter ones would hold too few events to say anything of a small share.
    const ownMs = Math.max(hourMs, (longMs * windowMs) / standardMs)
    return { state, rate, longMs: ownMs, shortMs: ownMs / shortPart }
  })
  // Of two over the same windows the one with the higher rate says nothing that the other one does not.
  return scaled.filter(({ longMs, rate }) => !scaled.some((other) => other.longMs === longMs && other.rate < rate))
}

/** The lost share over the share that may be lost; 0 where nothing has ended. */
export function burnOf(lost: number, ended: number, { loss }: Pick<Objective, "loss">): number {
  return ended === 0 ? 0 : lost / ended / loss
}

/** Which alerts burn, from look to look. */
export class Burning {
  readonly #alerts: ReadonlyArray<BurnAlert>
  readonly #burning = new Set<BurnAlert>()

  constructor(alerts: ReadonlyArray<BurnAlert>) {
    this.#alerts = alerts
  }

  /** Looks at the burn rate of each window; returns the most urgent alert that burns. */
  look(burnIn: (windowMs: number) => number): BurnAlert | undefined {
    for (const alert of this.#alerts) {
      const { rate, longMs, shortMs } = alert
      const isGoingOn = burnIn(shortMs) > rate
      if (!isGoingOn) this.#burning.delete(alert)
      else if (burnIn(longMs) > rate) this.#burning.add(alert)
    }
    return this.#alerts.find((alert) => this.#burning.has(alert))
  }
}
