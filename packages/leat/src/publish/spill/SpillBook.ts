/**
 * What this leat has in one partition of its spill: which positions, how many events of each account, and who waits for them. Whose an event
 * is its record says when it is sent on; so a long outage costs the memory of those who wait, and of a few stretches of positions.
 */
import { countReason } from "../../ledger/Counts.ts"
import type { WriteAccount } from "../../ledger/Ledger.ts"
import type { Waiter } from "../../ledger/Waiter.ts"
import { taggedStream } from "../../record/CompactHeader.ts"
import type { RecordBatch } from "../../record/RecordBatch.ts"
import type { RecordMeta } from "../../record/Wire.ts"
import type { Position } from "../../transport/index.ts"
import { takenOver } from "../Admission.ts"
import { Fifo } from "../Fifo.ts"
import type { Ending, Moved, Unstored } from "../sendOn/Ending.ts"

/**
 * Receipts of a sink that are followed although nobody waits for them: their level was reached when they were on disk, and their outcome may be
 * asked for later. Of older ones it says that they stay in the spill.
 */
export const receiptsMax = 100_000

/** So many callers of a partition are looked through for those who have gone, and again once there are twice as many as are left then. */
const sweptMin = 10_000

/** Who is told of the event at a position. */
interface Waiting {
  /** Of the sink: who came before has a lower one. */
  readonly order: number
  readonly at: Position
  readonly waiter: Waiter
  readonly count: number
}

/** The receipts of a sink that are followed, over all its partitions. */
export class Followed {
  receipts = 0
  #order = 0
  readonly #books: Array<SpillBook> = []

  add(book: SpillBook): void {
    this.#books.push(book)
  }

  get next(): number {
    return this.#order++
  }

  /** Those beyond the bound that came first, whatever their partitions are. */
  forgetOldest(): void {
    while (this.receipts > receiptsMax) {
      let oldest: SpillBook | undefined
      for (const book of this.#books) if (book.oldest < (oldest?.oldest ?? Number.POSITIVE_INFINITY)) oldest = book
      if (oldest === undefined) return
      oldest.forgetOldest()
    }
  }
}

/** Records [from, to) of a batch that are in the spill now. */
export interface Spilled {
  readonly account: WriteAccount
  readonly batch: RecordBatch
  readonly from: number
  readonly to: number
  readonly mayBeStored: boolean
}

/** Positions in rising order; what is looked at is before what comes later. */
class Stretches {
  readonly #all = new Fifo<{ from: Position; to: Position }>()

  add(from: Position, to: Position): void {
    let index = this.#all.length
    let before = this.#all.at(index - 1)
    // What had no answer at first may stand before what is noted already.
    for (; before !== undefined && before.from >= to; before = this.#all.at(index - 1)) index--
    if (before?.to === from) before.to = to
    else this.#all.insert(index, { from, to })
  }

  /** Whether the position is among them: no more from now on, nor are those before it. What is sent on once more counts once. */
  take(position: Position): boolean {
    let first = this.#all.at(0)
    while (first !== undefined && first.to <= position) {
      this.#all.shift()
      first = this.#all.at(0)
    }
    if (first === undefined || first.from > position) return false
    first.from = position + 1n
    if (first.from === first.to) this.#all.shift()
    return true
  }

  get isEmpty(): boolean {
    return this.#all.length === 0
  }

  has(position: Position): boolean {
    return this.countWithin(position, position + 1n) > 0
  }

  /** How many there are in [from, to). */
  countWithin(from: Position, to: Position): number {
    let total = 0n
    for (let at = 0; at < this.#all.length; at++) {
      const one = this.#all.at(at)
      if (one === undefined || one.from >= to) break
      const start = one.from > from ? one.from : from
      const end = one.to < to ? one.to : to
      if (end > start) total += end - start
    }
    return Number(total)
  }
}

export class SpillBook {
  readonly #followed: Followed
  readonly #noted = new Stretches()
  /** Of these: what had an answer of the destination which never came. */
  readonly #doubtful = new Stretches()
  readonly #counts = new Map<WriteAccount, number>()
  /** Callers who wait, and receipts that nobody waits for; each by rising positions. */
  #awaited = new Fifo<Waiting>()
  #receipts = new Fifo<Waiting>()
  #sweptAt = sweptMin
  /** Ended without that anybody has read whose they were, by the reason; and how many of these may be stored. */
  readonly #unread = { Corrupt: 0, [takenOver]: 0 }
  #unreadDoubtful = 0

