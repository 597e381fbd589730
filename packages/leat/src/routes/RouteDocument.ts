/**
 * The route document as a person writes it, in YAML or JSON: its schema, how it is read, and the JSON Schema for editors.
 * Whether what it says makes sense together is `Routes.compile`'s question.
 */
import { Duration, Effect, Option, Result, Schema, SchemaIssue } from "effect"
import { parseDocument } from "yaml"
import { isObject, kindOf } from "../given/takes.ts"
import type { Policy } from "../Policy.ts"

/** One fault of a document, or of a source or cluster that was asked for. */
export interface RouteFault {
  /** Where, as in `routes[0].to[1].cluster`, or `line 3`; empty: the whole document. */
  readonly path: string
  /** What is wrong and what to do, one sentence. */
  readonly message: string
}

const DurationText = Schema.String.check(
  Schema.makeFilter(
    (text: string) => Option.isSome(durationOf(text)) || "a duration such as `50 millis`, `30 seconds` or `10 minutes`"
  )
)
const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(249))

const RetrySchema = Schema.Struct({
  times: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
  deadline: Schema.optionalKey(DurationText),
  base: DurationText,
  factor: Schema.optionalKey(Schema.Number.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
  maxDelay: Schema.optionalKey(DurationText),
  jitter: Schema.optionalKey(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 })))
})

const RuleSchema = Schema.Struct({
  on: Schema.NonEmptyArray(Name),
  retry: Schema.optionalKey(RetrySchema),
  timeout: Schema.optionalKey(DurationText),
  then: Schema.Literals(["drop", "deadLetter", "spill", "halt"])
})

/** Of one policy, or of several whose rules are asked one after the other. */
const PolicyNames = Schema.Union([Name, Schema.NonEmptyArray(Name)])

const LegSchema = Schema.Struct({
  cluster: Name,
  topic: Name,
  read: Schema.optionalKey(Schema.Boolean),
  required: Schema.optionalKey(Schema.Boolean),
  wire: Schema.optionalKey(Schema.Literals(["compact", "cloudevents"])),
  policy: Schema.optionalKey(PolicyNames),
  buffer: Schema.optionalKey(
    Schema.Struct({
      bytes: Schema.optionalKey(Positive),
      overflow: Schema.optionalKey(Schema.Literals(["block", "reject", "dropOldest"]))
    })
  ),
  linger: Schema.optionalKey(DurationText),
  batch: Schema.optionalKey(
    Schema.Struct({ bytes: Schema.optionalKey(Positive), records: Schema.optionalKey(Positive) })
  ),
  timeout: Schema.optionalKey(DurationText),
  epoch: Schema.optionalKey(Positive)
})

const FromSchema = Schema.Union([Schema.Literals(["earliest", "latest"]), Schema.Struct({ time: Schema.String })])

const SubscriptionSchema = Schema.Struct({
  match: Schema.Struct({ stream: Name, group: Schema.optionalKey(Name) }),
  policy: Schema.optionalKey(PolicyNames),
  from: Schema.optionalKey(FromSchema),
  concurrency: Schema.optionalKey(Positive),
  buffer: Schema.optionalKey(Schema.Struct({ bytes: Positive })),
  settleEvery: Schema.optionalKey(DurationText),
  drain: Schema.optionalKey(DurationText),
  crashLoop: Schema.optionalKey(Positive)
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
  routes: Schema.NonEmptyArray(
    Schema.Struct({
      match: Schema.Struct({ stream: Name, source: Schema.optionalKey(Name) }),
      level: Schema.optionalKey(Schema.Literals(["queued", "durable", "stored"])),
      partitioner: Schema.optionalKey(Schema.Literals(["murmur2", "bucket"])),
      to: Schema.NonEmptyArray(LegSchema)
    })
  ),
  subscriptions: Schema.optionalKey(Schema.Array(SubscriptionSchema))
})

