/** What `ensure` asks of a topic in leat's words, in those of Kafka, and back. */
import type { TopicSpec, TopicStatus } from "leat/transport"
import type { KafkaOptions } from "./KafkaOptions.ts"

/**
 * What to do about a topic that is not there and is not to be created either; for the sentence of `UnknownTopic`.
 *
 * @example
 * ```ts
 * `${topic}: UNKNOWN_TOPIC_OR_PARTITION; ${whenTopicIsMissing}`
 * ```
 */
export const whenTopicIsMissing =
  "create it, or write `topic: { partitions: N }` into the section of the cluster, and it is created at its first use"

/** How a client is asked to create a topic. */
export interface NewKafkaTopic {
  readonly topic: string
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  /** Only what is asked for; the broker's defaults for the rest. */
  readonly configs: ReadonlyArray<{ readonly name: string; readonly value: string }>
}

/** A topic as a client describes it. */
export interface FoundKafkaTopic {
  readonly partitions: number
  /** Of DescribeConfigs, at least those that `topicConfigNames` lists. */
  readonly configs: ReadonlyArray<{
    readonly name: string
    readonly value: string | null
    /** Whether nobody set it for this topic. */
    readonly isDefault: boolean
  }>
}

/**
 * Configurations that `topicStatus` compares: what DescribeConfigs has to be asked for.
 *
 * @example
 * ```ts
 * topicConfigNames // ["cleanup.policy", "retention.ms", "retention.bytes"]
 * ```
 */
export const topicConfigNames = ["cleanup.policy", "retention.ms", "retention.bytes"] as const

/**
 * The topic that a spec asks for. Compacted with a retention is `compact,delete`: under `compact` alone Kafka ignores it.
 *
 * @example
 * ```ts
 * newKafkaTopic({ topic: "beacons", partitions: 12, compacted: true }, options)
 * // { topic: "beacons", partitions: 12, replicationFactor: -1, configs: [{ name: "cleanup.policy", value: "compact" }] }
 * ```
 */
export function newKafkaTopic(spec: TopicSpec, { topic }: Pick<KafkaOptions, "topic">): NewKafkaTopic {
  const { compacted = false, retention } = spec
  const configs: Array<{ readonly name: string; readonly value: string }> = []
  // Said even where it is Kafka's own default, because an operator may have changed that.
  configs.push({ name: "cleanup.policy", value: policyOf(compacted, deletes(spec)) })
  if (retention?.timeMs !== undefined) configs.push({ name: "retention.ms", value: valueFor(retention.timeMs) })
  if (retention?.bytes !== undefined) configs.push({ name: "retention.bytes", value: valueFor(retention.bytes) })
  return { topic: spec.topic, partitions: spec.partitions, replicationFactor: topic?.replicationFactor ?? -1, configs }
}

/**
 * How a topic that is there differs from what a spec asks; nothing is said of what the spec leaves to the broker and nobody set.
 *
 * @example
 * ```ts
 * const configs = [{ name: "cleanup.policy", value: "delete", isDefault: true }]
 * topicStatus({ topic: "beacons", partitions: 12 }, { partitions: 12, configs }) // { status: "exists", partitions: 12 }
 * ```
 */
export function topicStatus(spec: TopicSpec, found: FoundKafkaTopic): TopicStatus {
  const policies = (valueOf(found, "cleanup.policy") ?? "delete").split(",").map((one) => one.trim())
  const isCompacted = policies.includes("compact")
  const compacted = spec.compacted ?? false
  // Under `compact` alone Kafka deletes nothing for its age, whatever was set.
  const isIdle = compacted && isCompacted && !policies.includes("delete") && spec.retention === undefined
  const rows = [
    ["partitions", spec.partitions, found.partitions] as const,
    ["compacted", compacted, isCompacted] as const,
    ...(isIdle ? [] : retentionRows(spec, found)),
    // A compacted topic that deletes as well loses the last record of keys that rest.
    ...(compacted && isCompacted && !deletes(spec) && policies.includes("delete")
      ? [["retention", "none", `cleanup.policy=${policies.join(",")}`] as const]
      : []),
    ...(!deletes(spec) || policies.includes("delete") || compacted !== isCompacted || (!compacted && !retains(spec))
      ? []
      : [["cleanup.policy", policyOf(compacted, deletes(spec)), policies.join(",")] as const])
  ]
  const differences = rows.flatMap(([property, asked, has]) =>
    String(asked) === String(has)
      ? []
      : [{ property, asked: String(asked ?? "default"), found: String(has ?? "default") }]
  )
  const { partitions } = found
  return differences.length === 0 ? { status: "exists", partitions } : { status: "differs", partitions, differences }
}

function retentionRows({ retention }: TopicSpec, found: FoundKafkaTopic) {
  return [
    ["retention.timeMs", retention?.timeMs, "retention.ms"] as const,
    ["retention.bytes", retention?.bytes, "retention.bytes"] as const
  ].map(([property, asked, name]) => {
    const value = asked === undefined ? undefined : valueFor(asked)
    return [property, value, valueOf(found, name, asked === undefined)] as const
  })
}

/** Kafka's word for no bound is -1. */
function valueFor(bound: number): string {
  return String(bound === Number.POSITIVE_INFINITY ? -1 : bound)
}

/** Undefined: not described, or, where only what somebody set counts, nobody did. */
function valueOf(found: FoundKafkaTopic, name: string, onlyWhenSet = false): string | undefined {
  const config = found.configs.find((one) => one.name === name)
  return config === undefined || (onlyWhenSet && config.isDefault) ? undefined : (config.value ?? undefined)
}

const retains = ({ retention: { timeMs = Infinity, bytes = Infinity } = {} }: TopicSpec): boolean =>
  Number.isFinite(timeMs) || Number.isFinite(bytes)

/** Whether a topic deletes by age or size: every one that is not compacted, and one that is where a retention is asked for. */
const deletes = (spec: TopicSpec): boolean => spec.compacted !== true || retains(spec)

function policyOf(compacted: boolean, isDeleting: boolean): string {
  if (!compacted) return "delete"
  return isDeleting ? "compact,delete" : "compact"
}
