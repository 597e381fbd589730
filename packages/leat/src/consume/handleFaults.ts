/** What is wrong with options that a subscription is given in code, where types let any number pass. */
import { faults } from "../Policy.ts"
import type { RouteFault } from "../routes/Routes.ts"
import type { HandleBatchOptions, HandleOptions } from "./Subscription.ts"

/** Most handlers of one lane, and most events of one batch: more would be a mistake. */
const countMax = 1_000_000

/** The faults of the options, each with its path; empty when the subscription can begin. */
export function handleFaults(options: HandleOptions & HandleBatchOptions): ReadonlyArray<RouteFault> {
  const { concurrency, records, from, policy } = options
  const found: Array<RouteFault> = []
  for (const [path, value] of Object.entries({ concurrency, records })) {
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= countMax)) continue
    found.push({ path, message: `${value} is not a whole number from 1 to ${countMax}` })
  }
  if (typeof from === "object") {
    if ("timeMs" in from && !Number.isFinite(from.timeMs))
      found.push({ path: "from.timeMs", message: `${from.timeMs} is not a time in epoch milliseconds` })
    if ("position" in from && !(typeof from.position === "bigint" && from.position >= 0n))
      found.push({ path: "from.position", message: `${from.position} is not a position: a bigint from 0n` })
  }
  return [...found, ...faults(policy ?? []).map(({ path, message }) => ({ path: `policy${path}`, message }))]
}
