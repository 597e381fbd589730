/** Keeps what references stand for out of what a driver says when it cannot open a cluster. */

/** Below this length, in characters, a value is found inside of other words by chance. */
const wordLength = 4

/**
 * The text with every value that was read replaced by its reference. A value counts as a whole, line by line, as a key in PEM may
 * be shown, and as JSON has it; a short one only where it stands alone.
 */
export function withhold(text: string, read: ReadonlyMap<string, string>): string {
  const references = new Map<string, string>()
  for (const [value, reference] of read) {
    const forms = [value, value.trim(), ...value.split(/\r?\n/), JSON.stringify(value).slice(1, -1)]
    for (const form of forms) if (form.trim() !== "") references.set(form, reference)
  }
  if (references.size === 0) return text
  // The longest first, because another may be a part of it; in one pass, because one may be a part of what is put in its place.
  const patterns = [...references.keys()].toSorted((one, other) => other.length - one.length).map(patternOf)
  return text.replaceAll(new RegExp(patterns.join("|"), "g"), (form) => references.get(form) ?? "")
}

function patternOf(form: string): string {
  const literal = form.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return form.length < wordLength ? String.raw`(?<!\w)${literal}(?!\w)` : literal
}
