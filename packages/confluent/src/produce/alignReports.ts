/**
 * Failure reports carry bytes, not ids. A request fails as a whole, so failed records are adjacent: if the reports fit in exactly one place
 * of the sequence, that place has the failed records.
 */

/** The index among `count` records from which `reports` reports match in a row; undefined if there is none, or more than one. */
export function alignReports(
  count: number,
  reports: number,
  matches: (record: number, report: number) => boolean
): number | undefined {
  let found: number | undefined
  for (let start = 0; start + reports <= count; start++) {
    let report = 0
    while (report < reports && matches(start + report, report)) report++
    if (report < reports) continue
    if (found !== undefined) return undefined
    found = start
  }
  return found
}
