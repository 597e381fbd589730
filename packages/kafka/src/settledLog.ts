/**
 * The log that a settled position belongs to. A topic that is deleted and made anew keeps its name and gets another id; positions of the
 * old one mean nothing in it. So a commit carries the id of its topic in the metadata of the offset. A group may change its driver, or have
 * members of both, so both drivers write the same bytes, and each reads what the other has written.
 */
const prefix = "leat:topic="

/**
 * Ends each note, because the addon of @leat/confluent cannot write metadata without it: it cuts the text at the first NUL, appends one, and
 * drops the last byte of what it reads.
 */
const end = "\0"

/**
 * The metadata of a commit; undefined where the id of the topic is not known.
 *
 * @example
 * ```ts
 * settledNote("6f1c...") // "leat:topic=6f1c...\0"
 * ```
 */
export function settledNote(topicId: string | undefined): string | undefined {
  return topicId === undefined ? undefined : prefix + topicId + end
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
  if (topicId === undefined || note?.startsWith(prefix) !== true) return false
  const settled = note.replace(/\0+$/, "")
  // @leat/kafkajs wrote notes without an end, and the addon drops their last digit. 31 digits of two ids at random are never the same.
  return settled !== prefix + topicId && settled !== prefix + topicId.slice(0, -1)
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
