/** The first unfinished record of each key that waits for a handler, in line. */
import { HeldRecord } from "./HeldRecord.ts"

/** In place of what was taken: a record holds the whole batch that it was pulled in. */
const taken = new HeldRecord(undefined, "", 0, 0, 0)

export class ReadyLine {
  #line: Array<HeldRecord> = []
  /** What is before was taken. */
  #head = 0

  get length(): number {
    return this.#line.length - this.#head
  }

  get first(): HeldRecord | undefined {
    return this.#line[this.#head]
  }

  push(held: HeldRecord): void {
    this.#line.push(held)
  }

  /** Takes the first one out. Half of a long array is cut at once, so that taking costs a constant on average. */
  shift(): void {
    if (this.#head === this.#line.length) return
    this.#line[this.#head++] = taken
    if (this.#head === this.#line.length) this.#line.length = this.#head = 0
    else if (this.#head > 1024 && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head)
      this.#head = 0
    }
  }
}
