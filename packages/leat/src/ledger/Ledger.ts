/**
 * Where every event is. What the accounts say must balance at every step:
 *
 * ```text
 * offered  = admitted + rejected[reason] + waiting                                        per stream
 * admitted = what each required leg has admitted; waiting = those who stand in line       per stream
 * admitted + recovered + movedIn = stored + fellBack + deadLettered[reason]               per (stream, sink, epoch)
 *          + dropped[reason] + movedOut + queued + inFlight + inDoubt + deadLettering + spilled
 * end - start = done + moved[reason] + deadLettered[reason] + dropped[reason]             per (group, lane)
 *             + duplicate + skipped[reason] + parked + inFlight + unread
 * ```
 *
 * What has ended is counted where it ends; what is pending is counted afresh in the lanes when somebody looks. So the
 * equation is a check of one against the other and not a definition, and the publish path pays for two increments. A
 * `Journal` sees every single move by id: tests keep the sets themselves with it.
 */

import { withJson } from "../given/withJson.ts"
import type { BucketRange } from "./BucketRange.ts"
import { type Counts, newCounts, sum } from "./Counts.ts"
import { Unannounced, type UnannouncedRange } from "./Unannounced.ts"
import { GroupAccount, type ReadTerm } from "./GroupAccount.ts"

/**
 * Where a leg can be that a lane holds. `inDoubt`: sent, and the answer never came; `deadLettering`: on its way to the topic of what could not be
 * published.
 */
export type PendingPlace = "queued" | "inFlight" | "inDoubt" | "deadLettering"

/**
 * Where a leg can be. `stored`, `fellBack` (the fallback has it), `deadLettered`, `dropped` and `movedOut` (its stream has moved, and the event goes on
 * in the next epoch, as another leg) are final; `spilled`: on a disk until its destination takes it.
 */
export type Place = PendingPlace | "spilled" | "stored" | "fellBack" | "deadLettered" | "dropped" | "movedOut"

/**
 * Sees every move of every leg; `from` is undefined on admission, and `movedOut` where the event comes from the leg of another epoch. Called synchronously, inside the move, so it must be
 * quick and must not throw. What ends in a spill without that this leat can read it, because it is damaged or another process has sent it on, it
 * does not see: nobody here knows the ids.
 *
 * @example
 * ```ts
 * const journal: Journal = {
 *   moved: ({ stream, sink }, bucket, seq, from, to) => moves.push(`${sink} ${stream}/${bucket}/${seq}: ${from} -> ${to}`)
 * }
 * const leat = yield* Leat.make({ source: "test", journal })
 * ```
 */
export interface Journal {
  /** `reason`: of a dead letter or a drop. */
  readonly moved: (
    account: WriteAccount,
    bucket: number,
    seq: number,
    from: Place | undefined,
    to: Place,
    reason?: string
  ) => void
  /** An event of the stream was not admitted. */
  readonly rejected?: (stream: string, reason: string) => void
}

export interface StreamAccount {
  readonly stream: string
  offered: number
  admitted: number
  readonly rejected: Counts
  /** Publishers that wait for room. */
  waiting: number
  /** How many really stand in line, counted afresh when somebody looks. */
  inLine: () => number
  /** Counts the events of some buckets that were admitted, by their sequences. */
  sequences: TakenSequences
  /** What must have admitted the same events. */
  required: ReadonlyArray<RequiredLeg>
}

/** The sequences of a stream. */
export interface TakenSequences {
  /** How many of some buckets were taken. */
  readonly takenIn: (buckets: BucketRange) => number
}

/** A leg that takes every event of its stream, or of some of its buckets. */
interface RequiredLeg {
  readonly account: WriteAccount
  /** Those of a canary; undefined: all. */
  readonly buckets: BucketRange | undefined
  /** Events that it had been given, less those of its buckets, when it became required for these. */
  readonly ahead: number
}

/**
 * From now on every event of the stream is admitted on these legs, or every event of the `buckets` of their accounts; `sequences` counts those.
 */
export function requireLegs(stream: StreamAccount, legs: ReadonlyArray<WriteAccount>, sequences: TakenSequences): void {
  stream.sequences = sequences
  stream.required = legs.map((account) => {
    const { buckets } = account
    const before = stream.required.find((leg) => leg.account === account && isSameRange(leg.buckets, buckets))
    return before ?? { account, buckets, ahead: account.admitted - admittedTo(stream, buckets) }
  })
}

