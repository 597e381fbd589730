/** The known name that a misspelt one stands for, for sentences that say "did you mean". */

/**
 * The nearest of the known names: at most two letters away, one where the name has fewer than four, whatever its case. Undefined when none
 * is near.
 *
 * @example
 * ```ts
 * nearest("Unavailble", ["Unavailable", "Timeout"]) // "Unavailable"
 * ```
 */
export function nearest(name: string, known: ReadonlyArray<string>): string | undefined {
  const given = name.toLowerCase()
  const most = given.length < 4 ? 1 : 2
  let found: string | undefined
  let least = most + 1
  for (const one of known) {
    // More letters than that cannot be made up for; and a name that somebody sends may be as long as they like.
    if (Math.abs(one.length - given.length) > most) continue
    const letters = distance(given, one.toLowerCase())
    if (letters >= least) continue
    found = one
    least = letters
  }
  return found
}

/** `; did you mean X?`, or nothing where no name is near. */
export function meant(name: string, known: ReadonlyArray<string>): string {
  const found = nearest(name, known)
  return found === undefined ? "" : `; did you mean ${found}?`
}

/** Letters that are missing, surplus, others, or in the place of their neighbour. */
function distance(a: string, b: string): number {
  let before: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const steps = [(last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1)]
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) steps.push((before[j - 2] ?? 0) + 1)
      row.push(Math.min(...steps))
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
