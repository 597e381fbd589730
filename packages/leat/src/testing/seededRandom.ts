/**
 * Mulberry32: small, fast and the same everywhere. Numbers in [0, 1). Not for secrets.
 *
 * @example
 * ```ts
 * const random = seededRandom(42)
 * random() // the same number, first, in every process
 * ```
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
