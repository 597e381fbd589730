interface Shared {
  readonly partition: number
  readonly holder: number | undefined
  readonly state: "free" | "held" | "revoked"
}

/**
 * Assigns each partition to a member: holders keep their partitions up to their share, and each of the rest goes to the member with the
 * fewest. `turn` breaks ties: without it one member would get the odd partition of every topic.
 */
export function shareOut(
  lanes: ReadonlyArray<Shared>,
  members: ReadonlyArray<number>,
  turn: number
): ReadonlyMap<number, number> {
  const target = new Map<number, number>()
  const share = Math.ceil(lanes.length / Math.max(1, members.length))
  const counts = new Map(members.map((_, index) => [members[(index + turn) % members.length] ?? 0, 0]))
  const assign = (partition: number, member: number) => {
    target.set(partition, member)
    counts.set(member, (counts.get(member) ?? 0) + 1)
  }
  for (const { partition, holder, state } of lanes) {
    if (state === "held" && holder !== undefined && (counts.get(holder) ?? share) < share) assign(partition, holder)
  }
  for (const { partition } of lanes) {
    if (target.has(partition)) continue
    // Sorting is stable.
    const [least] = [...counts].toSorted(([, left], [, right]) => left - right)
    if (least !== undefined) assign(partition, least[0])
  }
  return target
}
