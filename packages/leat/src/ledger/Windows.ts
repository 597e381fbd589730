/**
 * What was counted in the last minutes, hours and days. Counters only rise, so what they read now less what they read at a past moment is what
 * came between; nothing is done for an event. Readings are kept as `Rings` has them: a counter that has ever moved costs a kilobyte, one that
 * has not costs nothing.
 *
 * A window begins at the youngest reading that is old enough. It holds all that it should, and mostly somewhat more: `coversMs` says how much.
 * All counters were 0 when the leat was opened, so a window that is longer than the leat is old counts from there.
 *
 * Times are milliseconds of the monotonic clock.
 */
import { type Counts, type Ledger, newCounts, type StreamAccount, sum, type WriteAccount } from "./Ledger.ts"
import { Rings, slotsMax } from "./Rings.ts"

/** What was answered to those who offered events of one stream, within a window. */
export interface StreamWindow {
  readonly stream: string
  readonly admitted: number
  /** By `RejectReason`. */
  readonly rejected: Readonly<Counts>
}

/**
 * What became of events of one stream in one sink, within a window. What was admitted in it may end after it, so `admitted + recovered` is what
 * ended and what more is pending at its end than at its beginning.
 */
export interface LegWindow {
  readonly stream: string
  /** `cluster/topic`. */
  readonly sink: string
  readonly epoch: number
  readonly admitted: number
  /** Left in the spill by a process before this one, and ended here. */
  readonly recovered: number
  readonly stored: number
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

type Account = StreamAccount | WriteAccount

/** Where a window begins: the slot of its first reading; undefined: at the opening, when nothing was counted. */
interface Begin {
  readonly slot: number | undefined
  readonly coversMs: number
}

export class Windows {
  readonly #ledger: Ledger
  readonly #openedAtMs: number
  readonly #rings = new Rings()
  /** What counters read in each slot, by account and name; those that were always 0 have no readings. */
  readonly #readings = new Map<Account, Map<string, Float64Array>>()
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
    const slots = this.#rings.note(nowMs)
    for (const account of this.#ledger.streams) readStream(account, this.#keeper(account, slots))
    for (const account of this.#ledger.accounts) readLeg(account, this.#keeper(account, slots))
  }

  /** What was counted in the last so many milliseconds. */
  over(lengthMs: number, nowMs: number): LedgerWindow {
    const begin = this.#begin(lengthMs, nowMs)
    return {
      lengthMs,
      coversMs: begin.coversMs,
      streams: Array.from(this.#ledger.streams, (account) => {
        const since = this.#since(account, begin)
        const { stream, admitted, rejected } = account
        return { stream, admitted: since("admitted", admitted), rejected: countsSince(since, "rejected", rejected) }
      }),
      legs: this.#ledger.accounts.map((account) => this.#leg(account, begin))
    }
  }

  /** What became of the events of one leg in the last so many milliseconds. */
  leg(account: WriteAccount, lengthMs: number, nowMs: number): LegWindow {
    return this.#leg(account, this.#begin(lengthMs, nowMs))
  }

  /** How many events of one leg have ended in the last so many milliseconds. */
  ended(account: WriteAccount, lengthMs: number, nowMs: number): Ended {
    const begin = this.#begin(lengthMs, nowMs)
    const { stored, deadLettered, dropped } = this.#leg(account, begin)
    const lost = sum(dropped)
    return { coversMs: begin.coversMs, ended: stored + sum(deadLettered) + lost, lost }
  }

  #leg(account: WriteAccount, begin: Begin): LegWindow {
    const since = this.#since(account, begin)
    const { stream, sink, epoch, admitted, recovered, stored, deadLettered, dropped, spilled } = account
    return {
      stream,
      sink,
      epoch,
      admitted: since("admitted", admitted),
      recovered: since("recovered", recovered),
      stored: since("stored", stored),
      deadLettered: countsSince(since, "deadLettered", deadLettered),
      dropped: countsSince(since, "dropped", dropped),
      spilled,
      spilledBefore: spilled - since("spilled", spilled)
    }
  }

  #begin(lengthMs: number, nowMs: number): Begin {
    // A clock that went back stands still.
    const endMs = Math.max(nowMs, this.#lastMs)
    const slot = this.#rings.slotBy(endMs - lengthMs)
    return { slot, coversMs: endMs - (slot === undefined ? this.#openedAtMs : this.#rings.timeAt(slot)) }
  }

  /** By how much a counter of an account has risen since a window began. */
  #since(account: Account, { slot }: Begin): Since {
    const readings = this.#readings.get(account)
    return (name, count) => count - (slot === undefined ? 0 : (readings?.get(name)?.[slot] ?? 0))
  }

  #keeper(account: Account, slots: ReadonlyArray<number>): Keep {
    let readings = this.#readings.get(account)
    return (name, count) => {
      let values = readings?.get(name)
      if (values === undefined) {
        if (count === 0) return
        if (readings === undefined) {
          readings = new Map()
          this.#readings.set(account, readings)
        }
        values = new Float64Array(slotsMax)
        readings.set(name, values)
      }
      for (const slot of slots) values[slot] = count
    }
  }
}

type Since = (name: string, count: number) => number
type Keep = (name: string, count: number) => void

function readStream({ admitted, rejected }: StreamAccount, keep: Keep): void {
  keep("admitted", admitted)
  keepCounts(keep, "rejected", rejected)
}

function readLeg({ admitted, recovered, stored, deadLettered, dropped, spilled }: WriteAccount, keep: Keep): void {
  keep("admitted", admitted)
  keep("recovered", recovered)
  keep("stored", stored)
  keep("spilled", spilled)
  keepCounts(keep, "deadLettered", deadLettered)
  keepCounts(keep, "dropped", dropped)
}

function keepCounts(keep: Keep, kind: string, counts: Readonly<Counts>): void {
  for (const reason in counts) keep(`${kind} ${reason}`, counts[reason] ?? 0)
}

/** The reasons that came within the window; others are left out. */
function countsSince(since: Since, kind: string, counts: Readonly<Counts>): Counts {
  const risen = newCounts()
  for (const reason in counts) {
    const count = since(`${kind} ${reason}`, counts[reason] ?? 0)
    if (count > 0) risen[reason] = count
  }
  return { ...risen }
}
