/** Drops of a leg that no record has announced, and that none ever will: its ledger alone can say which they were. */

/** Sequences of a bucket. `[17, 3, 5]`: 3 and 4. */
export type UnannouncedRange = readonly [bucket: number, from: number, to: number]

/** Who holds such drops: those of a lane that is gone, or of a sink that is not open. */
export interface DropsHeld {
  /** A bucket below 0 stands for those that it has no room for. */
  readonly all: ReadonlyArray<{ readonly bucket: number; readonly from: number; readonly to: number }>
}

/** Ranges that one leg announces: about 250 kB of text. Lanes follow each other, so there is mostly one for each bucket. */
const rangesMax = 10_000

export class Unannounced {
  #held: ReadonlyArray<DropsHeld> = []

  /** Those that hold none any more are forgotten: a sink may open and close for years. */
  hold(drops: DropsHeld): void {
    this.#held = [...this.#held.filter(({ all }) => all.length > 0), drops]
  }

  /** As they are now; undefined: there are more than can be said. */
  get ranges(): ReadonlyArray<UnannouncedRange> | undefined {
    const count = this.#held.reduce((sum, { all }) => sum + all.length, 0)
    if (count > rangesMax) return undefined
    const ranges = this.#held.flatMap(({ all }) => all.map(({ bucket, from, to }) => [bucket, from, to] as const))
    return ranges.some(([bucket]) => bucket < 0) ? undefined : ranges
  }
}
