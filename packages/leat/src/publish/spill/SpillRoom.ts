/**
 * How much of a spill its records take, in bytes of records, partition by partition: those that wait, those on their way there, and those that
 * were sent on and are not trimmed yet. The disk has all of them, so the bound of a spill is over all of them.
 */
import type { Position } from "../../transport/index.ts"
import { Fifo } from "../Fifo.ts"

/** Of one partition. */
export class SpillRoom {
  /** Of records that have not ended. */
  waiting = 0
  /** Of records that were sent there, and have no answer. */
  #underway = 0
  /** Of records that have ended, before which position. */
  readonly #ended = new Fifo<{ readonly before: Position; bytes: number }>()
  #endedBytes = 0

  get used(): number {
    return this.waiting + this.#underway + this.#endedBytes
  }

  /** Of records that have ended: their room is not given back yet. */
  get untrimmed(): number {
    return this.#endedBytes
  }

  /** Records go there. */
  sent(bytes: number): void {
    this.#underway += bytes
  }

  /** They have their answer. */
  answered(bytes: number): void {
    this.#underway -= bytes
  }

  /** Records before a position have ended. */
  ended(before: Position, bytes: number): void {
    this.waiting = Math.max(0, this.waiting - bytes)
    this.#endedBytes += bytes
    this.#ended.push({ before, bytes })
  }

  /** What stands before a position is gone. */
  trimmed(before: Position): void {
    for (let first = this.#ended.at(0); first !== undefined && first.before <= before; first = this.#ended.at(0)) {
      this.#endedBytes -= first.bytes
      this.#ended.shift()
    }
  }
}
