/** Buckets [from, to) of a stream. */
export interface BucketRange {
  readonly from: number
  readonly to: number
}
