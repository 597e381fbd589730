/** Which legs events have, against the tables that were in force when they were admitted. */
import type { Chronicle, LegFact, Verdict } from "./Chronicle.ts"

export function* judgeTables({ streams, tables, legs }: Chronicle): Iterable<Verdict> {
  if (streams.every(({ mirrors = [] }) => mirrors.length === 0)) return
  const events = Map.groupBy(legs.values(), ({ leat, id }) => `${leat} ${id}`)
  for (const own of events.values()) {
    const [first] = own
    const mirrors = streams.find(({ stream }) => stream === first?.stream)?.mirrors ?? []
    const table = first && tables.find((one) => one.leat === first.leat && holds(one, first))
    if (first === undefined || table === undefined) continue
    for (const { sink } of mirrors) {
      const isThere = own.some((leg) => leg.sink === sink)
      if (isThere === hasBucket(table, sink, first.bucket)) continue
      const words = isThere ? `has a leg to ${sink}, which` : `has no leg to ${sink}, which`
      const evidence = `${first.id} ${words} the table in force ${isThere ? "did not have for its bucket" : "had for its bucket"}`
      yield { kind: "unbalanced", evidence }
    }
  }
}

function hasBucket({ sinks }: Chronicle["tables"][number], sink: string, bucket: number): boolean {
  return sinks.has(sink) && (sinks.get(sink)?.includes(bucket) ?? true)
}

/** An event is admitted to all of its legs in one step. */
function holds({ from, until = Number.POSITIVE_INFINITY }: Chronicle["tables"][number], leg: LegFact): boolean {
  return leg.admittedAt > from && leg.admittedAt < until
}
