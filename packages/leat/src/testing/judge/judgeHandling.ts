/** What groups got, against what raw reads show. */
import type { Chronicle, GroupFact, Handling, Verdict } from "./Chronicle.ts"
import { asideAt, isBeside, isEnded, placeOf } from "./handlings.ts"

export function judgeHandling(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return chronicle.groups.flatMap((group) => {
    const own = chronicle.handlings.filter((handling) => handling.group === group.group)
    return [...lost(chronicle, group, own), ...doubled(chronicle, group, own), ...garbled(chronicle, own)]
  })
}

/** Each event of a group that has settled everything was handled, dropped by its policy, or is a dead letter. */
function* lost(
  { copies, fallen, letters }: Chronicle,
  group: GroupFact,
  own: ReadonlyArray<Handling>
): Iterable<Verdict> {
  if (!group.isWhole) return
  const done = new Set(own.flatMap((one) => (isEnded(group, one) ? [one.id] : [])))
  for (const letter of letters) if (letter.group === group.group) done.add(letter.id)
  const read = group.fallback === undefined ? copies : [...copies, ...fallen]
  for (const copy of read) {
    if (copy.sink !== group.sink || copy.value === null || !copy.lane.includes(`/${group.stream}/`)) continue
    if (!done.has(copy.id)) yield { kind: "lost", evidence: `group ${group.group} settled past ${copy.id} without it` }
  }
}

function* doubled(chronicle: Chronicle, group: GroupFact, own: ReadonlyArray<Handling>): Iterable<Verdict> {
  for (const { id, isTakenBack } of own)
    if (isTakenBack)
      yield { kind: "doubled", evidence: `group ${group.group} was given ${id}, which had been taken back` }
  if (group.mayRepeat) return
  const firstDone = new Map<string, Handling>()
  for (const one of own) if (one.isDone && !firstDone.has(placeOf(one))) firstDone.set(placeOf(one), one)
  /** When each record began to be handled or dropped, or was stored as a dead letter. */
  const firstEnded = new Map<string, Handling & { readonly at: number }>()
  for (const one of own) {
    const at = isEnded(group, one) ? one.beganAt : asideAt(chronicle, one)
    const known = firstEnded.get(placeOf(one))
    if (at !== undefined && (known === undefined || at < known.at)) firstEnded.set(placeOf(one), { ...one, at })
  }
  /**
   * What was done ahead of one that was not is past the watermark, and comes again to the next holder of the lane; also where that one had been
   * done ahead itself, and comes again.
   */
  const isAhead = (first: Handling) => {
    const isBefore = ({ topic, partition, position }: Handling) =>
      topic === first.topic && partition === first.partition && position < first.position
    const endedAt = first.endedAt ?? 0
    return (
      Array.from(firstEnded.values()).some((one) => isBefore(one) && one.at > endedAt) ||
      own.some((one) => isBefore(one) && one.beganAt > endedAt)
    )
  }
  for (const [place, same] of Map.groupBy(own, placeOf)) {
    const done = same.filter(({ isDone }) => isDone).length
    const first = firstDone.get(place)
    if (done > 1 && first !== undefined && !isAhead(first))
      yield { kind: "doubled", evidence: `group ${group.group} handled ${first.id} ${done} times` }
    if (same.some((one) => same.some((other) => other !== one && isBeside(one, other))))
      yield { kind: "doubled", evidence: `group ${group.group} had ${same[0]?.id} in two hands at once` }
  }
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
