/**
 * A line: first come, first out. Keeps its storage when it is empty, which an array gives back, to ask for it again with the next one: the
 * lines of a lane and of its partition have one who comes and goes, for every batch. However long it is, taking the first one out moves none.
 */
export class Fifo<A> {
  /** A ring; its length is a power of two. */
  #ring: Array<A | undefined> = [undefined, undefined]
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The one at `index`, counted from the first. */
  at(index: number): A | undefined {
    return index < this.#length ? this.#ring[(this.#first + index) & (this.#ring.length - 1)] : undefined
  }

  push(one: A): void {
    if (this.#length === this.#ring.length) {
      this.#ring = Array.from({ length: this.#length * 2 }, (_, index) => this.at(index))
      this.#first = 0
    }
    this.#ring[(this.#first + this.#length++) & (this.#ring.length - 1)] = one
  }

  /** Puts one before the one at `index`, or behind all where there is none. */
  insert(index: number, one: A): void {
    this.push(one)
    const last = this.#ring.length - 1
    for (let at = this.#length - 1; at > index; at--) {
      this.#ring[(this.#first + at) & last] = this.at(at - 1)
      this.#ring[(this.#first + at - 1) & last] = one
    }
  }

  /** Puts several before the one at `index`, or behind all where there is none. */
  insertAll(index: number, those: ReadonlyArray<A>): void {
    const { all } = this
    const ring: Array<A | undefined> = [...all.slice(0, index), ...those, ...all.slice(index)]
    this.#first = 0
    this.#length = ring.length
    let size = this.#ring.length
    while (size < ring.length) size *= 2
    while (ring.length < size) ring.push(undefined)
    this.#ring = ring
  }

  /** Takes the first one out. */
  shift(): A | undefined {
    if (this.#length === 0) return undefined
    const one = this.#ring[this.#first]
    this.#ring[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#length--
    return one
  }

  /** Takes one out, wherever it stands; returns whether it was there. */
  remove(one: A): boolean {
    if (this.#length > 0 && this.#ring[this.#first] === one) {
      this.shift()
      return true
    }
    let at = 1
    while (at < this.#length && this.at(at) !== one) at++
    if (at >= this.#length) return false
    const last = this.#ring.length - 1
    for (; at < this.#length - 1; at++) this.#ring[(this.#first + at) & last] = this.at(at + 1)
    this.#ring[(this.#first + at) & last] = undefined
    this.#length--
    return true
  }

  /** All of them, in a list of its own. */
  get all(): ReadonlyArray<A> {
    const all: Array<A> = []
    for (let index = 0; index < this.#length; index++) {
      const one = this.at(index)
      if (one !== undefined) all.push(one)
    }
    return all
  }
}
