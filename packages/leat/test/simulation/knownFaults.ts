/** What stories find and is not mended yet: a list that is to be empty. */
import type { Mishap, Verdict } from "leat/testing"

/** Mishaps that stories do without, because what comes of them is known. */
export const knownMishaps: ReadonlyArray<Mishap> = []

const known: ReadonlyArray<{ readonly kind: Verdict["kind"]; readonly evidence: RegExp }> = []

/** Whether it is one of the faults that are known. */
export function isKnown({ kind, evidence }: Verdict): boolean {
  return known.some((one) => one.kind === kind && one.evidence.test(evidence))
}
