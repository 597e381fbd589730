/** Records that wait for a retry, earliest first; of two that are due together the one that came first. A binary heap. */
import type { HeldRecord } from "./HeldRecord.ts"

export class RetryHeap {
  readonly #items: Array<HeldRecord> = []

  get size(): number {
    return this.#items.length
  }

  /** When the first one is due; Infinity when there is none. */
  get dueMs(): number {
    return this.#items[0]?.retryAtMs ?? Number.POSITIVE_INFINITY
  }

  push(held: HeldRecord): void {
    const items = this.#items
    let at = items.length
    items.push(held)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent]
      if (above === undefined || !isBefore(held, above)) break
      items[at] = above
      at = parent
    }
    items[at] = held
  }

  /** Takes the first one out, if it is due. */
  popDue(nowMs: number): HeldRecord | undefined {
    const items = this.#items
    const first = items[0]
    if (first === undefined || first.retryAtMs > nowMs) return undefined
    const last = items.pop()
    if (last !== undefined && last !== first) this.#sink(last)
    return first
  }

  /** Makes all due at once, each as if it had never been tried. */
  restart(nowMs: number): void {
    for (const held of this.#items) {
      held.attempts = 0
      held.retryAtMs = nowMs
    }
    this.#items.sort((a, b) => a.order - b.order)
  }

  /** Puts an item in the place of the root, and lets it sink to where it belongs. */
  #sink(held: HeldRecord): void {
    const items = this.#items
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      const left = items[child]
      if (left === undefined) break
      const right = items[child + 1]
      const least = right !== undefined && isBefore(right, left) ? right : left
      if (least === right) child++
      if (!isBefore(least, held)) break
      items[at] = least
      at = child
    }
    items[at] = held
  }
}

function isBefore(a: HeldRecord, b: HeldRecord): boolean {
  return a.retryAtMs === b.retryAtMs ? a.order < b.order : a.retryAtMs < b.retryAtMs
}
