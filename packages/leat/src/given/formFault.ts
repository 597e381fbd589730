/**
 * What a schema says of the section of a cluster, as sentences: with the fields that there are, and the one that was meant. Drivers give their
 * schema, of which only the names of fields and their examples (`annotate({ examples: [8] })`) are read. No sentence says what stood there: it may be a secret.
 */
import { meant } from "./nearest.ts"
import { isObject } from "./takes.ts"

/** What a formatter of `effect/SchemaIssue` gives. */
interface FormIssue {
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
  readonly message: string
}

/** What a schema says of an empty text or list that may not be one, as an environment variable without a value gives it. */
export const lengthMissing = "Expected a value with a length of at least 1"

/** One fault: where, as in `brokers[1]`, and what to do. */
interface FormFault {
  readonly path: string
  readonly message: string
}

/**
 * The fault of one issue that a schema has found.
 *
 * @example
 * ```ts
 * formFault({ path: ["directry"], message: "Expected no excess property" }, Config)
 * // { path: "directry", message: "is no field here; there is directory, partitions; did you mean directory?" }
 * ```
 */
export function formFault({ path: parts = [], message }: FormIssue, schema: unknown): FormFault {
  const path = parts.map((part) => (typeof part === "object" ? part.key : part))
  const fields = fieldsAt(schema, path.slice(0, -1))
  const known = fields.join(", ")
  const name = String(path[path.length - 1])
  if (message === "Missing key" && typeof path[path.length - 1] === "number")
    return { path: pathText(path.slice(0, -1)), message: "is empty" }
  if (message === "Missing key") return { path: pathText(path), message: "is missing" }
  const example = exampleOf(schemaAt(schema, path))
  const sentence = sentenceOf(message, example)
  if (sentence !== undefined) return { path: pathText(path), message: sentence }
  if (message === "Expected no excess property" && fields.length > 0)
    return { path: pathText(path), message: `is no field here; there is ${known}${meant(name, fields)}` }
  const [, expected] = /^Expected ((?:"[^"]+"|\w+)(?: \| (?:"[^"]+"|\w+))*)$/.exec(message) ?? []
  if (expected === undefined) return { path: pathText(path), message }
  const words = expected.split(" | ").map((word) => kinds[word] ?? word.replaceAll('"', ""))
  return { path: pathText(path), message: `must be ${words.join(" or ")}${example}` }
}

/** What a schema says of a value of the right kind; undefined: something else. */
function sentenceOf(message: string, example: string): string | undefined {
  if (message === lengthMissing) return "is empty"
  if (message === "Expected an integer") return `must be a whole number${example}`
  const [, from, to] = /^Expected a value between (\S+) and (\S+)$/.exec(message) ?? []
  return from === undefined ? undefined : `must be from ${from} to ${to}`
}

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "an object"
}

/** Names of the fields of the object at a path; none where it is no object of one shape. */
function fieldsAt(schema: unknown, path: ReadonlyArray<PropertyKey>): ReadonlyArray<string> {
  const fields = fieldsOf(schema)
  const [key, ...rest] = path
  if (key === undefined) return Object.keys(fields)
  return Object.hasOwn(fields, key) ? fieldsAt(fields[String(key)], rest) : []
}

function schemaAt(schema: unknown, path: ReadonlyArray<PropertyKey>): unknown {
  const [key, ...rest] = path
  if (key === undefined) return schema
  const fields = fieldsOf(schema)
  return Object.hasOwn(fields, key) ? schemaAt(fields[String(key)], rest) : undefined
}

/** `, as 8`, or nothing where the schema has no example. It stands at the last check, where there is one. */
function exampleOf(schema: unknown): string {
  const ast = partOf(schema, "ast")
  const checks = partOf(ast, "checks")
  const last: unknown = Array.isArray(checks) ? checks.at(-1) : ast
  const examples = partOf(partOf(last, "annotations"), "examples")
  return Array.isArray(examples) && examples.length > 0 ? `, as ${exampleText(examples[0])}` : ""
}

/** As YAML says it, also within braces. */
function exampleText(value: unknown): string {
  if (typeof value === "string") return /[{}[\],]|^[@*&!%#]/.test(value) ? JSON.stringify(value) : value
  if (Array.isArray(value)) return `[${value.map(exampleText).join(", ")}]`
  if (!isObject(value)) return String(value)
  return `{ ${Object.entries(value)
    .map(([name, item]) => `${name}: ${exampleText(item)}`)
    .join(", ")} }`
}

function partOf(value: unknown, name: string): unknown {
  return isObject(value) || typeof value === "function" ? Reflect.get(value, name) : undefined
}

/** Of a struct, of an optional one, and of the one struct in a union. */
function fieldsOf(schema: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(schema) && typeof schema !== "function") return {}
  const { fields, schema: inner, members } = schema as Readonly<Record<string, unknown>>
  if (isObject(fields)) return fields
  if (Array.isArray(members)) return members.map(fieldsOf).find((one) => Object.keys(one).length > 0) ?? {}
  return inner === undefined ? {} : fieldsOf(inner)
}

function pathText(path: ReadonlyArray<PropertyKey>): string {
  let text = ""
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`
    else text += text === "" ? String(key) : `.${String(key)}`
  }
  return text
}
