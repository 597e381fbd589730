/** What legs have left in a spill: another process stores it, sets it aside, or drops it as its policy says. */
import type { Chronicle, LegFact, Verdict } from "./Chronicle.ts"
import { legsById, mayEndTwice } from "./judgeStorage.ts"

export function judgeSpills(chronicle: Chronicle): ReadonlyArray<Verdict> {
  return [...lost(chronicle), ...reordered(chronicle), ...kept(chronicle)]
}

/**
 * What is spilled for ever in the books of its leat has ended in those of others: it is there, it has a letter, or it is one of those that they
 * have dropped.
 */
function* lost(chronicle: Chronicle): Iterable<Verdict> {
  const there = new Set([...chronicle.copies, ...chronicle.undelivered].map(({ sink, id }) => `${sink} ${id}`))
  const spilled = Array.from(chronicle.legs.values()).filter(({ place }) => place === "spilled")
  const missing = spilled.filter(({ sink, id }) => !there.has(`${sink} ${id}`))
  for (const [name, legs] of Map.groupBy(missing, ({ sink, stream }) => `${sink} ${stream}`)) {
    const dropped = droppedOfOthers(chronicle, name)
    const [first] = legs
    if (first !== undefined && legs.length > dropped)
      yield {
        kind: "lost",
        evidence: `${legs.length} events of ${name} that are told to be in its spill are not stored, ${first.id} (event ${first.serial}) first, and ${dropped} of them are counted as dropped`
      }
  }
}

/** Of what processes have recovered: how much they have dropped. */
export function droppedOfOthers({ legBooks, legs }: Chronicle, name: string): number {
  const own = legBooks.filter(({ sink, stream }) => `${sink} ${stream}` === name)
  return own.reduce((total, { leat, sink, stream, dropped }) => {
    const isOwn = (leg: LegFact) => leg.leat === leat && leg.sink === sink && leg.stream === stream
    const journaled = Array.from(legs.values()).filter((leg) => isOwn(leg) && leg.place === "dropped").length
    return total + dropped - journaled
  }, 0)
}

/** What a process has left on its disk is stored before anything of the one that has the disk after it. */
function* reordered(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  const diskOf = new Map(chronicle.processes.map(({ leat, disk, isShared }) => [leat, isShared ? undefined : disk]))
  const seen = new Set<string>()
  /** The latest process, by place and disk. */
  const latest = new Map<string, number>()
  for (const { sink, partition, id = "no id" } of chronicle.copies) {
    const leg = legs.get(`${sink} ${id}`)
    const disk = leg && diskOf.get(leg.leat)
    if (leg === undefined || disk === undefined || seen.has(`${sink} ${id}`) || mayEndTwice(chronicle, leg)) continue
    seen.add(`${sink} ${id}`)
    const place = `${sink}/${partition} ${disk}`
    const before = latest.get(place) ?? leg.leat
    if (leg.leat < before)
      yield {
        kind: "reordered",
        evidence: `${sink} holds ${id} of leat ${leg.leat} first behind events of leat ${before}, which had its disk later`
      }
    latest.set(place, Math.max(before, leg.leat))
  }
}

/** What a process that ended in peace has left in a spill is told to be there. */
function* kept({ legBooks, processes, legs }: Chronicle): Iterable<Verdict> {
  for (const { leat, isCrashed } of processes) {
    if (isCrashed) continue
    for (const leg of legs.values())
      if (leg.leat === leat && leg.place !== "spilled" && isPending(leg) && legBooks.some((one) => one.leat === leat))
        yield { kind: "leaked", evidence: `leat ${leat} has ended, and ${leg.id} is ${leg.place} in ${leg.sink}` }
  }
}

function isPending({ place }: LegFact): boolean {
  return place === "queued" || place === "inFlight" || place === "inDoubt" || place === "deadLettering"
}
