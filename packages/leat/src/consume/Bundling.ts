/** Which records go to one call of a handler of batches: consecutive ones, as many as it takes, and for how long it waits for more. */
import type { ReceivedRecords } from "../transport/index.ts"
import type { HeldRecord, Slice } from "./HeldRecord.ts"

export class Bundling {
  readonly #recordsMax: number
  readonly #waitMs: number
  /** The bundle that the next record may join, and the last slice of it. */
  #open: HeldRecord | undefined
  #end: Slice | undefined
  /** The one that is open is what is left of another: its records have waited. */
  #isRest = false
  /** When the bundle that waits to be full is given to its handler all the same; infinite when none waits. */
  dueMs = Number.POSITIVE_INFINITY

  /** Milliseconds that a bundle which is not full waits; 0: not at all. */
  constructor(recordsMax: number, waitMs: number) {
    this.#recordsMax = recordsMax
    this.#waitMs = waitMs
  }

  /** Others may join this one. */
  begin(held: HeldRecord, slice: Slice): void {
    this.#open = held
    this.#end = slice
    this.#isRest = false
  }

  /** One was cut: what stood behind is `rest`, and others may join that, if they could join the whole. */
  cut(whole: HeldRecord, rest: HeldRecord): void {
    if (this.#open !== whole) return
    this.#open = rest
    if (rest.slice?.following === undefined) this.#end = rest.slice
    this.#isRest = true
  }

  isOpen(held: HeldRecord): boolean {
    return this.#open === held
  }

  /** Nobody joins the one that is open any more. */
  close(): void {
    this.#open = this.#end = undefined
  }

  /** Puts a record to the bundle before it, where nothing lies between them (`last` is the last that is held) and there is room. */
  joins(records: ReceivedRecords, index: number, bytes: number, last: HeldRecord | undefined): boolean {
    const bundle = this.#open
    const end = this.#end
    if (bundle?.state !== "waiting" || end === undefined || bundle.span >= this.#recordsMax) return false
    if (last !== bundle) return false
    if (end.records === records && end.to === index) end.to++
    else {
      end.following = { records, from: index, to: index + 1, following: undefined }
      this.#end = end.following
    }
    bundle.span++
    bundle.bytes += bytes
    return true
  }

  /** Whether the handler of a bundle waits for more, which may still come: `mayGrow`. */
  waits(held: HeldRecord, mayGrow: boolean, nowMs: number): boolean {
    const isOpen = held === this.#open && !this.#isRest
    const waits = this.#waitMs > 0 && mayGrow && isOpen && held.span < this.#recordsMax
    if (waits && this.dueMs === Number.POSITIVE_INFINITY) this.dueMs = nowMs + this.#waitMs
    if (waits && nowMs < this.dueMs) return true
    this.dueMs = Number.POSITIVE_INFINITY
    return false
  }
}
