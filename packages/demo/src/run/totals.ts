import type { OpenLeat } from "leat"

/** The sums of the ledger over all streams. */
export function totals(leat: OpenLeat) {
  const { streams, legs, balanced } = leat.ledger.snapshot()
  const sum = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0)
  const add = <A>(rows: ReadonlyArray<A>, of: (row: A) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    offered: add(streams, ({ offered }) => offered),
    rejected: add(streams, ({ rejected }) => sum(rejected)),
    admitted: add(streams, ({ admitted }) => admitted),
    stored: add(legs, ({ stored: count }) => count),
    deadLettered: add(legs, ({ deadLettered }) => sum(deadLettered)),
    dropped: add(legs, ({ dropped }) => sum(dropped)),
    pending: add(legs, ({ queued, inFlight, inDoubt, deadLettering }) => queued + inFlight + inDoubt + deadLettering),
    balanced
  }
}
