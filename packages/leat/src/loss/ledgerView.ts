/** What an open leat shows of its ledger. */
import { Duration, Option } from "effect"
import { takes } from "../given/takes.ts"
import type { Failures } from "../ledger/Failures.ts"
import type { Ledger, LedgerSnapshot } from "../ledger/Ledger.ts"
import type { ObjectiveRow } from "../ledger/ObjectiveRow.ts"
import type { LedgerWindow, Windows } from "../ledger/Windows.ts"
import type { LossWatch } from "./LossWatch.ts"

/** Where every event is, what was counted lately, and how fast loss objectives are used up. */
export interface LedgerView {
  /** All counters as of now. */
  readonly snapshot: () => LedgerSnapshot
  /**
   * What was counted in the last so much time. `coversMs` of the answer says how much it really holds: less where the leat is younger, else
   * somewhat more (10 seconds up to 5 minutes, 2 minutes up to an hour, 12 minutes up to 6 hours, 2 hours up to 3 days; more where nobody has published
   * meanwhile). Beyond 3 days it counts from the opening. Throws `WrongArgument` for what is no duration.
   *
   * @example
   * ```ts
   * const { legs, coversMs } = leat.ledger.window("1 hour")
   * for (const { sink, stream, stored, dropped } of legs) console.log(sink, stream, stored, dropped)
   * ```
   */
  readonly window: (length: Duration.Input) => LedgerWindow
  /** One row for each required leg of each open stream whose route has an `objective`. */
  readonly objectives: () => ReadonlyArray<ObjectiveRow>
}

export function ledgerView(ledger: Ledger, windows: Windows, losses: LossWatch, nowMs: () => number): LedgerView {
  const view: LedgerView = {
    snapshot: () => ledger.snapshot(),
    window: (length) => {
      const lengthMs = Option.match(Duration.fromInput(length), { onNone: () => 0, onSome: Duration.toMillis })
      takes("ledger.window", 'a duration above 0, as "1 hour"', lengthMs > 0, length)
      windows.read(nowMs())
      return windows.over(lengthMs, nowMs())
    },
    objectives: () => losses.rows()
  }
  ledgers.set(view, ledger)
  return view
}

const ledgers = new WeakMap<LedgerView, Ledger>()

/** What a group failed with, of the leat whose ledger it is. */
export function failuresOf(view: LedgerView, group: string, stream: string): Failures | undefined {
  return ledgers.get(view)?.group(group, stream).failures
}