function isSameRange(one: BucketRange | undefined, other: BucketRange | undefined): boolean {
  return one?.from === other?.from && one?.to === other?.to
}

function admittedTo({ admitted, sequences }: StreamAccount, buckets: BucketRange | undefined): number {
  return buckets === undefined ? admitted : sequences.takenIn(buckets)
}

/** The legs of one stream in one sink and epoch. Terminal counters only grow. */
export interface WriteAccount {
  /** Index in the ledger. */
  readonly index: number
  readonly stream: string
  readonly sink: string
  readonly epoch: number
  /** Those of a canary now; undefined: it takes all. */
  buckets: BucketRange | undefined
  admitted: number
  /** Left in the spill by a process before this one, or sent on from the fallback for whoever, and ended here. */
  recovered: number
  /** Come from the leg of another epoch, which had not sent them: their stream has moved. */
  movedIn: number
  /** Gone on as the leg of another epoch. */
  movedOut: number
  /** In the spill; the one pending place that no lane holds. */
  spilled: number
  stored: number
  /** Stored by the fallback. */
  fellBack: number
  readonly deadLettered: Counts
  readonly dropped: Counts
  /** Of the dead-lettered and dropped: those that had an answer which never came. */
  droppedMayBeStored: number
  /** Of the dropped: those that nobody will announce any more. */
  readonly unannounced: Unannounced
  /** Is called before the first event moves in, and before the first one moves out. */
  moveBegan: ((account: WriteAccount) => void) | undefined
}

/** Hears of accounts when they begin. */
export interface LedgerWatch {
  readonly streamBegan: (account: StreamAccount) => void
  readonly legBegan: (account: WriteAccount) => void
  /** The sink of a leg has a spill; called again and again. */
  readonly spillBegan: (account: WriteAccount) => void
  /** The sink of a leg has a fallback; called again and again. */
  readonly fallbackBegan: (account: WriteAccount) => void
  readonly groupBegan: (account: GroupAccount) => void
}

/** Who holds what is pending. */
export interface PendingCensus {
  /** Calls `add` for what it holds at this moment. */
  readonly census: (add: (account: number, place: PendingPlace, count: number) => void) => void
}

/** What was offered to one stream: `offered = admitted + rejected + waiting`, in events. */
export interface StreamRow {
  readonly stream: string
  readonly offered: number
  readonly admitted: number
  /** By `RejectReason`. */
  readonly rejected: Readonly<Counts>
  /** Blocked publishes that wait for room. */
  readonly waiting: number
  /** Whether the equation holds, as many stand in line as wait, and every required leg has admitted the same number of events, a canary those of its buckets. */
  readonly balanced: boolean
}

/**
 * What became of the admitted events of one stream in one sink: `admitted + recovered + movedIn = stored + fellBack + deadLettered + dropped +
 * movedOut + queued + inFlight + inDoubt + deadLettering + spilled`, in events.
 */
export interface LegRow {
  readonly stream: string
  /** `cluster/topic`. */
  readonly sink: string
  readonly epoch: number
  /** Of a canary: the buckets that it takes now, [from, to). Absent: it takes all. */
  readonly buckets?: BucketRange
  readonly admitted: number
  /** Left in the spill by a process before this one, or sent on from the fallback for whoever, and ended here. */
  readonly recovered: number
  /** Come from the leg of another epoch, which had not sent them: their stream has moved. */
  readonly movedIn: number
  /** Gone on as the leg of another epoch. */
  readonly movedOut: number
  readonly stored: number
  /** Stored by the fallback: ended here. Whoever sends them on counts them as `recovered`. */
  readonly fellBack: number
  /** Set aside in `{topic}.undelivered` by a policy, by the reason of the `TransportError`. */
  readonly deadLettered: Readonly<Counts>
  /** By reason: `overflow`, `tooLarge`, `closed`, `takenOver` (another process had its spill), or that of the `TransportError`. */
  readonly dropped: Readonly<Counts>
  /** Of the dead-lettered and dropped: legs that may nevertheless be stored. */
  readonly droppedMayBeStored: number
  /** Buffered, not on their way. */
  readonly queued: number
  /** Handed to the transport, no answer yet. */
  readonly inFlight: number
  /** Sent, and the answer never came; sent again once the partition is fenced. */
  readonly inDoubt: number
  /** On their way to `{topic}.undelivered`. */
  readonly deadLettering: number
  /** In the spill, on disk: sent when the destination takes it again, by this process or the next one. */
  readonly spilled: number
  /** Whether the equation holds. */
  readonly balanced: boolean
}

