/**
 * What this leat has in one partition of its spill, by position: whose events they are, and who waits for them. Neighbours of one stream that
 * nobody waits for are one entry, so that a long outage costs the memory of a few.
 */
import type { WriteAccount } from "../../ledger/Ledger.ts"
import type { Waiter } from "../../ledger/Waiter.ts"
import type { RecordBatch } from "../../record/RecordBatch.ts"
import type { Position } from "../../transport/index.ts"
import { Fifo } from "../Fifo.ts"

/** Positions [from, to) of one stream. */
interface Entry {
  from: Position
  to: Position
  readonly account: WriteAccount
  /** Whether any of them had an answer of the destination which never came. */
  readonly mayBeStored: boolean
  /** By position; undefined where nobody waits. */
  readonly waiting: ReadonlyArray<Waiting> | undefined
}

interface Waiting {
  readonly at: Position
  readonly waiter: Waiter
  readonly count: number
}

/** How records in a spill end: as legs do. */
export type SpillEnding =
  | { readonly ending: "stored" }
  | { readonly ending: "dropped"; readonly reason: string }
  | { readonly ending: "deadLettered"; readonly reason: string; readonly topic: string }

/** Records [from, to) of a batch that are in the spill now. */
export interface Spilled {
  readonly account: WriteAccount
  readonly batch: RecordBatch
  readonly from: number
  readonly to: number
  readonly mayBeStored: boolean
}

export class SpillBook {
  readonly #entries = new Fifo<Entry>()

  /** Records stand in the spill, the first of them at `base`. A record that announces drops and is no event is not noted. */
  add({ account, batch, from, to, mayBeStored }: Spilled, base: Position): void {
    if (batch.isMarker(from)) return
    account.spilled += to - from
    const last = this.#entries.at(this.#entries.length - 1)
    const waiting = batch.isAwaited ? waitingOf(batch, from, to, base) : undefined
    const end = base + BigInt(to - from)
    const isMore =
      last !== undefined && last.to === base && last.account === account && last.mayBeStored === mayBeStored
    if (isMore && last.waiting === undefined && waiting === undefined) last.to = end
    else this.#entries.push({ from: base, to: end, account, mayBeStored, waiting })
  }

  /**
   * Positions [from, to) have ended; those before them have, too. Calls `told` for each stretch of one stream. Returns how many of them were
   * noted here.
   */
  end(
    from: Position,
    to: Position,
    how: SpillEnding,
    told: (account: WriteAccount, from: Position, to: Position) => void
  ): number {
    let total = 0
    for (let entry = this.#entries.at(0); entry !== undefined && entry.from < to; entry = this.#entries.at(0)) {
      const start = from > entry.from ? from : entry.from
      const end = to < entry.to ? to : entry.to
      if (end > start) {
        total += this.#endPart(entry, start, end, how)
        told(entry.account, start, end)
      }
      entry.from = end > entry.from ? end : entry.from
      if (entry.from < entry.to) break
      this.#entries.shift()
    }
    return total
  }

  /** This leat is closed: whoever waits is told that the next one sends them. The account keeps them as spilled. */
  leave(): void {
    for (const { waiting = [] } of this.#entries.all)
      for (const { waiter, count } of waiting) {
        waiter.tellFromDisk(count)
        waiter.tellSpilled(count)
      }
  }

  /** Of whose streams the event at a position is. */
  accountAt(position: Position): WriteAccount | undefined {
    // What stands before it has ended: it is among the first.
    for (let at = 0; at < this.#entries.length; at++) {
      const entry = this.#entries.at(at)
      if (entry !== undefined && position < entry.to) return entry.from <= position ? entry.account : undefined
    }
    return undefined
  }

  #endPart({ account, mayBeStored, waiting = [] }: Entry, from: Position, to: Position, how: SpillEnding): number {
    const count = Number(to - from)
    account.spilled -= count
    if (how.ending === "stored") account.stored += count
    else {
      account[how.ending][how.reason] = (account[how.ending][how.reason] ?? 0) + count
      if (mayBeStored) account.droppedMayBeStored += count
    }
    for (const { at, waiter, count: legs } of waiting) {
      if (at < from || at >= to) continue
      waiter.tellFromDisk(legs)
      if (how.ending === "stored") waiter.tellStored(legs)
      else if (how.ending === "dropped") waiter.tellDropped(legs, how.reason, mayBeStored)
      else waiter.tellDeadLettered(legs, how.reason, how.topic, mayBeStored)
    }
    return count
  }
}

function waitingOf(batch: RecordBatch, from: number, to: number, base: Position): ReadonlyArray<Waiting> | undefined {
  const waiting: Array<Waiting> = []
  for (let index = from; index < to; index++)
    batch.awaited(index, index + 1, (waiter, count) => {
      waiting.push({ at: base + BigInt(index - from), waiter, count })
      waiter.tellOnDisk(count)
    })
  return waiting.length === 0 ? undefined : waiting
}
