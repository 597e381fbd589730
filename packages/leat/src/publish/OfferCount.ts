/** Counts what is offered to one stream: nothing else counts offers, admissions, rejections and those that wait. */
import { countReason } from "../ledger/Counts.ts"
import type { Ledger, StreamAccount } from "../ledger/Ledger.ts"
import type { Admission, RejectReason } from "./Admission.ts"

export class OfferCount {
  readonly #account: StreamAccount
  readonly #journal: Ledger["journal"]

  constructor(account: StreamAccount, journal: Ledger["journal"]) {
    this.#account = account
    this.#journal = journal
  }

  /** An event was offered, and got its answer at once. */
  told(admission: Admission): void {
    this.#account.offered++
    this.#answered(admission)
  }

  /** An event was offered, and has to wait for its answer. */
  waits(): void {
    this.#account.offered++
    this.#account.waiting++
  }

  /** One that waited got its answer. */
  toldLate(admission: Admission): void {
    this.#account.waiting--
    this.#answered(admission)
  }

  #answered(admission: Admission): void {
    if (admission.admitted) this.#account.admitted++
    else this.#rejected(admission.reason)
  }

  #rejected(reason: RejectReason): void {
    const { rejected, stream } = this.#account
    countReason(rejected, reason)
    this.#journal?.rejected?.(stream, reason)
  }
}
