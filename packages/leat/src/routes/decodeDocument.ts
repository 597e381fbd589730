/** A value as a route document: every fault of its form, each as a sentence; and what it says beside them, so that the rest is checked too. */
import { Effect, Result, Schema, SchemaIssue } from "effect"
import { lengthMissing } from "../given/formFault.ts"
import { meant } from "../given/nearest.ts"
import { isObject, kindOf } from "../given/takes.ts"
import { examples } from "./examples.ts"
import { ownCopy } from "./ownCopy.ts"
import { pathText } from "./pathText.ts"
import { objects, RouteDocument, type RouteFault } from "./RouteDocument.ts"

/** What a value is as a document. */
export interface Decoded {
  /** Of its form; empty where it is a document. */
  readonly faults: ReadonlyArray<RouteFault>
  /** With other values in place of those that are wrong; undefined where too little is right. */
  readonly document: RouteDocument | undefined
}

/** Decodes a value; tells every fault, and every key that it does not know. */
export function decodeDocument(given: unknown): Decoded {
  const copied = ownCopy(given)
  if (Result.isFailure(copied)) return { faults: [copied.failure], document: undefined }
  const value = copied.success
  if (value instanceof Uint8Array) {
    const message = 'is a Buffer; read the document as text: routes: readFileSync("routes.yaml", "utf8")'
    return { faults: [{ path: "routes", message }], document: undefined }
  }
  if (!isObject(value) || Array.isArray(value)) {
    const message = `is ${kindOf(value)}; a route document is an object with version, clusters and routes, or its text in YAML or JSON`
    return { faults: [{ path: "routes", message }], document: undefined }
  }
  const decoded = decode(value)
  if (Result.isSuccess(decoded)) return { faults: [], document: decoded.success }
  const issues = issuesOf(decoded.failure)
  const rest = decode(issues.reduce((whole: unknown, { path }) => repaired(whole, path, []), value))
  const faults = issues.map((issue) => faultOf(issue, value))
  return { faults, document: Result.isSuccess(rest) ? rest.success : undefined }
}

/**
 * Whether a fault, found in a document that had faults of form, does not follow from those: not from what stands in their place, nor from a
 * number beside it with which it is compared.
 */
export function isApart(others: ReadonlyArray<RouteFault>): (fault: RouteFault) => boolean {
  const isWithin = (path: string, whole: string) =>
    path === whole || (path.startsWith(whole) && /^[.[]/.test(path.slice(whole.length)))
  const isTopBroken = others.some(({ path }) => /^\w+$/.test(path) && path !== "version")
  return ({ path }) => {
    if (isTopBroken && /\.(cluster|policy)$/.test(path)) return false
    const isCompared = /\.(linger|batch\.bytes)$/.test(path)
    const object = path.replace(/(\.batch)?\.\w+$/, "")
    return !others.some(
      (other) =>
        isWithin(path, other.path) || isWithin(other.path, path) || (isCompared && isWithin(other.path, object))
    )
  }
}

function decode(value: unknown): Result.Result<RouteDocument, SchemaIssue.Issue> {
  const decoding = Schema.decodeUnknownEffect(RouteDocument)(value, { errors: "all", onExcessProperty: "error" })
  return Result.mapError(Effect.runSync(Effect.result(decoding)), ({ issue }) => issue)
}

interface Issue {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

const missing = "is missing"
const surplus = "is not known"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    if (issue._tag === "MissingKey") return missing
    return issue._tag === "UnexpectedKey" ? surplus : SchemaIssue.defaultLeafHook(issue)
  }
})

/** One for each place: of several the last, which says the bounds. */
function issuesOf(issue: SchemaIssue.Issue): ReadonlyArray<Issue> {
  const found = new Map<string, Issue>()
  for (const { message, path = [] } of formatIssues(issue).issues) {
    const place = path.map((part) => (typeof part === "object" ? part.key : part))
    found.set(place.map(String).join("\0"), { message, path: place })
  }
  return Array.from(found.values())
}

/** Stands for a stream that no route but its own matches. */
const nobody = { stream: "(not readable)" }
const leg = { cluster: "(not readable)", topic: "{stream}" }

/** What stands in the place of a field that is needed and cannot be read. Others are left out. */
const standIns: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["version", 1],
  ["clusters", {}],
  ["clusters.*", { transport: "(not readable)" }],
  ["clusters.*.transport", "(not readable)"],
  ["policies.*", []],
  ["policies.*.#", { on: ["*"], then: "halt" }],
  ["policies.*.#.on", ["*"]],
  ["policies.*.#.on.#", "*"],
  ["policies.*.#.then", "halt"],
  ["policies.*.#.retry.base", "1 second"],
  ["routes", [{ match: nobody, to: [leg] }]],
  ["routes.#", { match: nobody, to: [leg] }],
  ["routes.#.match", nobody],
  ["routes.#.match.stream", nobody.stream],
  ["routes.#.objective.loss", 0.0001],
  ["routes.#.objective.window", "1 day"],
  ["routes.#.to", [leg]],
  ["routes.#.to.#", leg],
  ["routes.#.to.#.cluster", leg.cluster],
  ["routes.#.to.#.topic", leg.topic],
  ["routes.#.to.#.canary.buckets", "0-9%"],
  ["routes.#.to.#.policy.#", "strict"],
  ["subscriptions.#", { match: nobody }],
  ["subscriptions.#.match", nobody],
  ["subscriptions.#.match.stream", nobody.stream],
  ["subscriptions.#.policy.#", "standard"],
  ["subscriptions.#.buffer.bytes", 1],
  ["subscriptions.#.dedupe.records", 0],
  ["subscriptions.#.retryTopics.delays", ["1 second"]],
  ["subscriptions.#.retryTopics.delays.#", "1 second"],
  ["subscriptions.#.from.time", "2026-01-01"]
])

