/**
 * What was stored of what a process before this one has left, while it is not known whether it counts where it was stored: an epoch may have ended there.
 * It has ended for this process, and is not settled, nor is anything behind it. Streams and epochs are kept, and two positions: not a note for each record.
 */
import { Deferred, Effect } from "effect"
import type { Position } from "../../transport/index.ts"
import type { Carrier } from "./Departures.ts"

/** An epoch that something of a stream is stored in. */
export interface Written {
  readonly stream: string
  readonly epoch: number
  /** Who carries it there; undefined: it is sent to the destination. */
  readonly carrier?: Carrier | undefined
}

export class Unproven {
  /** What stands before this position may be settled; undefined: all of it. */
  #from: Position | undefined
  /** Behind all that is stored, or on its way. */
  #to: Position = 0n
  #asked: ReadonlyArray<Written> = []
  /** Completes when something is stored. */
  #come = Deferred.makeUnsafe<void>()
  /** Since when something that is stored waits, in milliseconds of the monotonic clock; undefined: nothing does. */
  sinceMs: number | undefined
  /** Whether some of it does not count: all of it is to be looked at anew. */
  isLost = false

  get from(): Position | undefined {
    return this.#from
  }

  /** In what it is stored. */
  get asked(): ReadonlyArray<Written> {
    return this.#asked
  }

  get come(): Effect.Effect<void> {
    return Effect.suspend(() => Deferred.await(this.#come))
  }

  /** What stands in [from, to) is about to be stored, or was just now. */
  add(from: Position, to: Position, written: ReadonlyArray<Written>): void {
    if (written.length === 0) return
    if (this.#from === undefined || from < this.#from) this.#from = from
    if (to > this.#to) this.#to = to
    for (const one of written) if (!this.#asked.some((other) => isSame(one, other))) this.#asked = [...this.#asked, one]
  }

  /** What stands before a position has ended. */
  ended(at: Position, nowMs: number): void {
    if (this.#from === undefined || at <= this.#from) return
    this.sinceMs ??= nowMs
    Deferred.doneUnsafe(this.#come, Effect.void)
  }

  /** Nothing is on its way any more, and what stands before a position has ended. */
  quiet(at: Position): void {
    if (this.#from === undefined || this.#to <= at) return
    this.#to = at
    if (at <= this.#from) this.clear()
  }

  /** Up to where it may be settled, of what stands before a position. */
  settleable(position: Position): Position {
    return this.#from === undefined || position < this.#from ? position : this.#from
  }

  /** What stands before a position counts, or was settled by another process. */
  proven(before: Position): void {
    if (this.#from === undefined || before <= this.#from) return
    if (before >= this.#to) return this.clear()
    this.#from = before
    this.#waitAnew()
    this.sinceMs = undefined
  }

  /** Whoever waits already is woken by the next that is stored. */
  #waitAnew(): void {
    if (Deferred.isDoneUnsafe(this.#come)) this.#come = Deferred.makeUnsafe<void>()
  }

  /** Nothing of it waits: it counts, or is looked at anew. */
  clear(): void {
    this.#from = undefined
    this.#to = 0n
    this.#asked = []
    this.#waitAnew()
    this.sinceMs = undefined
    this.isLost = false
  }
}

const isSame = (one: Written, other: Written) =>
  one.stream === other.stream && one.epoch === other.epoch && one.carrier === other.carrier
