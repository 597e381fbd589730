/** Attribution of failure reports to the records of ranges. A report carries the bytes of a record, not its id. */
import type { Run } from "leat/transport"
import { crc32c } from "leat/record"
import { codesOf } from "./codesOf.ts"
import { type Bytes, type Failed, runOf, type Sent, unknownRun } from "./Sent.ts"

/** The code of each record of the ranges, one after the other; as `codesOf`. */
export function attributed(
  ranges: ReadonlyArray<Sent>,
  reports: ReadonlyArray<Failed>
): ReadonlyArray<number | undefined> | undefined {
  const places = ranges.flatMap((sent) => Array.from({ length: sent.count }, (_, index) => sent.record(index)))
  // What one of them does not say tells none of them apart.
  const hasValues = reports.every(({ report }) => report.value !== undefined)
  const hasTimes =
    reports.every(({ report }) => report.timestamp !== undefined) && places.every(({ timestamp }) => timestamp > 0)
  const nameOf = ({ key, value, timestamp }: Partial<Bytes> & Pick<Bytes, "key">) =>
    `${hasTimes ? timestamp : ""} ${sumOf(key)} ${hasValues ? sumOf(value ?? null) : ""}`
  return codesOf(
    places.map(nameOf),
    reports.map(({ code, report }) => ({ name: nameOf(report), code }))
  )
}

/** Length and checksum: records that share them are taken for the same, which at worst says that it cannot be told. */
function sumOf(bytes: Uint8Array | null): string {
  return bytes === null ? "none" : `${bytes.length}:${crc32c(bytes)}`
}

/** The runs of a range by the codes of its records, one for each code. */
export function runsOf(sent: Sent, codes: ReadonlyArray<number | undefined>): ReadonlyArray<Run> {
  const what = `${sent.state.topic}/${sent.state.partition}`
  const runs: Array<Run> = []
  for (let at = 0; at < sent.count;) {
    const code = codes[at]
    const from = at++
    while (at < sent.count && codes[at] === code) at++
    const [first, end] = [sent.from + from, sent.from + at]
    runs.push(code === undefined ? mixedUp(what, first, end) : runOf(first, end, code, what))
  }
  return runs
}

/** A range of which nothing can be told. */
export function allMixedUp({ from, to, state: { topic, partition } }: Sent): Run {
  return mixedUp(`${topic}/${partition}`, from, to)
}

function mixedUp(what: string, from: number, to: number): Run {
  return unknownRun(from, to, what, "some records failed, and it cannot be told which")
}
