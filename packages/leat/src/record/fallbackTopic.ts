/** What the names of fallback topics end with. */
const fallbackSuffix = ".fallback"

/**
 * The topic of a fallback. The partitions stand in the name: a key keeps its partition there as long as the destination has as many. No two
 * destinations come to one name, or each would be sent what belongs to the other: the name of the cluster has no dot, and no character that a
 * broker may refuse.
 *
 * @example
 * ```ts
 * fallbackTopic({ cluster: "kafka", topic: "risk.beacons.sighting" }, 8) // "kafka.risk.beacons.sighting.8.fallback"
 * fallbackTopic({ cluster: "kafka.eu", topic: "orders" }, 8) // "kafka_2eeu.orders.8.fallback"
 * ```
 */
export function fallbackTopic(
  { cluster, topic }: { readonly cluster: string; readonly topic: string },
  partitions: number
): string {
  return `${cluster.replaceAll(/[^A-Za-z0-9-]/gu, escaped)}.${topic}.${partitions}${fallbackSuffix}`
}

/** How many partitions the topic of that name has, where it is one of the destination; undefined: it is none. */
export function fallbackPartitions(
  name: string,
  destination: { readonly cluster: string; readonly topic: string }
): number | undefined {
  const digits = /\.(\d+)\.fallback$/.exec(name)?.[1]
  const partitions = Number(digits)
  return digits !== undefined && fallbackTopic(destination, partitions) === name ? partitions : undefined
}

function escaped(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `_${byte.toString(16).padStart(2, "0")}`).join("")
}
