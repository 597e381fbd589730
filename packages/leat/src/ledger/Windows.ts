/**
 * What was counted in the last minutes, hours and days. Counters only rise, so what they read now less what they read at a past moment is what
 * came between; nothing is done for an event. Readings are kept of the moments that `Rings` has: a counter that has ever moved costs a kilobyte,
 * one that has not costs nothing.
 *
 * A window begins at the youngest reading that is old enough. It holds all that it should, and mostly somewhat more: `coversMs` says how much.
 * All counters were 0 when the leat was opened, so a window that is longer than the leat is old counts from there.
 *
 * Times are milliseconds of the monotonic clock.
 */
import { type Counts, newCounts, sum } from "./Counts.ts"
import type { Ledger, StreamAccount, WriteAccount } from "./Ledger.ts"
import { Readings } from "./Readings.ts"
import { Rings } from "./Rings.ts"

/** What was answered to those who offered events of one stream, within a window. */
export interface StreamWindow {
  readonly stream: string
  readonly admitted: number
  /** By `RejectReason`. */
  readonly rejected: Readonly<Counts>
}

/**
 * What became of events of one stream in one sink, within a window. What was admitted in it may end after it, so `admitted + recovered +
 * movedIn` is what ended, what moved out, and what more is pending at its end than at its beginning.
 */
export interface LegWindow {
  readonly stream: string
  /** `cluster/topic`. */
  readonly sink: string
  readonly epoch: number
  readonly admitted: number
  /** Left in the spill by a process before this one, or sent on from the fallback for whoever, and ended here. */
  readonly recovered: number
  /** Come from the leg of another epoch, and gone on as one. */
  readonly movedIn: number
  readonly movedOut: number
  readonly stored: number
  /** Stored by the fallback. */
  readonly fellBack: number
  /** Set aside in `{topic}.undelivered` by a policy, by reason. */
  readonly deadLettered: Readonly<Counts>
  /** Given up, by reason. */
  readonly dropped: Readonly<Counts>
  /** In the spill at the end of the window, of what this process admitted. */
  readonly spilled: number
  /** In the spill at its beginning. */
  readonly spilledBefore: number
}

/** What was counted in a window of time that ends now; plain data, which does not change any more. */
export interface LedgerWindow {
  /** What was asked for, in milliseconds. */
  readonly lengthMs: number
  /** What it holds, in milliseconds: somewhat more than was asked for, or less where the leat is younger. */
  readonly coversMs: number
  /** One row for each stream that was opened. */
  readonly streams: ReadonlyArray<StreamWindow>
  /** One row for each stream in each sink and epoch. */
  readonly legs: ReadonlyArray<LegWindow>
}

/** How many legs have ended within a window, and how many of these were given up. */
export interface Ended {
  readonly coversMs: number
  readonly ended: number
  readonly lost: number
}

/** Where a window begins: the slot of its first reading; undefined: at the opening, when nothing was counted. */
interface Begin {
  readonly slot: number | undefined
  readonly coversMs: number
}

/** Where the counters by reason stand in the readings. */
type Reasons = Map<string, number>

/** Where the counters of an account stand in the readings. */
interface Indexes {
  readonly admitted: number
  stored: number | undefined
  fellBack: number | undefined
  recovered: number | undefined
  movedIn: number | undefined
  movedOut: number | undefined
  spilled: number | undefined
  rejected: Reasons | undefined
  deadLettered: Reasons | undefined
  dropped: Reasons | undefined
}

export class Windows {
  readonly #ledger: Ledger
  readonly #openedAtMs: number
  readonly #rings = new Rings()
  readonly #readings = new Readings()
  /** Of accounts that have counted anything. */
  readonly #indexes = new Map<StreamAccount | WriteAccount, Indexes>()
  /** Where windows that end at one moment begin, by length: thousands of legs are asked for the same ones. */
  readonly #begins = new Map<number, Begin>()
  #begunAtMs = Number.NaN
  #lastMs: number

  constructor(ledger: Ledger, openedAtMs: number) {
    this.#ledger = ledger
    this.#openedAtMs = openedAtMs
    this.#lastMs = openedAtMs
    this.#rings.note(openedAtMs)
  }

