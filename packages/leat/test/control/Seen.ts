/** The states that were seen, by two hashes of their names of 32 bits each: 5 million of them meet by chance once in a million runs. */
const loadMax = 0.6

export class Seen {
  size = 0
  #parents = new Uint32Array(1 << 16)
  #steps = new Uint16Array(1 << 16)
  /** Open addressing: two hashes and the number of the state, plus one. */
  #slots = new Uint32Array(3 << 17)

  /** The number of a new state; -1: it was seen. */
  add(name: string, parent: number, step: number): number {
    let [low, high] = [0x811c9dc5, 0x9747b28c]
    for (let index = 0; index < name.length; index++) {
      const code = name.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x5bd1e995)
      high ^= high >>> 15
    }
    low = mixed(low)
    high = mixed(high)
    if (!this.#insert(this.#slots, low, high, this.size + 1)) return -1
    if (this.size === this.#parents.length) this.#lengthen()
    this.#parents[this.size] = parent
    this.#steps[this.size] = step
    const number = this.size++
    if (this.size * 3 > this.#slots.length * loadMax) this.#widen()
    return number
  }

  parentOf(number: number): number {
    return this.#parents[number] ?? 0
  }

  stepOf(number: number): number {
    return this.#steps[number] ?? 0
  }

  #insert(slots: Uint32Array, low: number, high: number, value: number): boolean {
    const mask = slots.length / 3 - 1
    if ((mask & (mask + 1)) !== 0) throw new Error("slots must be a power of two")
    for (let at = low & mask; ; at = (at + 1) & mask) {
      const base = at * 3
      if (slots[base + 2] === 0) {
        slots[base] = low
        slots[base + 1] = high
        slots[base + 2] = value
        return true
      }
      if (slots[base] === low && slots[base + 1] === high) return false
    }
  }

  #widen(): void {
    const wider = new Uint32Array(this.#slots.length * 2)
    for (let base = 0; base < this.#slots.length; base += 3) {
      const [low = 0, high = 0, value = 0] = this.#slots.subarray(base, base + 3)
      if (value > 0) this.#insert(wider, low, high, value)
    }
    this.#slots = wider
  }

  #lengthen(): void {
    const [parents, steps] = [new Uint32Array(this.size * 2), new Uint16Array(this.size * 2)]
    parents.set(this.#parents)
    steps.set(this.#steps)
    this.#parents = parents
    this.#steps = steps
  }
}

/** The last mixing of murmur3. */
function mixed(hash: number): number {
  let mix = hash ^ (hash >>> 16)
  mix = Math.imul(mix, 0x85ebca6b)
  mix ^= mix >>> 13
  mix = Math.imul(mix, 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}
