/** What callers without types gave that these functions do not take. A misspelt `where` would mean every letter, so names are checked too. */
import { Effect } from "effect"
import { isObject, kindOf } from "../given/takes.ts"
import { TransportError } from "../transport/index.ts"

interface Given {
  readonly transport: unknown
  /** Absent where none is taken. */
  readonly which?: unknown
  readonly options?: unknown
}

const isCount = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && Number(value) >= least

/** Each option: what it is, and whether a value is that. */
const kinds = {
  state: ["`open` or `all`", (value: unknown) => value === "open" || value === "all"],
  partition: ["a number of a partition", (value: unknown) => isCount(value, 0)],
  where: ["a function of a letter", (value: unknown) => typeof value === "function"],
  limit: ["a whole number from 1", (value: unknown) => isCount(value, 1)],
  isDryRun: ["true or false", (value: unknown) => typeof value === "boolean"],
  by: ["a text", (value: unknown) => typeof value === "string"],
  rate: ["a number above 0", (value: unknown) => typeof value === "number" && value > 0],
  replaysMax: ["a whole number from 0", (value: unknown) => isCount(value, 0)],
  reason: ["a text that says why", (value: unknown) => typeof value === "string" && value.trim() !== ""]
} as const satisfies Readonly<Record<string, readonly [what: string, isSo: (value: unknown) => boolean]>>

type OptionName = keyof typeof kinds

/** Fails with `Unsupported` and a sentence, unless everything is as the types say. */
export function checked(
  operation: string,
  names: ReadonlyArray<OptionName>,
  given: Given
): Effect.Effect<void, TransportError> {
  return Effect.suspend(() => {
    const detail = faultOf(names, given)
    if (detail === undefined) return Effect.void
    const { name } = isObject(given.transport) ? given.transport : {}
    const transport = typeof name === "string" ? name : "none"
    return Effect.fail(new TransportError({ reason: "Unsupported", transport, operation, detail }))
  })
}

function faultOf(names: ReadonlyArray<OptionName>, given: Given): string | undefined {
  const { transport, options = {} } = given
  if (!isObject(transport) || typeof transport["read"] !== "function" || typeof transport["bounds"] !== "function")
    return `takes a transport, as leat.transport gives one, and not ${kindOf(transport)}`
  if ("which" in given && !isSource(given.which))
    return `takes a topic and a group, as { topic: "shop.orders", group: "billing" }, and not ${kindOf(given.which)}`
  if (!isObject(options)) return `takes options, and not ${kindOf(options)}`
  for (const [name, value] of Object.entries(options)) {
    const known = names.find((one) => one === name)
    if (known === undefined) return `${name}: is no option; there is ${names.join(", ")}`
    const [what, isSo] = kinds[known]
    if (value !== undefined && !isSo(value))
      return `${name}: is ${what}, and not ${typeof value === "number" ? value : kindOf(value)}`
  }
  if (names.includes("reason") && options["reason"] === undefined)
    return `reason: is ${kinds.reason[0]}, and is not given`
  return undefined
}

function isSource(which: unknown): boolean {
  if (!isObject(which)) return false
  return (
    isText(which["deadLetters"]) || isText(which["undelivered"]) || (isText(which["topic"]) && isText(which["group"]))
  )
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== ""
}