/** One lane of a group, over the positions [start, end) that it has been given so far. */
export interface ReadRow {
  readonly group: string
  readonly stream: string
  /** Id that the transport gives the lane. */
  readonly lane: string
  readonly start: bigint
  readonly end: bigint
  /** Positions given to this process so far, over all the times it held the lane. */
  readonly positions: number
  /** Whose handler succeeded. */
  readonly done: number
  /** Moved to a retry topic of the group, by tag: handled again there. */
  readonly moved: Readonly<Counts>
  /** Set aside in the topic of dead letters of the group, by tag. */
  readonly deadLettered: Readonly<Counts>
  /** Given up by the policy, by tag. */
  readonly dropped: Readonly<Counts>
  readonly duplicate: number
  /** Positions that hold no event of the stream, by reason. */
  readonly skipped: Readonly<Counts>
  /** Failed, and waiting for their next attempt. */
  readonly parked: number
  /** In the hands of a handler. */
  readonly inFlight: number
  /** Given and not begun; those that wait behind a parked one of their key are among them. */
  readonly unread: number
  /** Whether the equation holds. */
  readonly balanced: boolean
}

/**
 * All rows at one moment; plain data, which does not change any more. `JSON.stringify` writes positions as text.
 *
 * @example
 * ```ts
 * leat.ledger.snapshot().streams
 * // [{ stream: "risk.beacons.sighting", offered: 100, admitted: 98, rejected: { overflow: 2 }, waiting: 0, balanced: true }]
 * ```
 */
export interface LedgerSnapshot {
  /** One row for each stream that was opened. */
  readonly streams: ReadonlyArray<StreamRow>
  /** One row for each stream in each sink and epoch. */
  readonly legs: ReadonlyArray<LegRow>
  /** One row for each lane that was read here, by group. */
  readonly lanes: ReadonlyArray<ReadRow>
  /** Whether every row balances. */
  readonly balanced: boolean
}

const noPublisher: Pick<StreamAccount, "inLine" | "sequences" | "required"> = {
  inLine: () => 0,
  sequences: { takenIn: () => 0 },
  required: []
}

const nothingPending: Readonly<Record<PendingPlace, number>> = { queued: 0, inFlight: 0, inDoubt: 0, deadLettering: 0 }

export class Ledger {
  readonly accounts: Array<WriteAccount> = []
  readonly #streams = new Map<string, StreamAccount>()
  readonly #accountsOf = new Map<string, ReadonlyArray<WriteAccount>>()
  readonly #pending = new Set<PendingCensus>()
  readonly #groups = new Map<string, GroupAccount>()
  readonly #watch: LedgerWatch | undefined
  readonly journal: Journal | undefined

  constructor(journal?: Journal, watch?: LedgerWatch) {
    this.journal = journal
    this.#watch = watch
  }

  stream(stream: string): StreamAccount {
    let account = this.#streams.get(stream)
    if (account === undefined) {
      account = { stream, offered: 0, admitted: 0, rejected: newCounts(), waiting: 0, ...noPublisher }
      this.#streams.set(stream, account)
      this.#watch?.streamBegan(account)
    }
    return account
  }

  /** Of all streams that were opened. */
  get streams(): Iterable<StreamAccount> {
    return this.#streams.values()
  }

  account(stream: string, sink: string, epoch: number): WriteAccount {
    const own = this.accountsOf(stream)
    const found = own.find((one) => one.sink === sink && one.epoch === epoch)
    if (found !== undefined) return found
    const index = this.accounts.length
    const account = {
      index,
      stream,
      sink,
      epoch,
      buckets: undefined,
      admitted: 0,
      recovered: 0,
      movedIn: 0,
      movedOut: 0,
      spilled: 0,
      stored: 0,
      fellBack: 0,
      deadLettered: newCounts(),
      dropped: newCounts(),
      droppedMayBeStored: 0,
      unannounced: new Unannounced(),
      moveBegan: undefined
    }
    this.accounts.push(account)
    this.#accountsOf.set(stream, [...own, account])
    this.#watch?.legBegan(account)
    return account
  }

