interface Shared {
  readonly partition: number
  readonly holder: number | undefined
  readonly state: "free" | "held" | "revoked"
}

/**
 * Assigns each partition to a member: shares differ by one at most, and as few partitions move as that allows. Holders keep theirs up to their
 * share, and each of the rest goes to the member with the fewest. `turn` breaks ties: without it one member would get the odd partition of every
 * topic.
 */
export function shareOut(
  lanes: ReadonlyArray<Shared>,
  members: ReadonlyArray<number>,
  turn: number
): ReadonlyMap<number, number> {
  const target = new Map<number, number>()
  const inTurn = members.map((_, index) => members[(index + turn) % members.length] ?? 0)
  const counts = new Map(inTurn.map((member) => [member, 0]))
  const assign = (partition: number, member: number) => {
    target.set(partition, member)
    counts.set(member, (counts.get(member) ?? 0) + 1)
  }
  const shares = sharesOf(lanes, inTurn)
  for (const { partition, holder, state } of lanes) {
    if (state !== "held" || holder === undefined) continue
    if ((counts.get(holder) ?? 0) < (shares.get(holder) ?? 0)) assign(partition, holder)
  }
  for (const { partition } of lanes) {
    if (target.has(partition)) continue
    // Sorting is stable.
    const [least] = [...counts].toSorted(([, left], [, right]) => left - right)
    if (least !== undefined) assign(partition, least[0])
  }
  return target
}

/** What each member may keep: one more than the others only as many as must, or members who come later would be left with nothing. */
function sharesOf(lanes: ReadonlyArray<Shared>, members: ReadonlyArray<number>): ReadonlyMap<number, number> {
  const least = Math.floor(lanes.length / Math.max(1, members.length))
  let odd = lanes.length - least * members.length
  const held = (member: number) => lanes.filter(({ holder, state }) => state === "held" && holder === member).length
  return new Map(members.map((member) => [member, held(member) > least && odd-- > 0 ? least + 1 : least]))
}
