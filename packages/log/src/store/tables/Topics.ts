/** The topics of a log: few, created rarely. They share one checksum, because a name with a flipped bit would look like a new topic. */
import type { TopicSpec, TopicStatus } from "leat/transport"
import { Refusal } from "../../Fault.ts"
import type { Database } from "./Database.ts"
import { rowSum } from "./rowSum.ts"

export interface Topic {
  readonly id: number
  readonly name: string
  /** Partition n of the topic is partition `firstPartition + n` of the log. */
  readonly firstPartition: number
  readonly partitions: number
  readonly compacted: boolean
  /** Infinity: nothing is deleted for it, whatever the defaults are. */
  readonly retentionMs: number | undefined
  readonly retentionBytes: number | undefined
}

/** Retention of topics without a setting of their own. */
export interface RetentionDefaults {
  readonly retentionMs: number | undefined
  readonly retentionBytes: number | undefined
}

/** Longest name in UTF-8 bytes. */
const nameBytesMax = 512

export class Topics {
  readonly #db: Database
  readonly #sum
  readonly #all
  readonly #insert
  readonly #insertHead
  readonly #setSum
  #known: ReadonlyArray<Topic> = []
  #byName = new Map<string, Topic>()
  #knownSum: number | undefined

  constructor(db: Database) {
    this.#db = db
    this.#sum = db.prepare("SELECT topics FROM header")
    this.#all = db.prepare("SELECT * FROM topic ORDER BY id")
    this.#insert = db.prepare("INSERT INTO topic VALUES (?, ?, ?, ?, ?, ?, ?)")
    this.#insertHead = db.prepare("INSERT INTO head VALUES (?, 0, 0, 0, ?, 0, 0, ?)")
    this.#setSum = db.prepare("UPDATE header SET topics = ?1, sum = ?2")
  }

  /** Reads the topics again: another process may have created one. */
  refresh(): void {
    const sum = Number(this.#sum.get()?.["topics"])
    if (sum === this.#knownSum) return
    this.#load()
    if (sumOf(this.#known) !== sum)
      throw new Refusal(
        "Corrupt",
        `${this.#db.paths.database}: the list of topics does not verify; copy the directory and restore a backup`
      )
    this.#knownSum = sum
  }

  get all(): ReadonlyArray<Topic> {
    return this.#known
  }

  find(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  get(name: string): Topic {
    const topic = this.#byName.get(name)
    if (topic === undefined)
      throw new Refusal("UnknownTopic", `there is no topic ${name} in ${this.#db.paths.directory}`)
    return topic
  }

  /** Partition of the log behind partition `number` of the topic. */
  partitionOf(topic: Topic, number: number): number {
    if (Number.isInteger(number) && number >= 0 && number < topic.partitions) return topic.firstPartition + number
    throw new Refusal("UnknownTopic", `${topic.name} has ${topic.partitions} partitions, no ${number}`)
  }

  ofPartition(partition: number): Topic | undefined {
    return this.#known.find(
      ({ firstPartition, partitions }) => partition >= firstPartition && partition < firstPartition + partitions
    )
  }

  /** Creates a topic, inside a write. */
  create({ topic, partitions, compacted, retention }: TopicSpec): Topic {
    const bytes = Buffer.byteLength(topic)
    if (bytes === 0 || bytes > nameBytesMax || topic.includes("\0"))
      throw new Refusal("Unsupported", `a topic's name has 1 to ${nameBytesMax} bytes and no NUL, not ${bytes}`)
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > 10_000)
      throw new Refusal("Unsupported", `a topic has 1 to 10000 partitions, not ${partitions}`)
    const last = this.#known.at(-1)
    const id = (last?.id ?? 0) + 1
    const first = last === undefined ? 0 : last.firstPartition + last.partitions
    const { timeMs, bytes: bytesMax } = retention ?? {}
    this.#insert.run(id, topic, first, partitions, compacted === true ? 1 : 0, columnOf(timeMs), columnOf(bytesMax))
    for (let number = 0; number < partitions; number++)
      this.#insertHead.run(first + number, 0, rowSum(first + number, 0, 0, 0, 0, 0, 0))
    this.#load()
    this.#knownSum = sumOf(this.#known)
    const header = this.#db.prepare("SELECT format, created_ms FROM header").get()
    this.#setSum.run(this.#knownSum, rowSum(Number(header?.["format"]), Number(header?.["created_ms"]), this.#knownSum))
    return this.get(topic)
  }

  /** Forgets the topics that a rolled-back transaction created. */
  forget(): void {
    this.#knownSum = undefined
  }

  #load(): void {
    this.#known = this.#all.all().map((row) => ({
      id: Number(row["id"]),
      name: String(row["name"]),
      firstPartition: Number(row["first_partition"]),
      partitions: Number(row["partitions"]),
      compacted: row["compacted"] === 1,
      retentionMs: optional(row["retention_ms"]),
      retentionBytes: optional(row["retention_bytes"])
    }))
    this.#byName = new Map(this.#known.map((topic) => [topic.name, topic]))
  }
}

/** The differences between an existing topic and the requested one. */
export function compareTopic(found: Topic, spec: TopicSpec, defaults: RetentionDefaults): TopicStatus {
  // A topic that was made without a word keeps everything, as long as the log does.
  const timeMs = found.retentionMs ?? impliedBy(spec.retention?.timeMs, defaults.retentionMs)
  const bytes = found.retentionBytes ?? impliedBy(spec.retention?.bytes, defaults.retentionBytes)
  const differences = [
    ["partitions", spec.partitions, found.partitions] as const,
    ["compacted", spec.compacted ?? false, found.compacted] as const,
    ["retention.timeMs", spec.retention?.timeMs, timeMs] as const,
    ["retention.bytes", spec.retention?.bytes, bytes] as const
  ].flatMap(([property, asked, has]) =>
    asked === has ? [] : [{ property, asked: String(asked ?? "default"), found: String(has ?? "default") }]
  )
  const { partitions } = found
  return differences.length === 0 ? { status: "exists", partitions } : { status: "differs", partitions, differences }
}

function sumOf(topics: ReadonlyArray<Topic>): number {
  return rowSum(
    ...topics.flatMap(({ id, name, firstPartition, partitions, compacted, retentionMs, retentionBytes }) => [
      id,
      name,
      firstPartition,
      partitions,
      compacted ? 1 : 0,
      columnOf(retentionMs),
      columnOf(retentionBytes)
    ])
  )
}

/** Of what is never reached, in the file: a log that knows no such word keeps everything too. */
const unreached = Number.MAX_SAFE_INTEGER

function columnOf(bound: number | undefined): number | null {
  return bound === Number.POSITIVE_INFINITY ? unreached : (bound ?? null)
}

function optional(value: unknown): number | undefined {
  if (typeof value !== "number") return undefined
  return value === unreached ? Number.POSITIVE_INFINITY : value
}

function impliedBy(asked: number | undefined, ofLog: number | undefined): number | undefined {
  return asked === Number.POSITIVE_INFINITY && ofLog === undefined ? asked : undefined
}
