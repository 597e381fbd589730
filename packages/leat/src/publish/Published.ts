import type { Effect } from "effect"
import { type Outcome, Waiter } from "../ledger/Waiter.ts"
import type { EventId } from "../record/EventId.ts"
import type { Receipt } from "./Receipt.ts"

/** What is the same for all receipts of a stream. */
export interface Publication {
  readonly incarnation: string
  readonly stream: string
  readonly outcomeOf: (waiter: Waiter) => Effect.Effect<Outcome>
}

/** The receipt of one published event, which is also who waits for its legs: one object for each publish. */
export class Published extends Waiter implements Receipt {
  readonly #publication: Publication
  #bucket = 0
  #seq = 0

  constructor(publication: Publication, isForDurable: boolean) {
    super(isForDurable)
    this.#publication = publication
  }

  /** The event was admitted under these numbers. */
  numbered(bucket: number, seq: number): void {
    this.#bucket = bucket
    this.#seq = seq
  }

  get id(): EventId {
    const { incarnation, stream } = this.#publication
    return { incarnation, stream, bucket: this.#bucket, seq: this.#seq }
  }

  get outcome(): Effect.Effect<Outcome> {
    return this.#publication.outcomeOf(this)
  }
}
