/**
 * Announced gaps: the next record that a lane stores says which records before it were dropped, so that a consumer can tell
 * a counted drop from a loss. The header is text, for consumers in any language.
 *
 * @example
 * ```ts
 * dropNotice([{ bucket: 3, from: 100, to: 105, reason: "overflow" }]) // bytes of "3:100-105:overflow"
 * ```
 */

/** Sequences [from, to) of a bucket. */
export interface DroppedRange {
  readonly bucket: number
  readonly from: number
  to: number
  readonly reason: string
}

export const droppedHeader = "leat-dropped"

/** Ranges that one notice can carry, about 8 KiB; `...` at the end says that there were more. */
export const rangesMax = 256

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function dropNotice(ranges: ReadonlyArray<DroppedRange>): Uint8Array {
  const listed = ranges.slice(0, rangesMax).map(({ bucket, from, to, reason }) => `${bucket}:${from}-${to}:${reason}`)
  if (ranges.length > rangesMax) listed.push("...")
  return encoder.encode(listed.join(";"))
}

/** Reads a notice; what is not one gives no ranges. */
export function readDropNotice(bytes: Uint8Array): ReadonlyArray<DroppedRange> {
  return decoder
    .decode(bytes)
    .split(";")
    .flatMap((text) => {
      const parts = /^(\d+):(\d+)-(\d+):(.*)$/.exec(text)
      const [bucket = 0, from = 0, to = 0] = parts?.slice(1, 4).map(Number) ?? []
      const isRange = from < to && Number.isSafeInteger(to) && Number.isSafeInteger(bucket)
      return isRange ? [{ bucket, from, to, reason: parts?.[4] ?? "" }] : []
    })
}
