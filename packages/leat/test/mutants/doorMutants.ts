import type { Mutant } from "./Mutant.ts"

const logger = "promise/logger.test.ts"
const quiet = "testing.test.ts"

export const doorMutants: ReadonlyArray<Mutant> = [
  {
    name: "a logger whose promise rejects ends its process",
    file: "promise/logging.ts",
    find: `.catch(() => undefined)`,
    replace: ``,
    foundBy: logger,
    test: "that gives a promise that rejects keeps nothing from going on"
  },
  {
    name: "a line has no cause",
    file: "promise/logging.ts",
    find: `cause.reasons.length === 0 ? line :`,
    replace: `cause.reasons.length !== 0 ? line :`,
    foundBy: logger,
    test: "gives it each line"
  },
  {
    name: "what is opened prints where a logger was given",
    file: "promise/index.ts",
    find: `loggingTo(logger)`,
    replace: `loggingTo(logger && undefined)`,
    foundBy: logger,
    test: "hears of closing too"
  },
  {
    name: "an error whose cause leads back to it is printed without an end",
    file: "given/TaggedError.ts",
    find: `if (printing.has(this)) return`,
    replace: `if (printing.size > 50) return`,
    foundBy: "given/TaggedError.test.ts",
    test: "prints once what leads back to it"
  },
  {
    name: "an error of leat prints without what has caused it",
    file: "given/TaggedError.ts",
    find: `if (cause === undefined) return`,
    replace: `if (cause !== undefined) return`,
    foundBy: "given/TaggedError.test.ts",
    test: "prints what has caused it"
  },
  {
    name: "a test is quiet although its handlers fail",
    file: "testing/waitUntilQuiet.ts",
    find: `return first === undefined ?`,
    replace: `return first !== undefined ?`,
    foundBy: quiet,
    test: "rejects with the first error by default"
  },
  {
    name: "what a test was told of fails its next wait too",
    file: "testing/HandlersFailed.ts",
    find: `  seen.set(ledger, now)
`,
    replace: ``,
    foundBy: quiet,
    test: "rejects with the first error by default"
  },
  {
    name: "what is dropped fails no test",
    file: "testing/HandlersFailed.ts",
    find: `["deadLettered", "dropped"]`,
    replace: `["deadLettered"]`,
    foundBy: quiet,
    test: "says what was dropped too"
  },
  {
    name: "a wait that takes too long does not say what fails",
    file: "testing/HandlersFailed.ts",
    find: `if (parked === 0 ||`,
    replace: `if (parked !== 0 ||`,
    foundBy: quiet,
    test: "names what still fails"
  }
]
