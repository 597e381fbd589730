/**
 * Failure reports carry bytes, not ids, and of several requests some fail and others do not. So a record is known to have failed where as many
 * reports have its bytes as there are such records, and known to be stored where none has.
 */
import { fateOf } from "../client/failure.ts"

/** One failure report: what it says of its record's bytes, and the code. */
export interface NamedFailure {
  readonly name: string
  readonly code: number
}

/**
 * The code of each record, 0 where it is stored, undefined where that cannot be told. Undefined for all where a report is of none of the records:
 * it belongs to others, and so may those that fit.
 */
export function codesOf(
  records: ReadonlyArray<string>,
  failures: ReadonlyArray<NamedFailure>
): ReadonlyArray<number | undefined> | undefined {
  const codes = new Map<string, Array<number>>()
  for (const { name, code } of failures) {
    const of = codes.get(name)
    if (of === undefined) codes.set(name, [code])
    else of.push(code)
  }
  const counts = new Map<string, number>()
  for (const name of records) counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const [name, { length }] of codes) if (length > (counts.get(name) ?? 0)) return undefined
  for (const [name, of] of codes) {
    const isCertain = of.length === counts.get(name) && new Set(of.map(fateOf)).size === 1
    if (!isCertain) codes.set(name, [])
  }
  // Of records with the same bytes it does not matter which of them has which code.
  return records.map((name) => (codes.has(name) ? codes.get(name)?.shift() : 0))
}