/** The decoded document, still as it was written: durations are text. */
export type RouteDocument = typeof RouteDocument.Type
export type LegSpec = typeof LegSchema.Type
export type SubscriptionSpec = typeof SubscriptionSchema.Type
export type RuleSpec = typeof RuleSchema.Type

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
    const document = parseDocument(text, { version: "1.2", schema: "core", uniqueKeys: true, prettyErrors: false })
    const [first] = document.errors
    if (first !== undefined) {
      const line = text.slice(0, first.pos[0]).split("\n").length
      return Result.fail([{ path: `line ${line}`, message: `not YAML or JSON: ${first.message}` }])
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (isObject(value)) return Result.succeed(value)
    const message = /^\S+\.(ya?ml|json)$/.test(text.trim())
      ? `${text.trim()} is the name of a file, and not its text; read it: routes: await readFile("${text.trim()}", "utf8")`
      : `the text holds ${text.trim() === "" ? "nothing" : `only ${kindOf(value)}`}; a route document has version, clusters and routes`
    return Result.fail([{ path: "routes", message }])
  } catch (error) {
    return Result.fail([
      { path: "", message: `not YAML or JSON: ${error instanceof Error ? error.message : String(error)}` }
    ])
  }
}

/** Decodes a value; reports every fault, and every key that it does not know. */
export function decodeRouteDocument(value: unknown): Result.Result<RouteDocument, ReadonlyArray<RouteFault>> {
  if (!isObject(value) || Array.isArray(value)) {
    const message = `is ${kindOf(value)}; a route document is an object with version, clusters and routes, or its text in YAML or JSON`
    return Result.fail([{ path: "routes", message }])
  }
  return Result.mapError(decoded(value), faultsOf)
}

function decoded(value: unknown): Result.Result<RouteDocument, SchemaIssue.Issue> {
  const decoding = Schema.decodeUnknownEffect(RouteDocument)(value, { errors: "all", onExcessProperty: "error" })
  return Result.mapError(Effect.runSync(Effect.result(decoding)), ({ issue }) => issue)
}

/**
 * What a document with faults says without the fields that have them, so that the rest can be checked too; undefined when that is no
 * document. Only fields of routes, rules, clusters and subscriptions are left out: without a whole one, other faults would follow from that.
 */
export function withoutFaults(value: unknown): RouteDocument | undefined {
  const first = decoded(value)
  if (Result.isSuccess(first)) return first.success
  const paths = formatIssues(first.failure).issues.map(({ path = [] }) => path.map(keyOf))
  if (paths.some((path) => path.length < 3)) return undefined
  const rest = decoded(paths.reduce(without, value))
  return Result.isSuccess(rest) ? rest.success : undefined
}

function without(value: unknown, [key, ...rest]: ReadonlyArray<PropertyKey>): unknown {
  if (key === undefined || !isObject(value)) return value
  if (Array.isArray(value)) return value.map((item: unknown, index) => (index === key ? without(item, rest) : item))
  const entries = Object.entries(value)
  if (rest.length === 0) return Object.fromEntries(entries.filter(([name]) => name !== key))
  return Object.fromEntries(entries.map(([name, item]) => [name, name === key ? without(item, rest) : item]))
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

function faultsOf(issue: SchemaIssue.Issue): ReadonlyArray<RouteFault> {
  return formatIssues(issue).issues.map(({ message, path }) => ({ path: pathText(path ?? []), message }))
}

type PathPart = PropertyKey | { readonly key: PropertyKey }

function keyOf(part: PathPart): PropertyKey {
  return typeof part === "object" ? part.key : part
}

function pathText(path: ReadonlyArray<PathPart>): string {
  let text = ""
  for (const part of path) {
    const key = keyOf(part)
    if (typeof key === "number") text += `[${key}]`
    else text += text === "" ? String(key) : `.${String(key)}`
  }
  return text
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
    const { times, deadline, base, factor, maxDelay, jitter } = retry
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
        ...(jitter === undefined ? {} : { jitter })
      }
    }
  })
}
