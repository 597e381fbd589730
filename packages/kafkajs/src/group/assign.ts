/**
 * The assignment of a generation, computed by the leader for all members: sticky and cooperative. A member keeps its partitions up to its
 * share. A partition that moves is assigned to nobody until its holder has released it and joined again without it.
 */
import type { MemberMetadata, Partitions } from "./memberMetadata.ts"

export interface GroupMemberMetadata extends MemberMetadata {
  readonly id: string
}

/** `counts`: the number of partitions of each existing topic. Pure; the order of the members does not matter. */
export function assign(
  members: ReadonlyArray<GroupMemberMetadata>,
  counts: ReadonlyMap<string, number>
): ReadonlyMap<string, Partitions> {
  const given = new Map<string, Map<string, ReadonlyArray<number>>>(members.map(({ id }) => [id, new Map()]))
  const sorted = members.toSorted((left, right) => (left.id < right.id ? -1 : 1))
  // If shares are uneven, members with the fewest partitions so far get the larger ones.
  const total = new Map(members.map(({ id }) => [id, 0]))
  for (const [topic, count] of [...counts].toSorted(([left], [right]) => (left < right ? -1 : 1))) {
    const takers = sorted.filter(({ topics }) => topics.includes(topic)).map(({ id }) => id)
    if (takers.length === 0) continue
    takers.sort((left, right) => (total.get(left) ?? 0) - (total.get(right) ?? 0))
    const holders = holdersOf(topic, count, sorted)
    const target = share(count, takers, holders)
    for (const id of takers) {
      const mine = (target.get(id) ?? []).filter((partition) => (holders.get(partition) ?? id) === id)
      if (mine.length > 0) given.get(id)?.set(topic, mine)
      total.set(id, (total.get(id) ?? 0) + (target.get(id)?.length ?? 0))
    }
  }
  return given
}

/** The holder of each partition. Of two claims the later generation wins; two of one generation cancel each other. */
function holdersOf(
  topic: string,
  count: number,
  members: ReadonlyArray<GroupMemberMetadata>
): ReadonlyMap<number, string> {
  const claims = new Map<number, { readonly id: string; readonly generation: number; readonly isDisputed: boolean }>()
  for (const { id, held, generation } of members) {
    for (const partition of held.get(topic) ?? []) {
      if (partition >= count) continue
      const other = claims.get(partition)
      if (other === undefined || generation > other.generation)
        claims.set(partition, { id, generation, isDisputed: false })
      else if (generation === other.generation) claims.set(partition, { ...other, isDisputed: true })
    }
  }
  return new Map(
    [...claims].flatMap(([partition, { id, isDisputed }]) => (isDisputed ? [] : [[partition, id] as const]))
  )
}

/** The most even distribution, with as few moves as possible. */
function share(
  count: number,
  takers: ReadonlyArray<string>,
  holders: ReadonlyMap<number, string>
): ReadonlyMap<string, ReadonlyArray<number>> {
  const least = Math.floor(count / takers.length)
  let extras = count % takers.length
  const kept = new Map<string, Array<number>>(takers.map((id) => [id, []]))
  for (let partition = 0; partition < count; partition++) kept.get(holders.get(partition) ?? "")?.push(partition)
  // The extra partitions stay with the members that hold most.
  for (const id of takers.toSorted((left, right) => (kept.get(right)?.length ?? 0) - (kept.get(left)?.length ?? 0))) {
    const mine = kept.get(id) ?? []
    const mayKeep = mine.length > least && extras > 0 ? least + 1 : least
    if (mayKeep > least) extras--
    mine.splice(mayKeep)
  }
  const free = Array.from({ length: count }, (_, partition) => partition).filter(
    (partition) => !kept.get(holders.get(partition) ?? "")?.includes(partition)
  )
  for (const id of takers) {
    const mine = kept.get(id) ?? []
    while (mine.length < least) mine.push(free.shift() ?? 0)
  }
  for (const id of takers) {
    const next = free[0]
    const mine = kept.get(id) ?? []
    if (next === undefined || mine.length > least) continue
    mine.push(next)
    free.shift()
  }
  for (const mine of kept.values()) mine.sort((left, right) => left - right)
  return kept
}
