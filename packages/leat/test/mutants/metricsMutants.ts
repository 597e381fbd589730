import type { Mutant } from "./Mutant.ts"

/** Planted in what metrics say of the ledger. */
export const metricsMutants: ReadonlyArray<Mutant> = [
  {
    name: "events that move out have no metric",
    file: "publish/countEnded.ts",
    find: `if (ending === "movedOut" && account.movedOut === 0) account`,
    replace: `if (ending === "movedOut" && account.movedOut < 0) account`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "events that a move has taken along are told"
  },
  {
    name: "events that move in have no metric",
    file: "publish/countEnded.ts",
    find: `if (account.movedIn === 0) account`,
    replace: `if (account.movedIn < 0) account`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "events that a move has taken along are told"
  },
  {
    name: "a reason that is counted for the first time is told to nobody",
    file: "ledger/Counts.ts",
    find: `if (before === undefined) told`,
    replace: `if (before === 0) told`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "are the rows of its ledger at every moment"
  },
  {
    name: "any number of reasons has a series",
    file: "metrics/ReasonSeries.ts",
    find: `named < reasonsMax &&`,
    replace: `named < Number.POSITIVE_INFINITY &&`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "have a bounded number of series"
  },
  {
    name: "a reason of any length is the label of a series",
    file: "metrics/ReasonSeries.ts",
    find: `reason.length <= reasonLengthMax &&`,
    replace: `reason.length >= 0 &&`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "have a bounded number of series"
  },
  {
    name: "reasons without a series of their own are counted twice",
    file: "metrics/ReasonSeries.ts",
    find: `others -= counts[reason] ?? 0`,
    replace: `others -= 0`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "have a bounded number of series"
  },
  {
    name: "what an earlier process has left is taken from what is pending",
    file: "metrics/LedgerReport.ts",
    find: `admitted + recovered + movedIn - movedOut`,
    replace: `admitted + movedIn - movedOut`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "what earlier processes left is not pending"
  },
  {
    name: "counters by reason go with the leat that counted them",
    file: "metrics/LedgerReport.ts",
    find: `one.close(others > 0)`,
    replace: `one.close(false)`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "what was counted by reason stays"
  },
  {
    name: "counters by reason stay when all leats are closed",
    file: "metrics/LedgerReport.ts",
    find: `if (others === 0) forgetKept`,
    replace: `if (others < 0) forgetKept`,
    foundBy: "metrics/LedgerReport.test.ts",
    test: "what was counted by reason stays"
  }
]