  /** An account of a sink that has a spill. */
  spillingAccount(stream: string, sink: string, epoch: number): WriteAccount {
    const account = this.account(stream, sink, epoch)
    this.#watch?.spillBegan(account)
    return account
  }

  /** An account of a sink that has a fallback. */
  fallingAccount(stream: string, sink: string, epoch: number): WriteAccount {
    const account = this.account(stream, sink, epoch)
    this.#watch?.fallbackBegan(account)
    return account
  }

  group(group: string, stream: string): GroupAccount {
    const key = `${group}\n${stream}`
    let account = this.#groups.get(key)
    if (account === undefined) {
      account = new GroupAccount(group, stream)
      this.#groups.set(key, account)
      this.#watch?.groupBegan(account)
    }
    return account
  }

  /** The accounts of one stream, one for each sink and epoch. */
  accountsOf(stream: string): ReadonlyArray<WriteAccount> {
    return this.#accountsOf.get(stream) ?? []
  }

  /** Registers the lanes of a sink. */
  watchPending(lanes: PendingCensus): void {
    this.#pending.add(lanes)
  }

  /** The lanes of a sink are gone. */
  unwatchPending(lanes: PendingCensus): void {
    this.#pending.delete(lanes)
  }

  /** Registers a lane being read, and its counters by reason; returns how to close its row when the lane is given back. */
  watchRead(row: () => ReadRow, counts?: Readonly<Record<ReadTerm, Counts>>): () => void {
    const { group, stream } = row()
    return this.group(group, stream).watch(row, counts)
  }

  snapshot(): LedgerSnapshot {
    const streams = Array.from(this.#streams.values(), streamRow)
    const legs = this.#legs()
    const lanes = Array.from(this.#groups.values()).flatMap(({ rows }) => rows.map(withJson))
    return { streams, legs, lanes, balanced: [...streams, ...legs, ...lanes].every((row) => row.balanced) }
  }

  /** Of each leg, as `snapshot` has them: the drops that no record announces; undefined where there are too many to say. */
  get unannounced(): ReadonlyArray<ReadonlyArray<UnannouncedRange> | undefined> {
    return this.accounts.map(({ unannounced }) => unannounced.ranges)
  }

  #legs(): ReadonlyArray<LegRow> {
    const pending = this.accounts.map(() => ({ ...nothingPending }))
    for (const lanes of this.#pending) {
      lanes.census((account, place, count) => {
        const row = pending[account]
        if (row !== undefined) row[place] += count
      })
    }
    return this.accounts.map((account, index) => {
      const { queued, inFlight, inDoubt, deadLettering } = pending[index] ?? nothingPending
      const { stream, sink, epoch, buckets, admitted, recovered, movedIn, movedOut, spilled } = account
      const { stored, fellBack, deadLettered, dropped, droppedMayBeStored } = account
      const ended = stored + fellBack + sum(deadLettered) + sum(dropped)
      const held = queued + inFlight + inDoubt + deadLettering
      return {
        stream,
        sink,
        epoch,
        ...(buckets === undefined ? {} : { buckets }),
        admitted,
        recovered,
        movedIn,
        movedOut,
        stored,
        fellBack,
        deadLettered: { ...deadLettered },
        dropped: { ...dropped },
        droppedMayBeStored,
        queued,
        inFlight,
        inDoubt,
        deadLettering,
        spilled,
        balanced: admitted + recovered + movedIn === ended + movedOut + held + spilled
      }
    })
  }
}

function streamRow(account: StreamAccount): StreamRow {
  const { stream, offered, admitted, rejected, waiting, inLine, required } = account
  const balanced =
    offered === admitted + sum(rejected) + waiting &&
    waiting === inLine() &&
    required.every((leg) => leg.account.admitted - leg.ahead === admittedTo(account, leg.buckets))
  return { stream, offered, admitted, rejected: { ...rejected }, waiting, balanced }
}
