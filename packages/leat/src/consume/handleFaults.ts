/** What is wrong with the name and the options that a subscription is given in code, where types let any text and number pass. */
import { isObject, kindOf, shown } from "../given/takes.ts"
import { meant } from "../given/nearest.ts"
import { nameFault } from "../given/nameFault.ts"
import { faults, retryBudget } from "../Policy.ts"
import { noBudgetHere } from "../routes/policyFaults.ts"
import { concurrencyMax, dedupeRecordsMax } from "../routes/RouteFaults.ts"
import { retryTopicFaults } from "../routes/retryTopicFaults.ts"
import type { RouteFault } from "../routes/Routes.ts"
import { inboxFaults } from "./inboxFaults.ts"
import type { HandleBatchOptions, HandleOptions } from "./Subscription.ts"

/** Most events of one batch: more would be a mistake. */
const recordsMax = 1_000_000

/** Longest wait of a batch for more events, in milliseconds: nothing behind it is settled meanwhile. */
const waitMsMax = 3_600_000

/** Longest name of a group in bytes of UTF-8: what every backend takes. */
const groupBytesMax = 255

/** What is wrong with the name of a group, on every backend alike; undefined when it can be used. */
export function groupFault(group: unknown): string | undefined {
  return nameFault("a group", group, groupBytesMax)
}

/** Of a subscription, in code. */
export const optionNames: ReadonlyArray<string> = [
  "concurrency",
  "dedupe",
  "from",
  "inbox",
  "onTombstone",
  "policy",
  "records",
  "retryTopics",
  "waitMs"
]

/** The faults of a subscription, each with its path; empty when it can begin. */
export function handleFaults(
  group: unknown,
  options: HandleOptions & HandleBatchOptions,
  handler: unknown
): ReadonlyArray<RouteFault> {
  const given: unknown = options
  if (!isObject(given))
    return [{ path: "options", message: `are an object, as { concurrency: 4 }, and not ${kindOf(given)}` }]
  const { concurrency, records, from, inbox, policy, onTombstone, dedupe, waitMs, retryTopics } = options
  const found: Array<RouteFault> = []
  const wrongName = groupFault(group)
  if (wrongName !== undefined) found.push({ path: "group", message: wrongName })
  if (typeof handler !== "function") found.push({ path: "handler", message: "is no function" })
  for (const name of Object.keys(options)) {
    if (optionNames.includes(name)) continue
    found.push({
      path: name,
      message: `is no option of a subscription; in code it has ${optionNames.join(", ")}${meant(name, optionNames)}`
    })
  }
  const before: unknown = isObject(dedupe) ? dedupe.records : undefined
  const counts = [
    ["concurrency", concurrency, 1, concurrencyMax],
    ["records", records, 1, recordsMax],
    ["waitMs", waitMs, 0, waitMsMax],
    ["dedupe.records", before, 0, dedupeRecordsMax]
  ] as const
  for (const [path, value, least, most] of counts) {
    if (value === undefined && !(path === "dedupe.records" && isObject(dedupe))) continue
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) continue
    found.push({ path, message: `${shown(value)} is not a whole number from ${least} to ${most}` })
  }
  const lookback: unknown = dedupe
  if (lookback !== undefined && !isObject(lookback))
    found.push({ path: "dedupe", message: `is an object, as { records: 10000 }, and not ${kindOf(lookback)}` })
  if (onTombstone !== undefined && typeof onTombstone !== "function")
    found.push({ path: "onTombstone", message: "is no function" })
  if (from !== undefined) found.push(...fromFaults(from))
  if (inbox !== undefined) found.push(...inboxFaults(inbox))
  found.push(...retryTopicFaults(retryTopics))
  const ofPolicy = faults(policy ?? [])
    .filter(({ path }) => !path.endsWith(".then"))
    .map(({ path, message }) => ({ path: `policy${path}`, message }))
  if (ofPolicy.length === 0 && retryBudget(policy ?? []) !== undefined)
    found.push({ path: "policy", message: noBudgetHere })
  return [...found, ...endingFaults(policy), ...ofPolicy]
}

function fromFaults(from: unknown): ReadonlyArray<RouteFault> {
  if (from === "earliest" || from === "latest") return []
  if (typeof from === "object" && from !== null && "timeMs" in from) {
    if (Number.isFinite(from.timeMs)) return []
    return [{ path: "from.timeMs", message: `${shown(from.timeMs)} is not a time in epoch milliseconds` }]
  }
  if (typeof from === "object" && from !== null && "position" in from) {
    if (typeof from.position === "bigint" && from.position >= 0n) return []
    return [{ path: "from.position", message: `${shown(from.position)} is not a position: a bigint from 0n` }]
  }
  return [{ path: "from", message: 'is none of "earliest", "latest", { timeMs: ... } and { position: ... }' }]
}

const endings: ReadonlyArray<unknown> = ["drop", "deadLetter", "halt"]

/** What is no ending, and what only a leg can do. */
function endingFaults(policy: unknown): ReadonlyArray<RouteFault> {
  const rules: ReadonlyArray<unknown> = Array.isArray(policy) ? policy : []
  return rules.flatMap((rule, index) => {
    if (!isObject(rule) || endings.includes(rule["then"])) return []
    return [{ path: `policy[${index}].then`, message: endingFault(rule["then"]) }]
  })
}

function endingFault(ending: unknown): string {
  const says = "say drop, deadLetter or halt"
  if (ending === "spill" || ending === "fallback")
    return `a subscription cannot ${ending === "spill" ? "spill" : "fall back"}: its events stand in their topic; ${says}`
  return typeof ending === "string" ? `${says}${meant(ending, ["drop", "deadLetter", "halt"])}` : says
}
