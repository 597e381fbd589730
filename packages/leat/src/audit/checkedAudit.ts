/** What callers without types gave that an audit does not take. */
import { Effect } from "effect"
import { isObject, kindOf, shown } from "../given/takes.ts"
import { TransportError } from "../transport/index.ts"

const isText = (value: unknown) => typeof value === "string" && value !== ""
const isReadable = (value: unknown) =>
  isObject(value) && typeof value["read"] === "function" && typeof value["bounds"] === "function"
const isList = (value: unknown) => Array.isArray(value)

/** Each option: what it is, and whether a value is that. */
type Kinds = Readonly<Record<string, readonly [what: string, isSo: (value: unknown) => boolean]>>

const ofBoth = {
  fromTimeMs: ["epoch milliseconds", (value: unknown) => Number.isSafeInteger(value)],
  windowMs: ["milliseconds, 1000 or more", (value: unknown) => typeof value === "number" && value >= 1000],
  samplesMax: ["a whole number from 0", (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0]
} as const satisfies Kinds

const ofStream: Kinds = {
  group: ["the name of a group", isText],
  ledgers: ["a list of ledgers, as readLedgers of @leat/log tells them", isList],
  fallbacks: [
    "a list of transports, as leat.transport gives them",
    (value) => Array.isArray(value) && value.every(isReadable)
  ],
  ...ofBoth
}

const kinds: Kinds = {
  streams: ["a list of names of streams", (value) => Array.isArray(value) && value.every(isText)],
  cluster: ["the name of a cluster", isText],
  ...ofStream
}

const ofShadow: Kinds = {
  stream: ["the name of a stream", isText],
  canary: [
    "percent of the buckets and how many there are, as { from: 0, to: 9, buckets: 3840 }",
    (value) =>
      isObject(value) &&
      [value["from"], value["to"], value["buckets"]].every(Number.isSafeInteger) &&
      Number(value["from"]) >= 0 &&
      Number(value["from"]) <= Number(value["to"]) &&
      Number(value["to"]) <= 99 &&
      Number(value["buckets"]) >= 1
  ],
  heldMax: ["a whole number from 1", (value) => Number.isSafeInteger(value) && Number(value) >= 1],
  ...ofBoth
}

/** As `checkedAudit`, of a comparison. */
export function checkedShadow(primary: unknown, copy: unknown, settings: unknown): Effect.Effect<void, TransportError> {
  return Effect.suspend(() => {
    const places = Object.entries({ primary, copy })
    const wrong = places.find(
      ([, place]) => !isObject(place) || !isReadable(place["transport"]) || !isText(place["topic"])
    )
    const detail =
      wrong === undefined
        ? optionFault(settings, ofShadow, ["stream"])
        : `${wrong[0]}: is a transport and a topic, as { transport, topic: "shop.orders" }, and not ${kindOf(wrong[1])}`
    if (detail === undefined) return Effect.void
    return Effect.fail(new TransportError({ reason: "Unsupported", transport: "none", operation: "shadow", detail }))
  })
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

/** As `checkedAudit`, of a stream in its places. */
export function checkedStreamAudit(
  stream: unknown,
  ranges: unknown,
  transportOf: unknown,
  options: unknown
): Effect.Effect<void, TransportError> {
  return Effect.suspend(() => {
    const detail = streamFault(stream, ranges, transportOf) ?? optionFault(options, ofStream)
    if (detail === undefined) return Effect.void
    return Effect.fail(new TransportError({ reason: "Unsupported", transport: "none", operation: "audit", detail }))
  })
}

function streamFault(stream: unknown, ranges: unknown, transportOf: unknown): string | undefined {
  if (!isText(stream)) return `takes the name of a stream, and not ${shown(stream)}`
  if (!Array.isArray(ranges) || ranges.length === 0 || !ranges.every(isRange))
    return `takes the ranges that stored of the stream gives, and not ${Array.isArray(ranges) && ranges.length === 0 ? "an empty list" : kindOf(ranges)}`
  if (typeof transportOf !== "function")
    return `takes a function that gives the transport of a cluster, as leat.transport, and not ${kindOf(transportOf)}`
  return undefined
}

function isRange(value: unknown): boolean {
  if (!isObject(value)) return false
  const { cluster, topic, partition, epoch, from, to } = value
  const areTexts = isText(cluster) && isText(topic)
  return areTexts && [partition, epoch].every(Number.isSafeInteger) && [from, to].every((at) => typeof at === "bigint")
}

function faultOf(transport: unknown, topic: unknown, options: unknown): string | undefined {
  if (!isReadable(transport)) return `takes a transport, as leat.transport gives one, and not ${kindOf(transport)}`
  if (!isText(topic)) return `takes the name of a topic, and not ${shown(topic)}`
  const wrong = optionFault(options, kinds)
  if (wrong !== undefined || !isObject(options)) return wrong
  if (options["fallbacks"] !== undefined && options["cluster"] === undefined)
    return "fallbacks: needs cluster too: their topics are named for it"
  return undefined
}

function optionFault(options: unknown, of: Kinds, needed: ReadonlyArray<string> = []): string | undefined {
  if (!isObject(options)) return `takes options, and not ${kindOf(options)}`
  for (const name of needed) if (options[name] === undefined) return `${name}: is missing; it is ${of[name]?.[0]}`
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(of, name) ? of[name] : undefined
    if (kind === undefined) return `${name}: is no option; there is ${Object.keys(of).join(", ")}`
    if (value !== undefined && !kind[1](value)) return `${name}: is ${kind[0]}, and not ${shown(value)}`
  }
  return undefined
}
