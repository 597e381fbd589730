/** What groups got, against what raw reads show. */
import type { Chronicle, GroupFact, Handling, Verdict } from "./Chronicle.ts"

export function judgeHandling(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return chronicle.groups.flatMap((group) => {
    const own = chronicle.handlings.filter((handling) => handling.group === group.group)
    return [
      ...lost(chronicle, group, own),
      ...doubled(group, own),
      ...reordered(group, own),
      ...garbled(chronicle, own)
    ]
  })
}

function* lost({ copies }: Chronicle, group: GroupFact, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  if (!group.isWhole) return
  const done = new Set(own.flatMap(({ isDone, id }) => (isDone ? [id] : [])))
  for (const copy of copies) {
    if (copy.sink !== group.sink || copy.value === null || !copy.lane.includes(`/${group.stream}/`)) continue
    if (!done.has(copy.id)) yield { kind: "lost", evidence: `group ${group.group} settled past ${copy.id} without it` }
  }
}

function* doubled(group: GroupFact, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  for (const { id, isTakenBack } of own)
    if (isTakenBack)
      yield { kind: "doubled", evidence: `group ${group.group} was given ${id}, which had been taken back` }
  if (group.mayRepeat) return
  const firstDone = new Map<string, Handling>()
  for (const one of own) if (one.isDone && !firstDone.has(placeOf(one))) firstDone.set(placeOf(one), one)
  /** What was done ahead of one that was not begun is past the watermark, and comes again to the next holder of the lane. */
  const isAhead = (first: Handling) =>
    Array.from(firstDone.values()).some(
      ({ partition, position, beganAt }) =>
        partition === first.partition && position < first.position && beganAt > (first.endedAt ?? 0)
    )
  for (const [place, same] of Map.groupBy(own, placeOf)) {
    const done = same.filter(({ isDone }) => isDone).length
    const first = firstDone.get(place)
    if (done > 1 && first !== undefined && !isAhead(first))
      yield { kind: "doubled", evidence: `group ${group.group} handled ${first.id} ${done} times` }
    if (same.some((one) => same.some((other) => other !== one && isBeside(one, other))))
      yield { kind: "doubled", evidence: `group ${group.group} had ${same[0]?.id} in two hands at once` }
  }
}

function placeOf({ partition, position }: Handling): string {
  return `${partition}/${position}`
}

/** First deliveries of a key rise, and one member never has two of a key in its hands, but in one batch, or after a lane was lost. */
function* reordered(group: GroupFact, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  if (!group.isOrdered) return
  const last = new Map<string, bigint>()
  const seen = new Set<string | undefined>()
  for (const { id, key, partition, position } of own) {
    if (id === undefined || seen.has(id)) continue
    seen.add(id)
    const lane = `${partition} ${id.slice(0, id.indexOf("/"))} ${key}`
    const before = last.get(lane) ?? -1n
    if (position < before)
      yield { kind: "reordered", evidence: `group ${group.group} first got ${id} after position ${before} of its key` }
    last.set(lane, position > before ? position : before)
  }
  /** Who lost a lane is interrupted while its next holder, perhaps the same member, begins again what was not settled. */
  const isBegunAgain = (one: Handling) =>
    group.mayRepeat && own.some((other) => placeOf(other) === placeOf(one) && other.beganAt < one.beganAt)
  for (const same of Map.groupBy(own, ({ member, key }) => `${member} ${key}`).values())
    for (const [index, one] of same.entries()) {
      const next = same[index + 1]
      if (next !== undefined && next.position !== one.position && isBeside(one, next) && !isBegunAgain(next))
        yield {
          kind: "reordered",
          evidence: `group ${group.group} began ${next.id} before ${one.id} of its key had ended`
        }
    }
}

/** Whether both were in hands at one time; those that began in the same tick came in one batch. */
function isBeside(one: Handling, other: Handling): boolean {
  const end = (handling: Handling) => handling.endedAt ?? Number.POSITIVE_INFINITY
  return one.beganAt !== other.beganAt && one.beganAt < end(other) && other.beganAt < end(one)
}

function* garbled({ legs, calls }: Chronicle, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  const serialOf = new Map(Array.from(legs.values(), ({ id, serial }) => [id, serial]))
  for (const { group, id, serial, key } of own) {
    const call = serial === undefined ? undefined : calls.get(serial)
    if (call === undefined || id === undefined || serialOf.get(id) !== serial)
      yield { kind: "garbled", evidence: `group ${group} got event ${serial} as ${id}` }
    else if (call.key !== key) yield { kind: "garbled", evidence: `group ${group} got ${id} under another key` }
  }
}
