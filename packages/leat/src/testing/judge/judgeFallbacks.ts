/** What has gone to a fallback: it stays there, or whoever sends it on stores it, sets it aside, or drops it as the policy says. */
import type { Chronicle, LegFact, Verdict } from "./Chronicle.ts"
import { droppedOfOthers } from "./judgeSpills.ts"
import { legsById, mayEndTwice } from "./judgeStorage.ts"

export function judgeFallbacks(chronicle: Chronicle): ReadonlyArray<Verdict> {
  if (chronicle.fallbacks.size === 0) return []
  return [...gone(chronicle), ...lost(chronicle), ...baseless(chronicle), ...reordered(chronicle)]
}

/** What stays is there. */
function* gone({ legs, fallen, fallbacks }: Chronicle): Iterable<Verdict> {
  const there = new Set(fallen.map(nameOf))
  for (const leg of legs.values())
    if (leg.place === "fellBack" && fallbacks.get(leg.sink)?.back === "stay" && !there.has(nameOf(leg)))
      yield {
        kind: "lost",
        evidence: `${leg.id} (event ${leg.serial}) was acknowledged by the fallback of ${leg.sink}, which has no copy`
      }
}

/** What is sent on is stored, has a letter, or is one of those that whoever sends on counts as dropped. */
function* lost(chronicle: Chronicle): Iterable<Verdict> {
  const there = new Set([...chronicle.copies, ...chronicle.undelivered].map(nameOf))
  const isSentOn = ({ sink }: LegFact) => chronicle.fallbacks.get(sink)?.back === "redrive"
  const missing = Array.from(chronicle.legs.values()).filter(
    (leg) => leg.place === "fellBack" && isSentOn(leg) && !there.has(nameOf(leg))
  )
  for (const [name, legs] of Map.groupBy(missing, ({ sink, stream }) => `${sink} ${stream}`)) {
    const dropped = droppedOfOthers(chronicle, name)
    const [first] = legs
    if (first !== undefined && legs.length > dropped)
      yield {
        kind: "lost",
        evidence: `${legs.length} events of ${name} that fell back are not stored, ${first.id} (event ${first.serial}) first, and ${dropped} of them are counted as dropped`
      }
  }
}

/** What stands in a fallback is counted as fallen back; or its answer was lost, or its process has crashed before it came. */
function* baseless(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  const crashed = new Set(chronicle.processes.flatMap(({ leat, isCrashed }) => (isCrashed ? [leat] : [])))
  for (const copy of chronicle.fallen) {
    const leg = legs.get(nameOf(copy))
    if (leg === undefined || leg.place === "fellBack" || crashed.has(leg.leat)) continue
    if (!chronicle.doubts.has(`${leg.sink}.fallback ${leg.id}`))
      yield { kind: "toldWrongly", evidence: `the fallback of ${leg.sink} holds ${leg.id}, which is ${leg.place}` }
  }
}

/** What had fallen back before a process was begun is stored before anything of that one, where it is sent on. */
function* reordered(chronicle: Chronicle): Iterable<Verdict> {
  const legs = legsById(chronicle)
  const openedAt = new Map(chronicle.processes.map((process) => [process.leat, process.openedAt]))
  const seen = new Set<string>()
  /** The process that was begun last of those that have something there so far, by place. */
  const latest = new Map<string, LegFact>()
  for (const copy of chronicle.copies) {
    const leg = legs.get(nameOf(copy))
    if (leg === undefined || chronicle.fallbacks.get(leg.sink)?.back !== "redrive") continue
    if (seen.has(nameOf(copy)) || mayEndTwice(chronicle, leg)) continue
    seen.add(nameOf(copy))
    const place = `${copy.sink}/${copy.partition}`
    const before = latest.get(place)
    const opened = openedAt.get(before?.leat ?? -1)
    if (before !== undefined && opened !== undefined && leg.fellBackAt !== undefined && leg.fellBackAt < opened)
      yield {
        kind: "reordered",
        evidence: `${leg.sink} holds ${leg.id}, which had fallen back, first behind ${before.id} of leat ${before.leat}, which was begun later`
      }
    if (before === undefined || (openedAt.get(leg.leat) ?? 0) > (openedAt.get(before.leat) ?? 0)) latest.set(place, leg)
  }
}

function nameOf({ sink, id }: { readonly sink: string; readonly id: string | undefined }): string {
  return `${sink} ${id ?? "no id"}`
}
