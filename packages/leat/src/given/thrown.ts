/**
 * What was thrown, as text. Anything can be thrown: a proxy that is revoked, an object whose `toString` throws; and reading it
 * must not throw once more.
 */
export function textOfThrown(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return "something was thrown that has no text"
  }
}
