/**
 * Reports of failures say which message failed only by its bytes. Requests fail as a whole, so that what failed stands side by side:
 * where exactly one place in the sequence fits, it is known which records failed.
 */

/** The one place in `count` records where `reports` reports in a row match; undefined where none fits, or more than one. */
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
