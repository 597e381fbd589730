interface Shared {
  readonly partition: number
  readonly holder: number | undefined
  readonly state: "free" | "held" | "revoked"
}

/**
 * Assigns each partition to a member: shares differ by one at most, and as few partitions move as that allows. Holders keep theirs up to their
 * share, and each of the rest goes to the member with the fewest. `turn` breaks ties: without it one member would get the odd partition of every
 * topic. The work is about linear in the number of partitions: a topic may have ten thousand.
 */
export function shareOut(
  lanes: ReadonlyArray<Shared>,
  members: ReadonlyArray<number>,
  turn: number
): ReadonlyMap<number, number> {
  const target = new Map<number, number>()
  if (members.length === 0) return target
  const inTurn = members.map((_, index) => members[(index + turn) % members.length] ?? 0)
  const counts = new Map(inTurn.map((member) => [member, 0]))
  const shares = sharesOf(lanes, inTurn)
  for (const { partition, holder, state } of lanes) {
    if (state !== "held" || holder === undefined) continue
    const count = counts.get(holder) ?? 0
    if (count >= (shares.get(holder) ?? 0)) continue
    target.set(partition, holder)
    counts.set(holder, count + 1)
  }
  const next = fewestFirst(counts)
  for (const { partition } of lanes) if (!target.has(partition)) target.set(partition, next())
  return target
}

/** Whoever has the fewest gets the next one; of several the first. Nobody has more than a share, so the levels are few. */
function fewestFirst(counts: ReadonlyMap<number, number>): () => number {
  const members = Array.from(counts)
  let level = 0
  let at = 0
  return () => {
    for (;;) {
      const [member, count] = members[at++] ?? []
      if (member !== undefined && count !== undefined && count <= level) return member
      if (at < members.length) continue
      at = 0
      level++
    }
  }
}

/** What each member may keep: one more than the others only as many as must, or members who come later would be left with nothing. */
function sharesOf(lanes: ReadonlyArray<Shared>, members: ReadonlyArray<number>): ReadonlyMap<number, number> {
  const least = Math.floor(lanes.length / members.length)
  let odd = lanes.length - least * members.length
  const held = new Map<number, number>()
  for (const { holder, state } of lanes)
    if (state === "held" && holder !== undefined) held.set(holder, (held.get(holder) ?? 0) + 1)
  return new Map(members.map((member) => [member, (held.get(member) ?? 0) > least && odd-- > 0 ? least + 1 : least]))
}
