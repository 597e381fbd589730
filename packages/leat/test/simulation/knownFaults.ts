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

/**
 * Several processes at one spill, which warnings tell not to do: one that closes may still have a write on its way when the next one is given the spill
 * and looks what it holds. What lands then is safe on the disk, and is sent on by the process that opens the spill next, and not by this one
 * (`npm run simulate -- --seeds 1 --seed 207871656 --after "hangSettle while readHalted"` before it was listed here).
 */
const known: ReadonlyArray<KnownFault> = [
  { kind: "hung", evidence: /^a spill did not end within/, isIn: ({ disk }) => disk?.isShared === true },
  { kind: "lost", evidence: /^disk \d+ still holds \d+ events/, isIn: ({ disk }) => disk?.isShared === true }
]

/** Whether it is one of the faults that are known. */
export function isKnown({ kind, evidence }: Verdict, world: World): boolean {
  return known.some((one) => {
    const found = one.kind === kind ? one.evidence.exec(evidence) : null
    return found !== null && one.isIn(world, found[1] ?? "")
  })
}
