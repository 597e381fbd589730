/**
 * One bound over the buffers of all sinks of a leat. Half of it is shared out: each sink has a share of its own, of equal size, but for those
 * whose own buffer is smaller, whose rest goes to the others. The other half is for whoever comes first. The rules it keeps:
 *
 * - a sink that stays within its share finds room, whatever the others hold: one that stores nothing fills its share and the common half,
 *   and no share of a neighbour;
 * - what all hold together stays within the bound, but for one record of a sink that holds nothing else, because a record may be larger than
 *   a share, and for what one event takes on its other legs;
 * - a sink that opens while the others hold more than is theirs now gets its share out of what they give back, before anybody else.
 */

/** One of those that share the bound: the budget of a sink. */
export interface Sharer {
  readonly usedBytes: number
  /** Of the sink alone; once it has joined the bound writes it. */
  bytesMax: number
  /** What is its own of the bound, in bytes; the bound writes it. */
  shareBytes: number
  /** What its share is to be, in bytes; the bound writes it. */
  dueBytes: number
  /** Whether it is told when others give something back; the bound writes it. */
  isShort: boolean
  /** There may be room for it now. */
  readonly freed: () => void
}

/** The part of the bound that nobody has a share of. */
const commonPart = 0.5

export class BufferBound {
  readonly bytesMax: number
  readonly #sharers = new Set<Sharer>()
  /** How many have a buffer of a size: most have that of the default. */
  readonly #sizes = new Map<number, number>()
  /** What each holds, or its share where that is more, summed up. */
  #reservedBytes = 0
  /** What sinks neither hold nor have a share of, although it is due to them. While there is some, all that was free has been given out for it. */
  #owedBytes = 0
  /** Those who had no room. */
  #short: Array<Sharer> = []

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** The sink has opened. */
  join(sharer: Sharer): void {
    this.#sharers.add(sharer)
    this.#count(sharer.bytesMax, 1)
    sharer.shareBytes = 0
    this.#reservedBytes += sharer.usedBytes
    this.#shareOut()
  }

  /** The sink has closed. */
  leave(sharer: Sharer): void {
    if (!this.#sharers.delete(sharer)) return
    this.#count(sharer.bytesMax, -1)
    this.#reservedBytes -= reservedOf(sharer)
    this.#shareOut()
    this.#tell()
  }

  /** The sink's own buffer has another size. */
  resize(sharer: Sharer, bytesMax: number): void {
    this.#count(sharer.bytesMax, -1)
    sharer.bytesMax = bytesMax
    this.#count(bytesMax, 1)
    this.#shareOut()
    this.#tell()
  }

  /**
   * Whether `more` bytes may be taken by a sharer once it holds `heldBytes`, which is less than now where it would give something back first. One that
   * may not is told when others give something back.
   */
  hasRoom(sharer: Sharer, heldBytes: number, more: number): boolean {
    const after = heldBytes + more
    if (after <= sharer.shareBytes) return true
    const others = this.#reservedBytes - reservedOf(sharer)
    // What it would give back goes to others first, as far as it is owed to them.
    const freeBytes = Math.max(0, this.bytesMax - others - Math.max(heldBytes, sharer.shareBytes))
    const owedBytes = Math.min(this.#owedBytes - owedTo(sharer, sharer.usedBytes), freeBytes)
    if (others + owedBytes + after <= this.bytesMax) return true
    if (!sharer.isShort) {
      sharer.isShort = true
      this.#short.push(sharer)
    }
    return false
  }

  /** A sharer holds more, or less, than before. */
  moved(sharer: Sharer, beforeBytes: number): void {
    const { usedBytes, shareBytes } = sharer
    const change = Math.max(usedBytes, shareBytes) - Math.max(beforeBytes, shareBytes)
    this.#reservedBytes += change
    this.#owedBytes += owedTo(sharer, usedBytes) - owedTo(sharer, beforeBytes)
    // What is given back of a share is room for nobody else.
    if (change >= 0) return
    if (this.#owedBytes > 0) this.#shareOut()
    this.#tell()
  }

  /** Sets the shares anew: those that are smaller now at once, the others as far as there is room. */
  #shareOut(): void {
    const level = this.#level
    for (const sharer of this.#sharers) {
      sharer.dueBytes = Math.min(sharer.bytesMax, level)
      if (sharer.dueBytes < sharer.shareBytes) this.#give(sharer, sharer.dueBytes)
    }
    this.#owedBytes = 0
    for (const sharer of this.#sharers) {
      // What it holds anyway costs nothing, but for what is above the bound: that goes when it is given back, and is nobody's share.
      const most = reservedOf(sharer) + this.bytesMax - this.#reservedBytes
      this.#give(sharer, Math.max(sharer.shareBytes, Math.min(sharer.dueBytes, most)))
      this.#owedBytes += owedTo(sharer, sharer.usedBytes)
    }
  }

  /** The share of those whose own buffer is not smaller: all shares together are the part that is shared out. */
  get #level(): number {
    let left = this.bytesMax * (1 - commonPart)
    let count = this.#sharers.size
    for (const [own, many] of [...this.#sizes].toSorted(([one], [other]) => one - other)) {
      if (own * count > left) return Math.floor(left / count)
      left -= own * many
      count -= many
    }
    return Number.POSITIVE_INFINITY
  }

  #count(bytesMax: number, change: number): void {
    const count = (this.#sizes.get(bytesMax) ?? 0) + change
    if (count === 0) this.#sizes.delete(bytesMax)
    else this.#sizes.set(bytesMax, count)
  }

  #give(sharer: Sharer, shareBytes: number): void {
    this.#reservedBytes -= reservedOf(sharer)
    sharer.shareBytes = shareBytes
    this.#reservedBytes += reservedOf(sharer)
  }

  #tell(): void {
    if (this.#short.length === 0) return
    const short = this.#short
    this.#short = []
    for (const sharer of short) {
      sharer.isShort = false
      sharer.freed()
    }
  }
}

function reservedOf({ usedBytes, shareBytes }: Sharer): number {
  return Math.max(usedBytes, shareBytes)
}

function owedTo({ dueBytes, shareBytes }: Sharer, usedBytes: number): number {
  return Math.max(0, dueBytes - Math.max(usedBytes, shareBytes))
}
