/**
 * The route document as a person writes it, in YAML or JSON: its schema, how it is read, and the JSON Schema for editors.
 * Whether what it says makes sense together is `Routes.compile`'s question.
 */
import { Duration, Option, Result, Schema } from "effect"
import { parseDocument } from "yaml"
import { isObject, kindOf } from "../given/takes.ts"
import type { Policy } from "../Policy.ts"
import { shareOf } from "./BucketShare.ts"

/** One fault of a document, or of a source or cluster that was asked for. */
export interface RouteFault {
  /** Where, as in `routes[0].to[1].cluster`, or `line 3`; empty: the whole document. */
  readonly path: string
  /** What is wrong and what to do, one sentence. */
  readonly message: string
}

const DurationText = Schema.String.check(
  Schema.makeFilter(
    (text: string) =>
      Option.isSome(durationOf(text)) || "is no duration; write it as `50 millis`, `30 seconds` or `10 minutes`"
  )
)
const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(249))

const RetrySchema = Schema.Struct({
  times: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  deadline: Schema.optionalKey(DurationText),
  base: DurationText,
  factor: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
  maxDelay: Schema.optionalKey(DurationText),
  jitter: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
  budget: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })))
})

const RuleSchema = Schema.Struct({
  on: Schema.NonEmptyArray(Name),
  retry: Schema.optionalKey(RetrySchema),
  timeout: Schema.optionalKey(DurationText),
  then: Schema.Literals(["drop", "deadLetter", "spill", "fallback", "halt"])
})

/** Of one policy, or of several whose rules are asked one after the other. */
const PolicyNames = Schema.Union([Name, Schema.NonEmptyArray(Name)])

const BufferSchema = Schema.Struct({
  bytes: Schema.optionalKey(Positive),
  overflow: Schema.optionalKey(Schema.Literals(["block", "reject", "dropOldest"]))
})
const BatchSchema = Schema.Struct({ bytes: Schema.optionalKey(Positive), records: Schema.optionalKey(Positive) })

const SpillSchema = Schema.Struct({
  cluster: Name,
  bytes: Schema.optionalKey(Positive),
  rate: Schema.optionalKey(Positive),
  age: Schema.optionalKey(DurationText)
})

const BreakerSchema = Schema.Struct({
  failureRate: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1 }))),
  window: Schema.optionalKey(DurationText),
  minSends: Schema.optionalKey(Positive),
  wait: Schema.optionalKey(DurationText),
  maxWait: Schema.optionalKey(DurationText)
})
const FallbackSchema = Schema.Struct({ cluster: Name, back: Schema.Literals(["redrive", "stay"]) })
const ShareText = Schema.String.check(
  Schema.makeFilter((text: string) => {
    const share = shareOf(text)
    return Result.isSuccess(share) || share.failure
  })
)
const CanarySchema = Schema.Struct({ buckets: ShareText }).annotate({
  description:
    "The share of the keys that goes here: percent of the buckets, whole numbers from 0 to 99, both inclusive; 0-9% is the first tenth."
})

/** One, or several that are tried in order. */
const FallbacksSchema = Schema.Union([FallbackSchema, Schema.NonEmptyArray(FallbackSchema)])

const LegSchema = Schema.Struct({
  cluster: Name,
  topic: Name,
  read: Schema.optionalKey(Schema.Boolean),
  required: Schema.optionalKey(Schema.Boolean),
  canary: Schema.optionalKey(CanarySchema),
  wire: Schema.optionalKey(Schema.Literals(["compact", "cloudevents"])),
  policy: Schema.optionalKey(PolicyNames),
  spill: Schema.optionalKey(SpillSchema),
  breaker: Schema.optionalKey(BreakerSchema),
  fallback: Schema.optionalKey(FallbacksSchema),
  buffer: Schema.optionalKey(BufferSchema),
  linger: Schema.optionalKey(DurationText),
  batch: Schema.optionalKey(BatchSchema),
  timeout: Schema.optionalKey(DurationText),
  epoch: Schema.optionalKey(Positive)
})

const TimeSchema = Schema.Struct({ time: Schema.String })
const FromSchema = Schema.Union([Schema.Literals(["earliest", "latest"]), TimeSchema])
const SubscriptionMatchSchema = Schema.Struct({ stream: Name, group: Schema.optionalKey(Name) })
const ReadBufferSchema = Schema.Struct({ bytes: Positive })

const DedupeSchema = Schema.Struct({ records: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })

const RetryTopicsSchema = Schema.Struct({ delays: Schema.NonEmptyArray(DurationText) })

