/**
 * The topic in which brokers keep what groups have committed. The leader of each of its partitions coordinates a part of the groups. A broker that has
 * just become one leaves that part out of its list of groups, without an error, until it knows of it: whoever wants all groups has to ask for one
 * group of each partition first.
 *
 * @example
 * ```ts
 * const partitions = await admin.fetchTopicMetadata({ topics: [groupsTopic] })
 * ```
 */
export const groupsTopic = "__consumer_offsets"

/** Its partitions, where nobody may see it. */
const partitionsDefault = 50

/**
 * Names of groups that nobody has, one for each partition of the topic.
 *
 * @example
 * ```ts
 * probeGroups(2) // ["leat-probe-1", "leat-probe-0"]
 * ```
 */
export function probeGroups(partitions = partitionsDefault): ReadonlyArray<string> {
  const names = new Map<number, string>()
  for (let number = 0; names.size < partitions; number++) {
    const name = `leat-probe-${number}`
    const partition = (hashOf(name) & 0x7fffffff) % partitions
    if (!names.has(partition)) names.set(partition, name)
  }
  return Array.from({ length: partitions }, (_, partition) => names.get(partition) ?? "")
}

/** As brokers hash the name of a group: the hash code of a text in Java. */
function hashOf(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}