/** The value with another one at the end of a path, or nothing there. */
function repaired(
  value: unknown,
  [key, ...rest]: ReadonlyArray<PropertyKey>,
  before: ReadonlyArray<PropertyKey>
): unknown {
  if (key === undefined || !isObject(value)) return value
  const path = [...before, key]
  const instead = standIns.get(kindOfPlace(path))
  const at = (item: unknown) => (rest.length === 0 ? instead : repaired(item, rest, path))
  if (Array.isArray(value))
    return Array.from({ length: Math.max(value.length, Number(key) + 1) }, (_, index) =>
      index === key ? at(value[index]) : value[index]
    )
  const name = String(key)
  const { [name]: item, ...others } = value
  return rest.length === 0 && instead === undefined ? others : { ...others, [name]: at(item) }
}

/** Where something stands, whatever its index and name. */
function kindOfPlace(path: ReadonlyArray<PropertyKey>): string {
  const isNamed = path[0] === "clusters" || path[0] === "policies"
  return path
    .map((key, index) => (typeof key === "number" ? "#" : index === 1 && isNamed ? "*" : String(key)))
    .join(".")
}

function faultOf({ path, message }: Issue, input: unknown): RouteFault {
  const [last] = path.slice(-1)
  const parent = path.slice(0, -1)
  if (message === missing && typeof last === "number")
    return { path: pathText(parent), message: "is empty; it needs one entry at least" }
  const place = kindOfPlace(path)
  const [owner, fields] = objects.get(kindOfPlace(parent)) ?? ["it", []]
  const known = fields.join(", ")
  const hint = meant(String(last), fields)
  if (message === missing) {
    const isMerged = isObject(valueAt(input, parent)) && Object.hasOwn(valueAt(input, parent) as object, "<<")
    const merging = isMerged ? "; << merges nothing in YAML 1.2, so write the fields out" : ""
    return { path: pathText(path), message: `is missing; ${owner} has ${known}${merging}` }
  }
  if (message === surplus)
    return { path: pathText(path), message: `is no field of ${owner}, which has ${known}${hint}` }
  const impossible = place === "policies.*.#.then" && isOfSubscriptions(input, path[1]) ? endingsOfLegs : []
  return {
    path: pathText(path),
    message:
      place === "subscriptions.#.from"
        ? fromSentence(valueAt(input, path))
        : sentenceOf(message, valueAt(input, path), examples.get(place), impossible)
  }
}

function fromSentence(value: unknown): string {
  const names = ["earliest", "latest"]
  const given = typeof value === "string" ? value : kindOf(value)
  return `${given} is none of earliest, latest and { time: "2026-11-24T08:00:00Z" }${meant(given, names)}`
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "an object"
}

const endingsOfLegs = ["spill", "fallback"]

/** Whether a policy is named by subscriptions and by no leg: then it cannot do all that a rule can say. */
function isOfSubscriptions(input: unknown, policy: PropertyKey | undefined): boolean {
  const isNamed = (one: unknown) => isObject(one) && [one["policy"]].flat().includes(policy)
  const legs = listAt(input, "routes").flatMap((route) => listAt(route, "to"))
  return listAt(input, "subscriptions").some(isNamed) && !legs.some(isNamed)
}

function listAt(value: unknown, name: string): ReadonlyArray<unknown> {
  const list = isObject(value) ? value[name] : undefined
  return Array.isArray(list) ? list : []
}

/** What the schema says that it expects, as a sentence about what it was given. */
function sentenceOf(
  message: string,
  value: unknown,
  example: string | undefined,
  impossible: ReadonlyArray<string>
): string {
  if (message === lengthMissing) return "is empty"
  const [, most] = /^Expected a value with a length of at most (\d+)$/.exec(message) ?? []
  if (most !== undefined) return `has more than ${most} characters`
  const [, expected] = /^Expected ((?:"\w+"|\w+)(?: \| (?:"\w+"|\w+))*)$/.exec(message) ?? []
  if (expected === undefined) return message
  const words = expected.split(" | ")
  const names = words
    .filter((word) => word.startsWith('"'))
    .map((word) => word.slice(1, -1))
    .filter((name) => !impossible.includes(name))
  if (names.length === 0)
    return `is ${kindOf(value)}, and must be ${words.map((word) => kinds[word] ?? word).join(" or ")}${such(example)}${digits(value)}`
  const given = typeof value === "string" ? value : kindOf(value)
  return `${given} is none of ${names.join(", ")}${meant(given, names)}`
}

function such(example: string | undefined): string {
  if (example === undefined) return ""
  return example.startsWith("as ") ? `, ${example}` : ` ${example}`
}

/** TypeScript has such numbers, and YAML has not. */
function digits(value: unknown): string {
  return typeof value === "string" && /^\d+(_\d+)+$/.test(value) ? "; write it without _" : ""
}

function valueAt(value: unknown, path: ReadonlyArray<PropertyKey>): unknown {
  return path.reduce((whole: unknown, key) => (isObject(whole) ? whole[String(key)] : undefined), value)
}
