/** Something that is to be woken at a time. */
export interface Alarmed {
  /** When, in whole milliseconds of the monotonic clock; infinite: not at all. Kept by the calendar. */
  alarmMs: number
  readonly ring: () => void
}

/**
 * Who is to be woken when: instead of a timer for each. Times are whole milliseconds, and most of what is entered is later than what is
 * there, so entering and taking out cost the same however many there are.
 */
export class Calendar {
  readonly #days = new Map<number, Set<Alarmed>>()
  /** The milliseconds that have an entry, in rising order, from `#first` on. */
  #times: Array<number> = []
  #first = 0

  /** The earliest time that has an entry; infinite without any. */
  get earliestMs(): number {
    for (; this.#first < this.#times.length; this.#first++) {
      const at = this.#times[this.#first] ?? 0
      if ((this.#days.get(at)?.size ?? 0) > 0) return at
      this.#days.delete(at)
    }
    this.#times = []
    this.#first = 0
    return Number.POSITIVE_INFINITY
  }

  /** Wakes `one` at a time, unless it is to be woken earlier. */
  enter(one: Alarmed, atMs: number): void {
    const time = Math.ceil(atMs)
    if (one.alarmMs <= time) return
    this.remove(one)
    one.alarmMs = time
    let day = this.#days.get(time)
    if (day === undefined) {
      day = new Set()
      this.#days.set(time, day)
      this.#insert(time)
    }
    day.add(one)
  }

  /** Does not wake `one` any more. */
  remove(one: Alarmed): void {
    if (one.alarmMs === Number.POSITIVE_INFINITY) return
    this.#days.get(one.alarmMs)?.delete(one)
    one.alarmMs = Number.POSITIVE_INFINITY
  }

  /** Wakes whose time has come. */
  ring(nowMs: number): void {
    for (let time = this.earliestMs; time <= nowMs; time = this.earliestMs) {
      const day = this.#days.get(time)
      this.#days.delete(time)
      this.#first++
      if (day === undefined) continue
      for (const one of day) {
        one.alarmMs = Number.POSITIVE_INFINITY
        one.ring()
      }
    }
  }

  #insert(time: number): void {
    let at = this.#times.length
    while (at > this.#first && (this.#times[at - 1] ?? 0) > time) at--
    // Empty ones before it that were passed over stay passed over; what is entered is never before them.
    this.#times.splice(at, 0, time)
    if (this.#first > 1000) {
      this.#times = this.#times.slice(this.#first)
      this.#first = 0
    }
  }
}