const SubscriptionSchema = Schema.Struct({
  match: SubscriptionMatchSchema,
  policy: Schema.optionalKey(PolicyNames),
  from: Schema.optionalKey(FromSchema),
  concurrency: Schema.optionalKey(Positive),
  buffer: Schema.optionalKey(ReadBufferSchema),
  settleEvery: Schema.optionalKey(DurationText),
  drain: Schema.optionalKey(DurationText),
  crashLoop: Schema.optionalKey(Positive),
  dedupe: Schema.optionalKey(DedupeSchema),
  retryTopics: Schema.optionalKey(RetryTopicsSchema)
})

const ObjectiveSchema = Schema.Struct({ loss: Schema.Finite, window: DurationText })

const RouteMatchSchema = Schema.Struct({ stream: Name, source: Schema.optionalKey(Name) })
const RouteSchema = Schema.Struct({
  match: RouteMatchSchema,
  level: Schema.optionalKey(Schema.Literals(["queued", "durable", "stored"])),
  partitioner: Schema.optionalKey(Schema.Literals(["murmur2", "bucket"])),
  objective: Schema.optionalKey(ObjectiveSchema),
  to: Schema.NonEmptyArray(LegSchema)
})

export const RouteDocument = Schema.Struct({
  version: Positive,
  clusters: Schema.Record(
    Schema.String,
    Schema.StructWithRest(Schema.Struct({ transport: Name }), [Schema.Record(Schema.String, Schema.Unknown)])
  ).annotate({
    description:
      "What each cluster is and how it is reached. Any text but the transport may be or contain ${env:NAME} or ${file:PATH}, which are read when the cluster is opened; ${ writes the text ${."
  }),
  policies: Schema.optionalKey(Schema.Record(Schema.String, Schema.Array(RuleSchema))),
  routes: Schema.NonEmptyArray(RouteSchema),
  subscriptions: Schema.optionalKey(Schema.Array(SubscriptionSchema))
})

/** The decoded document, still as it was written: durations are text. */
export type RouteDocument = typeof RouteDocument.Type
export type LegSpec = typeof LegSchema.Type
export type FallbackSpec = typeof FallbackSchema.Type
export type SubscriptionSpec = typeof SubscriptionSchema.Type
export type ObjectiveSpec = typeof ObjectiveSchema.Type
export type RuleSpec = typeof RuleSchema.Type

/** What an object of the document is called, and its fields, by where it stands: `#` is an index, `*` a name. */
export const objects: ReadonlyMap<string, readonly [name: string, fields: ReadonlyArray<string>]> = new Map([
  ["", ["a route document", Object.keys(RouteDocument.fields)]],
  ["clusters.*", ["a cluster", ["transport", "the fields of its driver"]]],
  ["policies.*.#", ["a rule", Object.keys(RuleSchema.fields)]],
  ["policies.*.#.retry", ["a retry", Object.keys(RetrySchema.fields)]],
  ["routes.#", ["a route", Object.keys(RouteSchema.fields)]],
  ["routes.#.match", ["the match of a route", Object.keys(RouteMatchSchema.fields)]],
  ["routes.#.objective", ["the objective of a route", Object.keys(ObjectiveSchema.fields)]],
  ["routes.#.to.#", ["a leg", Object.keys(LegSchema.fields)]],
  ["routes.#.to.#.canary", ["the canary of a leg", Object.keys(CanarySchema.fields)]],
  ["routes.#.to.#.buffer", ["the buffer of a leg", Object.keys(BufferSchema.fields)]],
  ["routes.#.to.#.spill", ["the spill of a leg", Object.keys(SpillSchema.fields)]],
  ["routes.#.to.#.breaker", ["the breaker of a leg", Object.keys(BreakerSchema.fields)]],
  ["routes.#.to.#.fallback", ["the fallback of a leg", Object.keys(FallbackSchema.fields)]],
  ["routes.#.to.#.fallback.#", ["a fallback of a leg", Object.keys(FallbackSchema.fields)]],
  ["routes.#.to.#.batch", ["the batch of a leg", Object.keys(BatchSchema.fields)]],
  ["subscriptions.#", ["a subscription", Object.keys(SubscriptionSchema.fields)]],
  ["subscriptions.#.match", ["the match of a subscription", Object.keys(SubscriptionMatchSchema.fields)]],
  ["subscriptions.#.buffer", ["the buffer of a subscription", Object.keys(ReadBufferSchema.fields)]],
  ["subscriptions.#.dedupe", ["the dedupe of a subscription", Object.keys(DedupeSchema.fields)]],
  ["subscriptions.#.retryTopics", ["the retry topics of a subscription", Object.keys(RetryTopicsSchema.fields)]],
  ["subscriptions.#.from", ["a place to begin", Object.keys(TimeSchema.fields)]]
])

