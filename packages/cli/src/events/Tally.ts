/** What became of the lines of one run of `events publish`: offered = stored + duplicates + malformed + notStored. */
export class Tally {
  offered = 0
  stored = 0
  /** Records whose partition has their event already. */
  duplicates = 0
  malformed = 0
  /** The log did not take them, or has not said so. */
  notStored = 0

  get isWhole(): boolean {
    return this.malformed === 0 && this.notStored === 0
  }

  toString(): string {
    const { offered, stored, duplicates, malformed, notStored } = this
    return `offered ${offered}, stored ${stored}, duplicates ${duplicates}, malformed ${malformed}, not stored ${notStored}`
  }
}
