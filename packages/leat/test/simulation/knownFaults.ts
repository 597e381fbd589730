/** What stories find and is not mended yet: a list that is to be empty. */
import type { Mishap, Verdict, World } from "leat/testing"

/** Mishaps that stories do without, because what comes of them is known. */
export const knownMishaps: ReadonlyArray<Mishap> = []

interface KnownFault {
  readonly kind: Verdict["kind"]
  readonly evidence: RegExp
  /** In which worlds: what a verdict does not say. `sink`: of the evidence. */
  readonly isIn: (world: World, sink: string) => boolean
}

const known: ReadonlyArray<KnownFault> = []

/** Whether it is one of the faults that are known. */
export function isKnown({ kind, evidence }: Verdict, world: World): boolean {
  return known.some((one) => {
    const found = one.kind === kind ? one.evidence.exec(evidence) : null
    return found !== null && one.isIn(world, found[1] ?? "")
  })
}
