/** How fast one required leg uses up the loss objective of its stream, as it was looked at last. */
import { sum } from "../ledger/Counts.ts"
import type { WriteAccount } from "../ledger/Ledger.ts"
import type { Burn, LossState } from "../ledger/ObjectiveRow.ts"
import type { Ended, Windows } from "../ledger/Windows.ts"
import type { Objective } from "../routes/Routes.ts"
import { alertsOf, type BurnAlert, Burning, burnOf } from "./BurnAlert.ts"

const nothing: Ended = { coversMs: 0, ended: 0, lost: 0 }

export class LegObjective {
  readonly account: WriteAccount
  readonly objective: Objective
  /** All windows of the alerts, the shortest first. */
  readonly windowsMs: ReadonlyArray<number>
  /** The alert that burns; undefined: none. */
  alert: BurnAlert | undefined
  /** When the state was `ok` last, while it is not. */
  burnsSinceMs = 0
  readonly #burning: Burning
  readonly #ended = new Map<number, Ended>()

  constructor(account: WriteAccount, objective: Objective) {
    this.account = account
    this.objective = objective
    const alerts = alertsOf(objective)
    this.#burning = new Burning(alerts)
    const lengths = new Set(alerts.flatMap(({ longMs, shortMs }) => [longMs, shortMs]))
    this.windowsMs = Array.from(lengths).toSorted((one, other) => one - other)
  }

  get state(): LossState {
    return this.alert?.state ?? "ok"
  }

  /** Looks at all windows. */
  look(windows: Windows, nowMs: number): void {
    // Most legs have never lost anything, and there may be thousands.
    const hasLost = sum(this.account.dropped) > 0
    if (!hasLost) return
    for (const windowMs of this.windowsMs) this.#ended.set(windowMs, windows.ended(this.account, windowMs, nowMs))
    this.alert = this.#burning.look((windowMs) => this.burnIn(windowMs))
  }

  /** What was lost within each window. */
  burns(windows: Windows, nowMs: number): ReadonlyArray<Burn> {
    return this.windowsMs.map((windowMs) => {
      const ended = windows.ended(this.account, windowMs, nowMs)
      return { windowMs, ...ended, burn: burnOf(ended.lost, ended.ended, this.objective) }
    })
  }

  /** What had ended within a window when it was looked at last. */
  endedIn(windowMs: number): Ended {
    return this.#ended.get(windowMs) ?? nothing
  }

  burnIn(windowMs: number): number {
    const { lost, ended } = this.endedIn(windowMs)
    return burnOf(lost, ended, this.objective)
  }
}
