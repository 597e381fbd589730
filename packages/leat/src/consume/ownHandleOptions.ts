import { Result } from "effect"
import { ownOptions } from "../given/ownOptions.ts"
import { ownCopy } from "../routes/ownCopy.ts"
import type { RouteFault } from "../routes/Routes.ts"
import { optionNames } from "./handleFaults.ts"
import type { HandleBatchOptions, HandleOptions } from "./Subscription.ts"

/** What is made of data alone. */
const data = ["policy", "retryTopics", "dedupe", "from"] as const

/** Options of a subscription as they are now: what is checked is what is done, whatever their caller changes afterwards. */
export function ownHandleOptions<A extends HandleOptions | HandleBatchOptions>(
  options: A
): Result.Result<A, RouteFault> {
  return Result.flatMap(ownOptions(options, optionNames), (own) => {
    const given: Readonly<Partial<Record<string, unknown>>> = { ...own }
    const said = data.filter((name) => given[name] !== undefined)
    const copied = ownCopy(Object.fromEntries(said.map((name) => [name, given[name]])))
    return Result.map(copied, (copies) => Object.assign({}, own, copies))
  })
}
