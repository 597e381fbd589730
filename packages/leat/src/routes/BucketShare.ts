/** A share of the keys of a stream: a range of percent of the buckets of its contract, the same in every process and after every restart. */
import { Result } from "effect"
import type { BucketRange } from "../ledger/BucketRange.ts"

/** Percent of the buckets, whole numbers from 0 to 99, both inclusive: `0-9%` is the first tenth. */
export interface BucketShare {
  readonly from: number
  readonly to: number
}

const shareForm = /^(\d+) ?- ?(\d+) ?%$/

/** Reads it as a document has it, or says in one sentence why it is none. */
export function shareOf(text: string): Result.Result<BucketShare, string> {
  const [, first, last] = shareForm.exec(text) ?? []
  if (first === undefined || last === undefined) return Result.fail(noShare(text))
  const [from, to] = [Number(first), Number(last)]
  if (to > 99) return Result.fail(`${text} ends above 99: percent are counted from 0, and 0-99% is all`)
  if (from > to) return Result.fail(`${text} begins behind its end; write the smaller number first, as ${to}-${from}%`)
  return Result.succeed({ from, to })
}

/** One number is as likely the first so many percent as that one. */
function noShare(text: string): string {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(text) ?? []
  if (from !== undefined) return `${text} does not say of what; write it in percent of the buckets, as ${from}-${to}%`
  const [, one] = /^(\d{1,2})%$/.exec(text) ?? []
  if (one === undefined)
    return `${text} is no range in percent of the buckets; write it as 0-9%, which is the first tenth`
  return `${text} is no range; write 0-${Math.max(0, Number(one) - 1)}% for the first ${one} percent, or ${one}-${one}% for that one`
}

/** As a document has it. */
export function shareText({ from, to }: BucketShare): string {
  return `${from}-${to}%`
}

/** The buckets of a share, of so many: a bucket is at its index of so many, in whole percent. Shares that follow each other have each bucket once. */
export function bucketsOf({ from, to }: BucketShare, buckets: number): BucketRange {
  return { from: Math.ceil((from * buckets) / 100), to: Math.ceil(((to + 1) * buckets) / 100) }
}
