import type { LaneSource, Position, ReceivedBatch, TransportError } from "leat/transport"

/** What a test lets a lane read, and answers it; `wrong` is what the lane did that no driver could bear. */
export class ScriptedSource implements LaneSource {
  readonly wrong: Array<string> = []
  /** Position after what is there to read. */
  end: Position
  /** Positions that were stored, in this order. */
  readonly stored: Array<Position> = []
  /** Position that is on its way. */
  committing: Position | undefined
  ends = 0
  readonly overs: Array<"released" | "lost"> = []
  /** Position after what was read. */
  next: Position
  /** Called in a read that finds nothing, before it says so: as if the fiber gave way just after it. */
  whenEmpty: (() => void) | undefined
  #done: ((error: TransportError | undefined) => void) | undefined
  readonly #step: bigint

  constructor(start: Position, step = 3n) {
    this.end = start
    this.next = start
    this.#step = step
  }

  read(from: Position): ReceivedBatch | undefined {
    if (from !== this.next) this.wrong.push(`read from ${from}, after ${this.next} was handed out`)
    if (this.ends > 0) this.wrong.push("read after the lane had ended")
    if (from >= this.end) {
      this.whenEmpty?.()
      return undefined
    }
    this.next = from + this.#step < this.end ? from + this.#step : this.end
    return { records: [], next: this.next, gap: "control" }
  }

  commit(position: Position, done: (error: TransportError | undefined) => void): void {
    if (this.committing !== undefined) this.wrong.push(`${position} was sent while ${this.committing} is on its way`)
    if (position <= (this.stored.at(-1) ?? -1n)) this.wrong.push(`${position} was sent after a higher one was stored`)
    if (position > this.next) this.wrong.push(`${position} was sent, and only ${this.next} was handed out`)
    if (this.overs.length > 0) this.wrong.push(`${position} was sent for a lane that is over`)
    this.committing = position
    this.#done = done
  }

  /** Answers what is on its way. */
  answer(error?: TransportError): void {
    const done = this.#done
    if (this.committing === undefined || done === undefined) return
    if (error === undefined) this.stored.push(this.committing)
    this.committing = undefined
    this.#done = undefined
    done(error)
    // A driver that answers twice changes nothing.
    done(undefined)
  }

  ended(): void {
    this.ends++
  }

  over(how: "released" | "lost"): void {
    if (this.committing !== undefined) this.wrong.push(`given away while ${this.committing} is on its way`)
    this.overs.push(how)
  }
}
