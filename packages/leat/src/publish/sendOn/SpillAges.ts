/**
 * Which records have been in a spill for too long. Their times are those at which they were admitted, by the wall clock of a process that may be gone, so
 * that is what they are compared with. A clock that is set forward makes nothing older: it counts as far as the monotonic one has come since.
 *
 * @example
 * ```ts
 * const ages = new SpillAges(pump, () => leg.spill?.ageMsMax)
 * const old = ages.expired(records, 0, records.length)
 * ```
 */
import { readMeta } from "../../record/Wire.ts"
import type { ReceivedRecord } from "../../transport/index.ts"
import type { Pump } from "../Pump.ts"

export class SpillAges {
  readonly #clock: Pick<Pump, "nowMs" | "wallMs">
  readonly #ageMsMax: () => number | undefined
  /** Wall time less monotonic time, in milliseconds, when this process began. */
  readonly #apartMs: number

  /** `ageMsMax`: as the table in force says; undefined: nothing is too old. */
  constructor(clock: Pick<Pump, "nowMs" | "wallMs">, ageMsMax: () => number | undefined) {
    this.#clock = clock
    this.#ageMsMax = ageMsMax
    this.#apartMs = clock.wallMs - clock.nowMs
  }

  /** Those at the front of [from, to) that have; none that only announces drops, which is no event. */
  expired(records: ReadonlyArray<ReceivedRecord>, from: number, to: number): ReadonlyArray<ReceivedRecord> {
    const ageMsMax = this.#ageMsMax()
    if (ageMsMax === undefined) return []
    const beforeMs = Math.min(this.#clock.wallMs, this.#clock.nowMs + this.#apartMs) - ageMsMax
    let end = from
    for (let record = records[end]; end < to && record !== undefined; record = records[++end])
      if (record.timeMs >= beforeMs || readMeta(record.headers, "").isMarker) break
    return records.slice(from, end)
  }

  /** One sentence about them. */
  get why(): string {
    return `it was in the spill for longer than ${this.#ageMsMax() ?? 0} ms`
  }
}
