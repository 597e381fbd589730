interface Shared {
  readonly partition: number
  readonly holder: number | undefined
  readonly state: "free" | "held" | "revoked"
}

/** Which member each partition is for: holders keep what they have up to their share, the rest goes to whoever has least. */
export function shareOut(
  lanes: ReadonlyArray<Shared>,
  members: ReadonlyArray<{ readonly id: number }>
): ReadonlyMap<number, number> {
  const target = new Map<number, number>()
  const share = Math.ceil(lanes.length / Math.max(1, members.length))
  const counts = new Map(members.map(({ id }) => [id, 0]))
  const assign = (partition: number, member: number) => {
    target.set(partition, member)
    counts.set(member, (counts.get(member) ?? 0) + 1)
  }
  for (const { partition, holder, state } of lanes) {
    if (state === "held" && holder !== undefined && (counts.get(holder) ?? share) < share) assign(partition, holder)
  }
  for (const { partition } of lanes) {
    if (target.has(partition)) continue
    const [least] = [...counts].toSorted(([a, left], [b, right]) => left - right || a - b)
    if (least !== undefined) assign(partition, least[0])
  }
  return target
}
