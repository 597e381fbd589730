/**
 * Announced gaps: the next record that a lane stores says which records before it were dropped, so that a consumer can tell
 * a counted drop from a loss. The header is text, for consumers in any language: ranges of a bucket with a reason, which is left out where
 * it is that of the range before.
 *
 * @example
 * ```ts
 * dropNotice([{ bucket: 3, from: 100, to: 105, reason: "overflow" }]) // bytes of "3:100-105:overflow"
 * ```
 */

/** Sequences [from, to) of a bucket. */
export interface DroppedRange {
  readonly bucket: number
  from: number
  to: number
  readonly reason: string
}

export const droppedHeader = "leat-dropped"

/**
 * Ranges that one notice can carry; `...` at the end says that there were more. A lane that stores nothing for a while has one range for
 * each bucket and reason, and a partition may have all 3840 buckets of a contract: about 55 KiB, in one record after an outage.
 */
export const rangesMax = 4096

/** What a notice ends with that does not carry all there were: the next one goes on. */
const noticeMore = "..."

/** Stands for drops that no notice will list: there were more of them than a lane remembers. */
const noticeForgotten = "?..."

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** A notice of the first `count` ranges; it says so when there are more. */
export function dropNotice(ranges: ReadonlyArray<DroppedRange>, count = rangesMax): Uint8Array {
  const listed = ranges.slice(0, count).map((range, index) => textOf(range, ranges[index - 1]))
  if (ranges.length > count) listed.push(noticeMore)
  return encoder.encode(listed.join(";"))
}

/** How many ranges, from the first on, a notice of at most so many bytes can carry; no more than `countMax`. */
export function rangesWithin(ranges: ReadonlyArray<DroppedRange>, bytesMax: number, countMax = rangesMax): number {
  const most = Math.min(ranges.length, rangesMax, countMax)
  let bytes = noticeMore.length
  for (let index = 0; index < most; index++) {
    const range = ranges[index]
    if (range === undefined) return index
    bytes += Buffer.byteLength(textOf(range, ranges[index - 1])) + 1
    if (bytes > bytesMax) return index
  }
  return most
}

function textOf({ bucket, from, to, reason }: DroppedRange, before: DroppedRange | undefined): string {
  if (bucket === forgotten.bucket) return noticeForgotten
  return `${bucket}:${from}-${to}${reason === before?.reason ? "" : `:${reason}`}`
}

/** Reads a notice; what is not one gives no ranges. */
export function readDropNotice(bytes: Uint8Array): ReadonlyArray<DroppedRange> {
  let reason: string | undefined
  return decoder
    .decode(bytes)
    .split(";")
    .flatMap((text) => {
      const parts = /^(\d+):(\d+)-(\d+)(?::(.*))?$/.exec(text)
      const [bucket = 0, from = 0, to = 0] = parts?.slice(1, 4).map(Number) ?? []
      const isRange = from < to && Number.isSafeInteger(to) && Number.isSafeInteger(bucket)
      if (!isRange) return []
      reason = parts?.[4] ?? reason
      return reason === undefined ? [] : [{ bucket, from, to, reason }]
    })
}

/** Whether the writer had more to say than the notice had room for. */
export function noticeIsCut(bytes: Uint8Array): boolean {
  return decoder.decode(bytes).endsWith(noticeMore)
}

/** Whether there were drops that no notice lists. */
export function noticeHasForgotten(bytes: Uint8Array): boolean {
  return decoder.decode(bytes).split(";").includes(noticeForgotten)
}

/** Stands among the ranges of a lane for those that it has no room for. */
export const forgotten: DroppedRange = Object.freeze({ bucket: -1, from: 0, to: 0, reason: "" })

/** The drops of a lane that no record has announced yet: sequences of one bucket that follow each other are one range. */
export class DroppedRanges {
  readonly #ranges: Array<DroppedRange> = []
  /** The newest range of each bucket. */
  readonly #newest = new Map<number, DroppedRange>()
  /** How many of the last ones were added since some were taken out: only these can follow one that is put back. */
  #young = 0

  /** Of each bucket in order. */
  get all(): ReadonlyArray<DroppedRange> {
    return this.#ranges
  }

  add(bucket: number, seq: number, reason: string): void {
    const newest = this.#newest.get(bucket)
    if (newest !== undefined && newest.to === seq && newest.reason === reason) {
      newest.to = seq + 1
      return
    }
    // A sink may be dead for days: what is not remembered is told in one word.
    if (this.#ranges.length >= rangesMax) this.#forget()
    else this.#push({ bucket, from: seq, to: seq + 1, reason })
  }

  #push(range: DroppedRange): void {
    this.#ranges.push(range)
    this.#young++
    this.#newest.set(range.bucket, range)
  }

  #forget(): void {
    if (!this.#newest.has(forgotten.bucket)) this.#push({ ...forgotten })
  }

  /** Takes the first ones out, all when not said otherwise, for a record to announce. */
  take(count = this.#ranges.length): ReadonlyArray<DroppedRange> {
    const taken = this.#ranges.splice(0, count)
    for (const range of taken) if (this.#newest.get(range.bucket) === range) this.#newest.delete(range.bucket)
    this.#young = 0
    return taken
  }

  /** Puts back in front what a record was to announce and did not. What was there meanwhile is not looked at one by one: it may be much. */
  putBack(ranges: ReadonlyArray<DroppedRange>): void {
    const next = new Map<number, DroppedRange>()
    for (const range of this.#ranges.slice(this.#ranges.length - this.#young).toReversed())
      next.set(range.bucket, range)
    const front: Array<DroppedRange> = []
    for (const range of ranges.toReversed()) {
      const { bucket, to, reason } = range
      const follower = next.get(bucket)
      if (follower?.from === to && follower.reason === reason) {
        follower.from = range.from
        continue
      }
      const own = { ...range }
      front.push(own)
      next.set(bucket, own)
      if (!this.#newest.has(bucket)) this.#newest.set(bucket, own)
    }
    this.#ranges.unshift(...front.toReversed())
    const cut = this.#ranges.splice(rangesMax)
    for (const range of cut) {
      this.#young = Math.max(0, this.#young - 1)
      if (this.#newest.get(range.bucket) === range) this.#newest.delete(range.bucket)
    }
    if (cut.length > 0) this.#forget()
  }
}