  /** Reads all counters, if the last reading is old enough. */
  read(nowMs: number): void {
    if (!this.#rings.isDue(nowMs)) return
    this.#lastMs = nowMs
    for (const account of this.#ledger.streams) this.#readStream(account)
    for (const account of this.#ledger.accounts) this.#readLeg(account)
    this.#readings.keep(this.#rings.note(nowMs))
    this.#begins.clear()
  }

  /** What was counted in the last so many milliseconds. */
  over(lengthMs: number, nowMs: number): LedgerWindow {
    const begin = this.#begin(lengthMs, nowMs)
    return {
      lengthMs,
      coversMs: begin.coversMs,
      streams: Array.from(this.#ledger.streams, (account) => this.#stream(account, begin)),
      legs: this.#ledger.accounts.map((account) => this.#leg(account, begin))
    }
  }

  /** What became of the events of one leg in the last so many milliseconds. */
  leg(account: WriteAccount, lengthMs: number, nowMs: number): LegWindow {
    return this.#leg(account, this.#begin(lengthMs, nowMs))
  }

  /** How many events of one leg have ended in the last so many milliseconds. */
  ended(account: WriteAccount, lengthMs: number, nowMs: number): Ended {
    const { slot, coversMs } = this.#begin(lengthMs, nowMs)
    const was = this.#indexes.get(account)
    const stored = account.stored - this.#readings.at(was?.stored, slot)
    const fellBack = account.fellBack - this.#readings.at(was?.fellBack, slot)
    const lost = sum(account.dropped) - this.#sumAt(was?.dropped, slot)
    const setAside = sum(account.deadLettered) - this.#sumAt(was?.deadLettered, slot)
    return { coversMs, ended: stored + fellBack + setAside + lost, lost }
  }

  #stream(account: StreamAccount, { slot }: Begin): StreamWindow {
    const { stream, admitted, rejected } = account
    const was = this.#indexes.get(account)
    return {
      stream,
      admitted: admitted - this.#readings.at(was?.admitted, slot),
      rejected: this.#risen(rejected, was?.rejected, slot)
    }
  }

  #leg(account: WriteAccount, { slot }: Begin): LegWindow {
    const { stream, sink, epoch, admitted, recovered, movedIn, movedOut } = account
    const { stored, fellBack, deadLettered, dropped, spilled } = account
    const was = this.#indexes.get(account)
    return {
      stream,
      sink,
      epoch,
      admitted: admitted - this.#readings.at(was?.admitted, slot),
      recovered: recovered - this.#readings.at(was?.recovered, slot),
      movedIn: movedIn - this.#readings.at(was?.movedIn, slot),
      movedOut: movedOut - this.#readings.at(was?.movedOut, slot),
      stored: stored - this.#readings.at(was?.stored, slot),
      fellBack: fellBack - this.#readings.at(was?.fellBack, slot),
      deadLettered: this.#risen(deadLettered, was?.deadLettered, slot),
      dropped: this.#risen(dropped, was?.dropped, slot),
      spilled,
      spilledBefore: this.#readings.at(was?.spilled, slot)
    }
  }

  #begin(lengthMs: number, nowMs: number): Begin {
    // A clock that went back stands still.
    const endMs = Math.max(nowMs, this.#lastMs)
    if (endMs !== this.#begunAtMs) this.#begins.clear()
    this.#begunAtMs = endMs
    let begin = this.#begins.get(lengthMs)
    if (begin === undefined) {
      const slot = this.#rings.slotBy(endMs - lengthMs)
      begin = { slot, coversMs: endMs - (slot === undefined ? this.#openedAtMs : this.#rings.timeAt(slot)) }
      this.#begins.set(lengthMs, begin)
    }
    return begin
  }

  /** By how much counts have risen since a slot was read; reasons that have not are left out. */
  #risen(counts: Readonly<Counts>, was: Reasons | undefined, slot: number | undefined): Counts {
    const found = newCounts()
    for (const reason in counts) {
      const count = (counts[reason] ?? 0) - this.#readings.at(was?.get(reason), slot)
      if (count > 0) found[reason] = count
    }
    return { ...found }
  }

  #sumAt(was: Reasons | undefined, slot: number | undefined): number {
    let total = 0
    for (const index of was?.values() ?? []) total += this.#readings.at(index, slot)
    return total
  }

  #readStream(account: StreamAccount): void {
    if (account.offered === 0) return
    const own = this.#indexesOf(account)
    this.#readings.set(own.admitted, account.admitted)
    own.rejected = this.#readCounts(own.rejected, account.rejected)
  }

  #readLeg(account: WriteAccount): void {
    const { admitted, recovered, movedIn, movedOut, stored, fellBack, spilled, deadLettered, dropped } = account
    // Nothing ends that was neither admitted nor recovered, and has not moved in.
    if (admitted + recovered + movedIn === 0) return
    const own = this.#indexesOf(account)
    this.#readings.set(own.admitted, admitted)
    if (stored > 0) this.#readings.set((own.stored ??= this.#readings.add()), stored)
    if (fellBack > 0) this.#readings.set((own.fellBack ??= this.#readings.add()), fellBack)
    if (recovered > 0) this.#readings.set((own.recovered ??= this.#readings.add()), recovered)
    if (movedIn > 0) this.#readings.set((own.movedIn ??= this.#readings.add()), movedIn)
    if (movedOut > 0) this.#readings.set((own.movedOut ??= this.#readings.add()), movedOut)
    if (spilled > 0 || own.spilled !== undefined) this.#readings.set((own.spilled ??= this.#readings.add()), spilled)
    own.deadLettered = this.#readCounts(own.deadLettered, deadLettered)
    own.dropped = this.#readCounts(own.dropped, dropped)
  }

  #readCounts(own: Reasons | undefined, counts: Readonly<Counts>): Reasons | undefined {
    let reasons = own
    for (const reason in counts) {
      reasons ??= new Map()
      let index = reasons.get(reason)
      if (index === undefined) {
        index = this.#readings.add()
        reasons.set(reason, index)
      }
      this.#readings.set(index, counts[reason] ?? 0)
    }
    return reasons
  }

  #indexesOf(account: StreamAccount | WriteAccount): Indexes {
    const found = this.#indexes.get(account)
    if (found !== undefined) return found
    const indexes = {
      admitted: this.#readings.add(),
      stored: undefined,
      fellBack: undefined,
      recovered: undefined,
      movedIn: undefined,
      movedOut: undefined,
      spilled: undefined,
      rejected: undefined,
      deadLettered: undefined,
      dropped: undefined
    }
    this.#indexes.set(account, indexes)
    return indexes
  }
}
