/** The order in which groups got the events of a key. */
import type { Chronicle, GroupFact, Handling, Verdict } from "./Chronicle.ts"
import { asideAt, isBeside, isEnded } from "./handlings.ts"

export function judgeOrder(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return chronicle.groups.flatMap((group) => {
    const own = chronicle.handlings.filter((handling) => handling.group === group.group)
    return [...ofMembers(group, own), ...aroundFailures(chronicle, group, own)]
  })
}

/** First deliveries of a key rise, and one member never has two of a key in its hands, but in one batch: not where a lane was lost either. */
function* ofMembers(group: GroupFact, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  if (!group.isOrdered) return
  const last = new Map<string, bigint>()
  const seen = new Set<string>()
  for (const { id, key, topic, partition, position } of own) {
    if (id === undefined || seen.has(`${topic} ${id}`)) continue
    seen.add(`${topic} ${id}`)
    const lane = `${topic} ${partition} ${id.slice(0, id.indexOf("/"))} ${key}`
    const before = last.get(lane) ?? -1n
    if (position < before)
      yield { kind: "reordered", evidence: `group ${group.group} first got ${id} after position ${before} of its key` }
    last.set(lane, position > before ? position : before)
  }
  for (const same of Map.groupBy(own, ({ member, topic, key }) => `${member} ${topic} ${key}`).values())
    for (const [index, one] of same.entries()) {
      const next = same[index + 1]
      if (next !== undefined && isBeside(one, next))
        yield {
          kind: "reordered",
          evidence: `group ${group.group} began ${next.id} before ${one.id} of its key had ended`
        }
    }
}

/** What comes behind an event of its key is begun when that is handled, dropped by the policy, stored as a dead letter, or in a retry topic. */
function* aroundFailures(chronicle: Chronicle, group: GroupFact, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  if (!group.isOrdered) return
  for (const same of Map.groupBy(own, ({ topic, partition, key }) => `${topic}/${partition} ${key}`).values()) {
    /** When each record ended, by its position; Infinity: it has not. */
    const endedAt = new Map<bigint, number>()
    for (const one of same) {
      const ended = isEnded(group, one) ? (one.endedAt ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
      const stored = asideAt(chronicle, one) ?? Number.POSITIVE_INFINITY
      endedAt.set(one.position, Math.min(endedAt.get(one.position) ?? Number.POSITIVE_INFINITY, ended, stored))
    }
    for (const later of same) {
      const before = same.find(
        (one) =>
          one.position < later.position &&
          one.beganAt < later.beganAt &&
          (endedAt.get(one.position) ?? 0) > later.beganAt &&
          // In one batch with it.
          !same.some((other) => other.position === one.position && other.beganAt === later.beganAt)
      )
      if (before !== undefined)
        yield {
          kind: "reordered",
          evidence: `group ${group.group} began ${later.id} before ${before.id} of its key was handled or set aside`
        }
    }
  }
}
