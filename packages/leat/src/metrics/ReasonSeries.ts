/**
 * The counter of one account by reason: a series for each of the first reasons, and one for all others together. A reason may be the tag of a
 * user's error, and so any text: what is kept by a store of metrics has to be bounded.
 */
import type { Context } from "effect"
import { type Counts, sum } from "../ledger/Counts.ts"
import { type Pulled, register, unregister } from "../ledger/pulled.ts"
import { attribute } from "../Telemetry.ts"

/** Reasons of one account that have a series of their own. */
const reasonsMax = 20

/** Longest reason that has a series of its own, in UTF-16 code units. */
const reasonLengthMax = 100

/** What all other reasons are counted under: OpenTelemetry's fallback of `error.type`. */
const otherReasons = "_OTHER"

/** What a series is read from. */
interface Read {
  readonly read: () => number
}

export function byReason(name: string): ReadonlyArray<Pulled<Read>> {
  return [{ name, type: "Counter", read: ({ read }) => read() }]
}

export class ReasonSeries {
  readonly #kinds: ReadonlyArray<Pulled<Read>>
  readonly #total: (of: (counts: Readonly<Counts>) => number) => number
  readonly #attributes: Readonly<Record<string, string>>
  readonly #context: Context.Context<never>
  /** By reason; those that have no series of their own are under `otherReasons`. */
  readonly #series = new Map<string, Read>()
  #isClosed = false

  /** `total`: the sum of what it is given says of the counts of the account, which may be several. */
  constructor(
    kinds: ReadonlyArray<Pulled<Read>>,
    total: (of: (counts: Readonly<Counts>) => number) => number,
    attributes: Readonly<Record<string, string>>,
    context: Context.Context<never>
  ) {
    this.#kinds = kinds
    this.#total = total
    this.#attributes = attributes
    this.#context = context
  }

  /** A reason was counted, perhaps for the first time. */
  began(reason: string): void {
    if (this.#isClosed || this.#series.has(reason)) return
    const named = this.#series.has(otherReasons) ? this.#series.size - 1 : this.#series.size
    if (named < reasonsMax && reason.length <= reasonLengthMax && reason !== otherReasons)
      return this.#register(reason, () => this.#total((counts) => counts[reason] ?? 0))
    if (!this.#series.has(otherReasons))
      this.#register(otherReasons, () => this.#total((counts) => this.#others(counts)))
  }

  /** `isKept`: what it has counted stays in the sums of others. */
  close(isKept: boolean): void {
    this.#isClosed = true
    for (const [reason, series] of this.#series)
      unregister(this.#kinds, series, this.#attributesOf(reason), this.#context, isKept)
  }

  #register(reason: string, read: () => number): void {
    const series = { read }
    this.#series.set(reason, series)
    register(this.#kinds, series, this.#attributesOf(reason), this.#context)
  }

  #others(counts: Readonly<Counts>): number {
    let others = sum(counts)
    for (const reason of this.#series.keys()) if (reason !== otherReasons) others -= counts[reason] ?? 0
    return others
  }

  #attributesOf(reason: string): Readonly<Record<string, string>> {
    return { ...this.#attributes, [attribute.reason]: reason }
  }
}
