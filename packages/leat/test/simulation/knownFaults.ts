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
 * Several processes at one spill, which warnings tell not to do, and one of them crashes: in these worlds the next one has the spill at once, and what
 * the dead one had handed to the disk lands behind its look at what is there. Nobody was told that it is safe. It is sent on by whoever opens the spill
 * next, and not by this one (`npm run simulate -- --seeds 1 --seed 207871656 --after "hangSettle while readHalted"` before it was listed here).
 */
const isShared = ({ disk, rates, focus }: World) =>
  disk?.isShared === true && ((rates.crash ?? 0) > 0 || focus?.mishap === "crash")

const known: ReadonlyArray<KnownFault> = [
  { kind: "hung", evidence: /^a spill did not end within/, isIn: isShared },
  { kind: "lost", evidence: /^disk \d+ still holds \d+ events/, isIn: isShared }
]

/** Whether it is one of the faults that are known. */
export function isKnown({ kind, evidence }: Verdict, world: World): boolean {
  return known.some((one) => {
    const found = one.kind === kind ? one.evidence.exec(evidence) : null
    return found !== null && one.isIn(world, found[1] ?? "")
  })
}
