/**
 * What is wrong with the options of one publish, or the context of one offer, for callers without types: a name or a level that is misspelt
 * would be lost without a word. Runs for each event that has any, so it makes nothing but the sentence.
 */
import { meant } from "../given/nearest.ts"
import { isObject, kindOf, shown } from "../given/takes.ts"
import { isTraceparent } from "../record/traceparent.ts"

const levels: ReadonlyArray<string> = ["queued", "durable", "stored"]

const names: ReadonlyArray<string> = [
  "level",
  "signal",
  "traceparent",
  "tracestate",
  "baggage",
  "correlationId",
  "causationId",
  "cause",
  "headers"
]
const known: ReadonlySet<string> = new Set(names)

/** Undefined when the options can be followed. The texts themselves are checked where they are written. */
export function contextFault(given: object): string | undefined {
  for (const name in given)
    if (!known.has(name)) return `${name} is no option of a publish; it has ${names.join(", ")}${meant(name, names)}`
  const { level, traceparent, cause } = given as Readonly<Record<string, unknown>>
  if (level !== undefined && !(typeof level === "string" && levels.includes(level))) {
    const text = typeof level === "string" ? level : kindOf(level)
    return `the level ${text} is none of ${levels.join(", ")}${meant(text, levels)}`
  }
  if (cause !== undefined && cause !== "none" && !isCause(cause))
    return `cause is the info of a delivery or "none", and not ${typeof cause === "string" ? shown(cause) : kindOf(cause)}`
  if (typeof traceparent !== "string" || isTraceparent(traceparent) || !traceparent.isWellFormed()) return undefined
  return "traceparent is no W3C trace context, as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
}

/** A pair of an event and its info is none: without an id nothing would be taken over, and nobody told. */
function isCause(cause: unknown): boolean {
  return isObject(cause) && "id" in cause && (cause["id"] === undefined || isObject(cause["id"]))
}