/** Largest document read, in bytes: a table of thousands of routes is far below it. */
const documentBytesMax = 4 * 1024 * 1024

/** Reads YAML or JSON text. Aliases are bounded, so that a small text cannot become a huge value. */
export function parseRouteText(text: string): Result.Result<unknown, ReadonlyArray<RouteFault>> {
  if (text.length > documentBytesMax) {
    return Result.fail([
      { path: "", message: `the document has ${text.length} characters; the limit is ${documentBytesMax}` }
    ])
  }
  try {
    // Without the level, a key that is a list would be a warning of the process, beside the fault that it is.
    const syntax = { version: "1.2", schema: "core", uniqueKeys: true, prettyErrors: false, logLevel: "error" } as const
    const document = parseDocument(text, syntax)
    const [first] = document.errors
    if (first !== undefined) {
      const line = text.slice(0, first.pos[0]).split("\n").length
      return Result.fail([{ path: `line ${line}`, message: `not YAML or JSON: ${readableFault(first.message)}` }])
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (isObject(value)) return Result.succeed(value)
    const message = /^\S+\.(ya?ml|json)$/.test(text.trim())
      ? `${text.trim()} is the name of a file, and not its text; give the file to open: routes: { file: "${text.trim()}" }, or its text: await readFile("${text.trim()}", "utf8")`
      : `the text holds ${text.trim() === "" ? "nothing" : `only ${kindOf(value)}`}; a route document has version, clusters and routes`
    return Result.fail([{ path: "routes", message }])
  } catch (error) {
    return Result.fail([
      {
        path: "",
        message: `not YAML or JSON: ${readableFault(error instanceof Error ? error.message : String(error))}`
      }
    ])
  }
}

/** What the parser says, and what to do about it where its own words are for who wrote a program. */
function readableFault(message: string): string {
  if (/^(Alias cannot be|Unresolved alias)/.test(message))
    return 'a * that begins a value is an alias in YAML; write it in quotes, as stream: "*"'
  if (message.includes("multiple documents"))
    return "it holds several documents, divided by ---; a route document is one"
  if (message.includes("call stack")) return "it has too many lists or objects within each other"
  return message
}

/**
 * JSON Schema of the document (draft 2020-12), for editors.
 *
 * @example
 * ```ts
 * import { writeFileSync } from "node:fs"
 *
 * writeFileSync("routes.schema.json", JSON.stringify(routeJsonSchema(), undefined, 2))
 * ```
 */
export function routeJsonSchema(): unknown {
  const { schema, definitions } = Schema.toJsonSchemaDocument(RouteDocument, { onExcessProperty: "error" })
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, $defs: definitions }
}

function durationOf(text: string): Option.Option<Duration.Duration> {
  const parts = /^(\d+(?:\.\d+)?) ?(milli|millisecond|second|minute|hour|day|ms|s|m|h|d)s?$/.exec(text.trim())
  const [, amount, unit] = parts ?? []
  if (amount === undefined || unit === undefined) return Option.none()
  const millis = {
    milli: 1,
    millisecond: 1,
    ms: 1,
    m: 60_000,
    s: 1000,
    second: 1000,
    minute: 60_000,
    h: 3_600_000,
    hour: 3_600_000,
    d: 86_400_000,
    day: 86_400_000
  }[unit]
  return millis === undefined ? Option.none() : Option.some(Duration.millis(Number(amount) * millis))
}

/** Milliseconds of a duration that the schema has let through. */
export function millisOf(text: string): number {
  return Option.match(durationOf(text), { onNone: () => 0, onSome: Duration.toMillis })
}

/** The rules of a document as the policy that `decide` reads. */
export function policyOf(rules: ReadonlyArray<RuleSpec>): Policy {
  return rules.map(({ on, retry, timeout, then }) => {
    const limit = timeout === undefined ? {} : { timeoutMs: millisOf(timeout) }
    if (retry === undefined) return { on, ...limit, then }
    const { times, deadline, base, factor, maxDelay, jitter, budget } = retry
    return {
      on,
      ...limit,
      then,
      retry: {
        baseMs: millisOf(base),
        ...(times === undefined ? {} : { times }),
        ...(deadline === undefined ? {} : { deadlineMs: millisOf(deadline) }),
        ...(factor === undefined ? {} : { factor }),
        ...(maxDelay === undefined ? {} : { maxDelayMs: millisOf(maxDelay) }),
        ...(jitter === undefined ? {} : { jitter }),
        ...(budget === undefined ? {} : { budget })
      }
    }
  })
}