  constructor(followed: Followed) {
    this.#followed = followed
    followed.add(this)
  }

  /** When the first receipt came; Infinity: there is none. */
  get oldest(): number {
    return this.#receipts.at(0)?.order ?? Number.POSITIVE_INFINITY
  }

  /** Records stand in the spill, the first of them at `base`. A record that announces drops and is no event is not noted. */
  add({ account, batch, from, to, mayBeStored }: Spilled, base: Position): void {
    if (batch.isMarker(from)) return
    const count = to - from
    account.spilled += count
    this.#counts.set(account, (this.#counts.get(account) ?? 0) + count)
    this.#noted.add(base, base + BigInt(count))
    if (mayBeStored) this.#doubtful.add(base, base + BigInt(count))
    if (!batch.isAwaited) return
    for (let index = from; index < to; index++)
      batch.awaited(index, index + 1, (waiter, legs) => this.#follow(waiter, legs, base + BigInt(index - from)))
  }

  /** Whether this leat knows that it has put an event there, which has not ended. */
  isNoted(position: Position): boolean {
    return this.#noted.has(position)
  }

  /** Whose the event at a position is, as its record says; undefined: this leat has not put it there, or has given it up. */
  accountAt(position: Position, { id, epoch }: RecordMeta): WriteAccount | undefined {
    return id === undefined || !this.isNoted(position) ? undefined : this.#accountOf(id.stream, epoch)
  }

  /**
   * The event at a position has ended, as its record says whose it is; undefined: this leat has not put it there, or has given it up. One that is
   * not stored may be so all the same: the destination has not answered, or the spill has not settled it, and a process that comes sends it on.
   */
  end(
    position: Position,
    { id, epoch }: RecordMeta,
    how: Ending | Moved,
    isDoubtful: boolean
  ): WriteAccount | undefined {
    if (!this.#noted.take(position)) return undefined
    const account = id === undefined ? undefined : this.#accountOf(id.stream, epoch)
    const mayBeStored = this.#doubtful.take(position) || isDoubtful
    this.#tell(position, how, mayBeStored)
    if (account === undefined) {
      this.#unread.Corrupt++
      if (mayBeStored) this.#unreadDoubtful++
      return undefined
    }
    this.#count(account, how, 1)
    if (isLost(how) && mayBeStored) account.droppedMayBeStored++
    return account
  }

  /**
   * What stands in [from, to) cannot be read, or another process has sent it on: then nobody here knows what became of it. Whether it may be
   * stored is told of all together. Returns how many events of this leat that were.
   */
  skip(from: Position, to: Position, reason: "Corrupt" | typeof takenOver, isDoubtful: boolean): number {
    const count = this.#noted.countWithin(from, to)
    const mayBeStored = isDoubtful || this.#doubtful.countWithin(from, to) > 0
    this.#noted.take(to - 1n)
    this.#doubtful.take(to - 1n)
    this.#unread[reason] += count
    if (mayBeStored) this.#unreadDoubtful += count
    this.#tell(to - 1n, { ending: "dropped", reason }, mayBeStored)
    if (this.#counts.size === 1 || this.#noted.isEmpty) this.#countUnread()
    return count
  }

  /** Nothing is left: what was never read is counted where events are missing. */
  empty(): void {
    this.#countUnread()
    this.#counts.clear()
  }

  /** This leat is closed: whoever waits is told that the next one sends them. The account keeps them as spilled. What stands before `doubtEnd` may be stored. */
  leave(doubtEnd: Position): void {
    this.#countUnread()
    for (const waiting of [...this.#awaited.all, ...this.#receipts.all]) leaveBehind(waiting, waiting.at < doubtEnd)
    this.#followed.receipts -= this.#receipts.length
  }

  #accountOf(stream: string, epoch: number | undefined): WriteAccount | undefined {
    let found: WriteAccount | undefined
    for (const account of this.#counts.keys()) {
      if (account.stream !== stream && taggedStream(account.stream) !== stream) continue
      if (epoch === undefined || account.epoch === epoch) return account
      found ??= account
    }
    return found
  }

  #count(account: WriteAccount, how: Ending | Moved, count: number): void {
    account.spilled -= count
    this.#counts.set(account, (this.#counts.get(account) ?? 0) - count)
    if (how.ending === "movedOut" && account.movedOut === 0) account.moveBegan?.(account)
    if (!isLost(how)) account[how.ending] += count
    else countReason(account[how.ending], how.reason, count)
  }

  #countUnread(): void {
    for (const account of this.#counts.keys())
      for (const reason of [takenOver, "Corrupt"] as const) {
        const count = Math.min(this.#counts.get(account) ?? 0, this.#unread[reason])
        if (count === 0) continue
        this.#unread[reason] -= count
        this.#count(account, { ending: "dropped", reason }, count)
        const doubtful = Math.min(count, this.#unreadDoubtful)
        this.#unreadDoubtful -= doubtful
        account.droppedMayBeStored += doubtful
      }
  }

  #follow(waiter: Waiter, count: number, at: Position): void {
    waiter.tellOnDisk(count)
    const one: Waiting = { at, waiter, count, order: this.#followed.next }
    if (waiter.isAwaited) {
      this.#await(one)
      return
    }
    insert(this.#receipts, one)
    this.#followed.receipts++
    this.#followed.forgetOldest()
  }

  #await(one: Waiting): void {
    insert(this.#awaited, one)
    if (this.#awaited.length >= this.#sweptAt) this.#sweep()
  }

  /** Who waited may wait no longer: a signal was aborted, or the level was reached once the last leg was on disk. Then it is a receipt. */
  #sweep(): void {
    const [awaited, receipts] = [new Fifo<Waiting>(), new Fifo<Waiting>()]
    for (const one of this.#awaited.all) {
      if (one.waiter.isAwaited) awaited.push(one)
      else {
        for (let first = this.#receipts.at(0); first !== undefined && first.at < one.at; first = this.#receipts.at(0)) {
          receipts.push(first)
          this.#receipts.shift()
        }
        receipts.push(one)
        this.#followed.receipts++
      }
    }
    for (const one of this.#receipts.all) receipts.push(one)
    this.#awaited = awaited
    this.#receipts = receipts
    this.#sweptAt = Math.max(sweptMin, awaited.length * 2)
    this.#followed.forgetOldest()
  }

  /** Somebody may have asked for the outcome of a receipt since: then it is one of those who wait. */
  forgetOldest(): void {
    const oldest = this.#receipts.shift()
    if (oldest === undefined) return
    this.#followed.receipts--
    if (oldest.waiter.isAwaited) this.#await(oldest)
    else leaveBehind(oldest, false)
  }

  /** Tells those who follow the events up to a position. */
  #tell(position: Position, how: Ending | Moved, mayBeStored: boolean): void {
    for (const line of [this.#awaited, this.#receipts])
      for (let first = line.at(0); first !== undefined && first.at <= position; first = line.at(0)) {
        line.shift()
        if (line === this.#receipts) this.#followed.receipts--
        endOf(first, how, mayBeStored)
      }
  }
}

/** By rising positions; mostly this one is the last. */
function insert(line: Fifo<Waiting>, one: Waiting): void {
  let index = line.length
  while (index > 0 && (line.at(index - 1)?.at ?? 0n) > one.at) index--
  line.insert(index, one)
}

function isLost(how: Ending | Moved): how is Unstored {
  return how.ending !== "stored" && how.ending !== "movedOut"
}

/** What has moved out was stored where it went. */
function endOf({ waiter, count }: Waiting, how: Ending | Moved, mayBeStored: boolean): void {
  waiter.tellFromDisk(count)
  if (!isLost(how)) waiter.tellStored(count)
  else if (how.ending === "dropped") waiter.tellDropped(count, how.reason, mayBeStored)
  else waiter.tellDeadLettered(count, how.reason, how.topic, mayBeStored)
}

function leaveBehind({ waiter, count }: Waiting, mayBeStored: boolean): void {
  waiter.tellFromDisk(count)
  waiter.tellSpilled(count, mayBeStored)
}
