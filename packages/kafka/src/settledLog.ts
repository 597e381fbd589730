/**
 * What a commit says of itself, in the metadata of its offset. A group may change its driver, or have members of both, so both drivers write the same
 * bytes, and each reads what the other has written.
 *
 * - The id of its topic: a topic that is deleted and made anew keeps its name and gets another id; positions of the old one mean nothing in it.
 * - How many partitions the topic had when the group began in it: one that was added later is read from its beginning, also by a group that began at the
 *   latest record, and also where it was added while no member ran.
 */
const prefix = "leat:"
const ofTopic = "topic="
const ofPartitions = "partitions="

/**
 * Ends each note, because the addon of @leat/confluent cannot write metadata without it: it cuts the text at the first NUL, appends one, and
 * drops the last byte of what it reads.
 */
const end = "\0"

/** What a note says; what is absent it does not say. */
export interface SettledNote {
  /** Of the topic. */
  readonly topicId?: string | undefined
  /** Partitions that the topic had when the group began in it. */
  readonly begunWith?: number | undefined
}

/**
 * The metadata of a commit; undefined where there is nothing to say.
 *
 * @example
 * ```ts
 * settledNote({ topicId: "6f1c...", begunWith: 12 }) // "leat:partitions=12;topic=6f1c...\0"
 * ```
 */
export function settledNote({ topicId, begunWith }: SettledNote): string | undefined {
  const said = [
    ...(begunWith === undefined ? [] : [`${ofPartitions}${begunWith}`]),
    ...(topicId === undefined ? [] : [ofTopic + topicId])
  ]
  return said.length === 0 ? undefined : prefix + said.join(";") + end
}

/**
 * Whether a position was settled in another log than that of this topic id. False where either is not known: other clients, and brokers
 * before Kafka 2.8, say nothing of it.
 *
 * @example
 * ```ts
 * isOfOtherLog("leat:topic=6f1c...\0", "77b0...") // true
 * isOfOtherLog("somebody else's note", "77b0...") // false
 * ```
 */
export function isOfOtherLog(note: string | null | undefined, topicId: string | undefined): boolean {
  const settled = topicId === undefined ? undefined : partOf(note, ofTopic)
  if (topicId === undefined || settled === undefined) return false
  // @leat/kafkajs wrote notes without an end, and the addon drops their last digit. 31 digits of two ids at random are never the same.
  return settled !== topicId && settled !== topicId.slice(0, -1)
}

/**
 * With how many partitions of the topic the group began, as a note says; undefined: it does not, or it is of another log.
 *
 * @example
 * ```ts
 * begunWithIn("leat:partitions=12;topic=6f1c...\0", "6f1c...") // 12
 * ```
 */
export function begunWithIn(note: string | null | undefined, topicId: string | undefined): number | undefined {
  const said = partOf(note, ofPartitions)
  if (said === undefined || !/^[1-9]\d{0,8}$/.test(said) || isOfOtherLog(note, topicId)) return undefined
  return Number(said)
}

function partOf(note: string | null | undefined, name: string): string | undefined {
  if (note?.startsWith(prefix) !== true) return undefined
  const parts = note.slice(prefix.length).replace(/\0+$/, "").split(";")
  return parts.find((part) => part.startsWith(name))?.slice(name.length)
}

/**
 * A topic id as text, from its two halves of 64 bits; undefined for the id of a topic that has none.
 *
 * @example
 * ```ts
 * topicIdOf(1n, -1n) // "0000000000000001ffffffffffffffff"
 * topicIdOf(0n, 0n) // undefined
 * ```
 */
export function topicIdOf(high: bigint, low: bigint): string | undefined {
  const id = (BigInt.asUintN(64, high) << 64n) | BigInt.asUintN(64, low)
  return id === 0n ? undefined : id.toString(16).padStart(32, "0")
}
