/** Attribution of failure reports to the records of a range. A report carries the bytes of a record, not its id. */
import type { Run } from "leat/transport"
import { alignReports } from "./alignReports.ts"
import { type Failed, runOf, type Sent, unknownRun } from "./Sent.ts"

/** The index of the first failed record, counted over all the ranges; undefined where no place fits, or more than one. */
export function placeOf(ranges: ReadonlyArray<Sent>, reports: ReadonlyArray<Failed>): number | undefined {
  const places = ranges.flatMap((sent) => Array.from({ length: sent.count }, (_, index) => [sent, index] as const))
  return alignReports(places.length, reports.length, (record, report) => {
    const [sent, index] = places[record] ?? []
    const found = reports[report]?.report
    return sent !== undefined && index !== undefined && found !== undefined && sent.isReported(index, found)
  })
}

/** The runs of a range in which the records from `first` on failed, one for each code; the others are stored. */
export function partlyFailed(sent: Sent, first: number, failed: ReadonlyArray<Failed>): ReadonlyArray<Run> {
  const what = `${sent.state.topic}/${sent.state.partition}`
  const runs: Array<Run> = []
  const add = (from: number, to: number, code: number) => {
    if (to > from) runs.push(runOf(sent.from + from, sent.from + to, code, what))
  }
  const start = Math.min(first, sent.count)
  const end = Math.min(sent.count, start + failed.length)
  add(0, start, 0)
  for (let at = start; at < end;) {
    const code = failed[at - start]?.code ?? 0
    const from = at++
    while (at < end && failed[at - start]?.code === code) at++
    add(from, at, code)
  }
  add(end, sent.count, 0)
  return runs
}

export function mixedUp({ from, to, state: { topic, partition } }: Sent): Run {
  return unknownRun(from, to, `${topic}/${partition}`, "some records failed, and it cannot be told which")
}
