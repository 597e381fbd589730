/** What raw reads show as well. */
const seen = ["events", "copies"] as const

/** What audits said, which see nothing but the topics, against raw reads and the journal. */
import type { Chronicle, Verdict } from "./Chronicle.ts"

export function judgeAudits(chronicle: Chronicle): ReadonlyArray<Verdict> {
  const { audits, copies, fallen, legs } = chronicle
  return audits.flatMap(({ sink, hasFallback, ...found }) => {
    const own = [...copies, ...(hasFallback ? fallen : [])].filter((copy) => copy.sink === sink)
    const there = new Set(own.map(({ id }) => id))
    const notThere = Array.from(legs.values()).filter((leg) => leg.sink === sink && !there.has(leg.id)).length
    const expected = { events: there.size, copies: own.length - there.size, dropped: notThere, missing: 0 }
    const names = found.isAnnounced ? ([...seen, "dropped", "missing"] as const) : seen
    return names
      .filter((name) => found[name] !== expected[name])
      .map((name) => ({
        kind: "unbalanced",
        evidence: `the audit of ${sink} finds ${found[name]} ${name}, and there are ${expected[name]}`
      }))
  })
}
