/** Retry topics: what raw reads show of them, against what was read and handled. */
import { type Chronicle, type GroupFact, moveName, placeName, type RetryFact, type Verdict } from "./Chronicle.ts"
import { isEnded, placeOf } from "./handlings.ts"
import { isSame, readAt } from "./judgeLetters.ts"

export function judgeRetries(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return chronicle.groups.flatMap((group) => {
    const own = chronicle.retries.filter((one) => one.group === group.group)
    return [...garbled(chronicle, group, own), ...lost(chronicle, group, own), ...early(chronicle, group)]
  })
}

/** Each is a record that the group has read, byte for byte, in the tier of its number, due after the delay of that. */
function* garbled(chronicle: Chronicle, group: GroupFact, own: ReadonlyArray<RetryFact>): Iterable<Verdict> {
  for (const retry of own) {
    const { moved, tier } = retry
    const evidence = `the record at ${placeOf(retry)}`
    const origin = readAt(chronicle, group, moved?.origin)
    const delayMs = group.delaysMs?.[tier - 1]
    if (moved === undefined || origin === undefined)
      yield { kind: "garbled", evidence: `${evidence} is none that its group has read` }
    else if (!isSame(origin, retry)) yield { kind: "garbled", evidence: `${evidence} is not the one that it names` }
    else if (moved.moves !== tier)
      yield { kind: "garbled", evidence: `${evidence} says that it was moved ${moved.moves} times` }
    else if (retry.partition !== moved.origin.partition)
      yield { kind: "garbled", evidence: `${evidence} was read in partition ${moved.origin.partition}` }
    else if (delayMs === undefined || Math.abs(moved.dueMs - moved.atMs - delayMs) > 1)
      yield { kind: "toldWrongly", evidence: `${evidence} is due after ${moved.dueMs - moved.atMs} ms, not ${delayMs}` }
  }
}

/** What was stored stays; and what a group has settled past was handled, moved on, or set aside. */
function* lost(chronicle: Chronicle, group: GroupFact, own: ReadonlyArray<RetryFact>): Iterable<Verdict> {
  const name = group.group
  const there = new Set(
    own.flatMap(({ moved }) => (moved === undefined ? [] : [moveName(name, moved.origin, moved.moves)]))
  )
  for (const move of chronicle.movesStored.keys())
    if (move.startsWith(`${name} `) && !there.has(move))
      yield { kind: "lost", evidence: `${move} was stored, and is not there` }
  if (!group.isWhole) return
  const ended = new Set(
    chronicle.handlings.flatMap((one) => (one.group === name && isEnded(group, one) ? [placeOf(one)] : []))
  )
  const letters = new Set(
    chronicle.letters.flatMap(({ group: of, origin }) =>
      of === name && origin !== undefined ? [placeName(of, origin)] : []
    )
  )
  for (const retry of own) {
    const { moved } = retry
    if (moved === undefined || ended.has(placeOf(retry)) || letters.has(placeName(name, moved.origin))) continue
    if (!there.has(moveName(name, moved.origin, moved.moves + 1)))
      yield { kind: "lost", evidence: `group ${name} settled past ${placeOf(retry)} without it` }
  }
}

/** Half of the least that a wall clock jumps, in milliseconds: what was moved so long before it was stored was moved by another time. */
const jumpMs = 1_800_000

/** None is handled before it is due, in whole milliseconds, where the wall clock has not jumped since it was moved. */
function* early({ handlings, movesStored }: Chronicle, { group }: GroupFact): Iterable<Verdict> {
  for (const one of handlings) {
    const { moved, wall } = one
    if (one.group !== group || moved === undefined || wall === undefined) continue
    const stored = movesStored.get(moveName(group, moved.origin, moved.moves))
    if (stored === undefined || stored.wall.jumps !== wall.jumps) continue
    if (Math.abs(stored.wall.ms - moved.atMs) < jumpMs && wall.ms + 1 < moved.dueMs)
      yield {
        kind: "toldWrongly",
        evidence: `group ${group} began ${placeOf(one)} ${moved.dueMs - wall.ms} ms before it was due`
      }
  }
}
