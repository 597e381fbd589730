/**
 * Tells a reader that cannot decode from records that cannot be decoded. A record that cannot be decoded says nothing about what handlers need, and
 * waiting does not mend it; but where most of what is read cannot be decoded, it may be this process that has the wrong schema. Then a few become
 * dead letters, and the others wait: a topic is not drained into its dead letters.
 *
 * What is counted are records as they are read, and not as handlers end: those that cannot be decoded take no time. Where the latest were mostly
 * undecodable, those that wait behind them are looked at too: decoding needs no order, and has no effect.
 */
import { OutageWatch } from "../OutageWatch.ts"
import type { ReceivedRecords } from "../transport/index.ts"

/** So many dead letters in so many milliseconds, of a reader that cannot decode most of what it reads. */
const lettersMax = 100
const windowMs = 600_000

/** A look behind that found nothing better is not repeated for so long, in milliseconds. */
const lookMs = 1000

/** One record that no handler has had yet. */
export interface Unread {
  readonly records: ReceivedRecords
  readonly from: number
}

/** Whether a record can be decoded; undefined where it is no event of the stream. Has no effect. */
type CanDecode = (records: ReceivedRecords, index: number) => boolean | undefined

export class ReadingWatch {
  readonly #watch: OutageWatch
  readonly #canDecode: CanDecode
  readonly #onChanged: (isSuspect: boolean) => void
  #left = lettersMax
  #renewAtMs = Number.NEGATIVE_INFINITY
  #lookAtMs = Number.NEGATIVE_INFINITY
  #isTold = false

  /** `onChanged`: records begin to wait, or wait no more. */
  constructor(canDecode: CanDecode, onChanged: (isSuspect: boolean) => void) {
    this.#canDecode = canDecode
    this.#onChanged = onChanged
    this.#watch = new OutageWatch((isSuspect) => {
      if (!isSuspect) this.#tell(false)
    })
  }

  /** So many records were decoded, for the first time. */
  decoded(count: number, nowMs: number): void {
    this.#watch.handled(count, nowMs)
  }

  /** One could not be decoded; as `OutageWatch.failed`. */
  failed(nowMs: number, countedMs: number): number {
    return this.#watch.failed(nowMs, countedMs)
  }

  /** Whether one that cannot be decoded is to wait. `behind`: some of those that wait for their turn in its lane. */
  waits(nowMs: number, behind: () => Iterable<Unread>): boolean {
    if (!this.#watch.isOutage(nowMs)) return false
    if (nowMs >= this.#lookAtMs) this.#look(behind(), nowMs)
    if (!this.#watch.isOutage(nowMs)) return false
    if (nowMs >= this.#renewAtMs) {
      this.#left = lettersMax
      this.#renewAtMs = nowMs + windowMs
    }
    if (this.#left > 0) {
      this.#left--
      return false
    }
    this.#tell(true)
    return true
  }

  #look(behind: Iterable<Unread>, nowMs: number): void {
    for (const { records, from } of behind) {
      const isDecoded = this.#canDecode(records, from)
      if (isDecoded === true) this.#watch.handled(1, nowMs)
      else if (isDecoded === false) this.#watch.failed(nowMs, Number.NEGATIVE_INFINITY)
    }
    this.#lookAtMs = this.#watch.isOutage(nowMs) ? nowMs + lookMs : Number.NEGATIVE_INFINITY
  }

  #tell(isSuspect: boolean): void {
    if (isSuspect === this.#isTold) return
    this.#isTold = isSuspect
    this.#onChanged(isSuspect)
  }
}
