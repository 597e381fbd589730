/**
 * Globs of streams, sources and groups: literal text in which each `*` stands for any run of characters, dots included.
 */

/** Whether whatever `inner` matches is matched by `outer` too. */
export function covers(outer: Match, inner: Match): boolean {
  return globCovers(outer.stream, inner.stream) && globCovers(outer.source ?? "*", inner.source ?? "*")
}

export interface Match {
  readonly stream: string
  readonly source?: string
}

/**
 * A glob covers another when it matches the other's text, its stars taken as a character that nothing else has: a star of
 * `outer` swallows it, and nothing else does.
 */
export function globCovers(outer: string, inner: string): boolean {
  return globMatches(outer, inner.replaceAll("*", "\u{FFFF}"))
}

/** Two pointers and the last star: no backtracking beyond it, so the time is bounded by the product of the lengths. */
export function globMatches(glob: string, text: string): boolean {
  let at = 0
  let pattern = 0
  let star = -1
  let resume = 0
  while (at < text.length) {
    if (glob[pattern] === "*") {
      star = pattern++
      resume = at
    } else if (glob[pattern] === text[at]) {
      pattern++
      at++
    } else if (star >= 0) {
      pattern = star + 1
      at = ++resume
    } else return false
  }
  while (glob[pattern] === "*") pattern++
  return pattern === glob.length
}

/** Whether some text is matched by both. */
export function globsMeet(one: string, other: string): boolean {
  if (!one.includes("*")) return globMatches(other, one)
  if (!other.includes("*")) return globMatches(one, other)
  // For each position in `one`, whether what is behind it and what is behind the position in `other` have a text in common.
  let behind: ReadonlyArray<boolean> = []
  for (let at = other.length; at >= 0; at--) {
    const row: Array<boolean> = Array.from({ length: one.length + 1 }, () => false)
    for (let position = one.length; position >= 0; position--) {
      const letter = one[position]
      const opposite = other[at]
      if (letter === undefined && opposite === undefined) row[position] = true
      else if (letter === "*")
        row[position] = row[position + 1] === true || (opposite !== undefined && behind[position] === true)
      else if (opposite === "*")
        row[position] = behind[position] === true || (letter !== undefined && row[position + 1] === true)
      else row[position] = letter === opposite && behind[position + 1] === true
    }
    behind = row
  }
  return behind[0] === true
}
