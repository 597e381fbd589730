import { countReason } from "../ledger/Counts.ts"
import type { Journal, WriteAccount } from "../ledger/Ledger.ts"
import type { BucketRange } from "../ledger/BucketRange.ts"
import { DroppedRanges } from "../record/DropNotice.ts"

/**
 * A best-effort leg whose sink is not open: it takes nothing, and what it would have taken is counted as dropped. The drops are announced by
 * the first records of the lanes, once there are some.
 */
export class ClosedLeg {
  readonly account: WriteAccount
  /** What was dropped, by bucket. */
  readonly drops = new DroppedRanges()
  /** Those that it would take; other events are no loss here. */
  buckets: BucketRange
  readonly #journal: Journal | undefined
  readonly #reason: () => string

  /** `reason`: why the sink is not open, as the drops are counted. */
  constructor(account: WriteAccount, buckets: BucketRange, journal: Journal | undefined, reason: () => string) {
    this.account = account
    this.buckets = buckets
    this.#journal = journal
    this.#reason = reason
  }

  /** An event was admitted to its stream, and this leg cannot take it. */
  refused(bucket: number, seq: number): void {
    const { account, buckets } = this
    if (bucket < buckets.from || bucket >= buckets.to) return
    const reason = this.#reason()
    account.admitted++
    countReason(account.dropped, reason)
    this.#journal?.moved(account, bucket, seq, undefined, "dropped", reason)
    if (this.drops.all.length === 0) account.unannounced.hold(this.drops)
    this.drops.add(bucket, seq, reason)
  }
}
