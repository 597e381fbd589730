/** The Kafka cluster section of a route document, as it is written: one shape for both drivers. */
import { Result, Schema, SchemaIssue } from "effect"
import { type ClusterConfig, formFault, hasReference, isReference } from "leat/transport"
import { brokersOf } from "./brokerAddress.ts"
import { type SectionPhase, sectionSchema } from "./sectionSchema.ts"

/** One fault of a cluster section. */
export interface SectionIssue {
  /** Where in the section, as in `brokers[1]` or `sasl.password`; empty: the whole section. */
  readonly path: string
  /** What is wrong and what to do, one sentence. Never what stood there: it may be a secret. */
  readonly message: string
}

const written: SectionPhase = {
  text: (isGood) => (text) => hasReference(text) || isGood(text),
  secret: Schema.String.check(
    Schema.makeFilter(
      (text: string) =>
        isReference(text) || "a secret does not stand in a document; write ${env:NAME} or ${file:PATH} in its place"
    )
  )
}
const opened: SectionPhase = {
  text: (isGood) => isGood,
  secret: Schema.String.check(Schema.makeFilter((text: string) => text !== "" || "what its reference gives is empty"))
}

const writtenSchema = sectionSchema(written)
const openedSchema = sectionSchema(opened)

/** A section without faults, still as it was written: text may be references, and brokers one text. */
export type ClusterSection = typeof writtenSchema.Type

const options = { errors: "all", onExcessProperty: "error" } as const
const decodeWritten = Schema.decodeUnknownResult(writtenSchema, options)
const decodeOpened = Schema.decodeUnknownResult(openedSchema, options)
const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Checks a section as it stands in the document, for a driver's `inspect`; reports every fault, and every key that it does not
 * know. Secrets have to be references. What other references stand for is judged when the cluster is opened.
 *
 * @example
 * ```ts
 * inspect: (config) => {
 *   const section = inspectSection(config)
 *   return Result.isFailure(section) ? { issues: section.failure } : { capabilities: capabilitiesOf(section.success) }
 * }
 * ```
 */
export function inspectSection(config: ClusterConfig): Result.Result<ClusterSection, ReadonlyArray<SectionIssue>> {
  return Result.mapError(decodeWritten(config), ({ issue }) => issuesOf(issue))
}

/**
 * Where the cluster is, for a driver's `inspect`: its brokers, the same for every driver. Two sections with a broker in common are one
 * cluster.
 *
 * @example
 * ```ts
 * addressesOf({ brokers: ["K1:9092", "k2:9092"] }) // ["kafka:k1:9092", "kafka:k2:9092"]
 * ```
 */
export function addressesOf({ brokers }: ClusterSection): ReadonlyArray<string> {
  const listed = typeof brokers === "string" ? brokersOf(brokers) : brokers
  return listed.map((address) => `kafka:${hasReference(address) ? address : address.toLowerCase()}`)
}

/** Checks a section whose references are resolved. */
export function checkOpenedSection(config: ClusterConfig): Result.Result<ClusterSection, ReadonlyArray<SectionIssue>> {
  return Result.mapError(decodeOpened(config), ({ issue }) => issuesOf(issue))
}

/** Without `reportInput` no message of a schema says what stood there; those of our own checks do not either. */
function issuesOf(issue: SchemaIssue.Issue): ReadonlyArray<SectionIssue> {
  return formatIssues(issue).issues.map((one) => formFault(one, writtenSchema))
}
