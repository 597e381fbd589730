/** What callers without types gave that an audit does not take. */
import { Effect } from "effect"
import { isObject, kindOf, shown } from "../given/takes.ts"
import { TransportError } from "../transport/index.ts"

const isText = (value: unknown) => typeof value === "string" && value !== ""
const isReadable = (value: unknown) =>
  isObject(value) && typeof value["read"] === "function" && typeof value["bounds"] === "function"
const isList = (value: unknown) => Array.isArray(value)

/** Each option: what it is, and whether a value is that. */
const kinds: Readonly<Record<string, readonly [what: string, isSo: (value: unknown) => boolean]>> = {
  streams: ["a list of names of streams", (value) => Array.isArray(value) && value.every(isText)],
  fromTimeMs: ["epoch milliseconds", (value) => Number.isSafeInteger(value)],
  group: ["the name of a group", isText],
  ledgers: ["a list of ledgers, as readLedgers of @leat/log tells them", isList],
  cluster: ["the name of a cluster", isText],
  fallbacks: [
    "a list of transports, as leat.transport gives them",
    (value) => Array.isArray(value) && value.every(isReadable)
  ],
  windowMs: ["milliseconds, 1000 or more", (value) => typeof value === "number" && value >= 1000],
  samplesMax: ["a whole number from 0", (value) => Number.isSafeInteger(value) && Number(value) >= 0]
}

/** Fails with `Unsupported` and a sentence, unless everything is as the types say. */
export function checkedAudit(
  transport: unknown,
  topic: unknown,
  options: unknown
): Effect.Effect<void, TransportError> {
  return Effect.suspend(() => {
    const detail = faultOf(transport, topic, options)
    if (detail === undefined) return Effect.void
    const { name } = isObject(transport) ? transport : {}
    const kind = typeof name === "string" ? name : "none"
    return Effect.fail(new TransportError({ reason: "Unsupported", transport: kind, operation: "audit", detail }))
  })
}

function faultOf(transport: unknown, topic: unknown, options: unknown): string | undefined {
  if (!isReadable(transport)) return `takes a transport, as leat.transport gives one, and not ${kindOf(transport)}`
  if (!isText(topic)) return `takes the name of a topic, and not ${shown(topic)}`
  if (!isObject(options)) return `takes options, and not ${kindOf(options)}`
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (kind === undefined) return `${name}: is no option; there is ${Object.keys(kinds).join(", ")}`
    if (value !== undefined && !kind[1](value)) return `${name}: is ${kind[0]}, and not ${shown(value)}`
  }
  if (options["fallbacks"] !== undefined && options["cluster"] === undefined)
    return "fallbacks: needs cluster too: their topics are named for it"
  return undefined
}
