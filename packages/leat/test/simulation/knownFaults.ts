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
 * Where a leg sets aside, and answers of its cluster are lost, the notice of a letter stands in the topic now and then not at all: an audit misses
 * the event, which has its letter (`npm run simulate -- --seeds 1 --seed 207862032 --after "openStream while waiting"` before it was listed here).
 */
const known: ReadonlyArray<KnownFault> = [
  {
    kind: "unbalanced",
    evidence: /^the audit of (\S+) finds \d+ (?:dropped|missing), and there are \d+$/,
    isIn: ({ streams, rates, focus }, sink) => {
      const lost = ["loseResponse", "lateWrite", "cut"] as const
      const isLosing = lost.some((one) => (rates[one] ?? 0) > 0 || focus?.mishap === one)
      const legs = streams.flatMap((stream) => stream.legs)
      return isLosing && legs.some((leg) => `c${leg.cluster}/${leg.topic}` === sink && leg.policy === "setAside")
    }
  }
]

/** Whether it is one of the faults that are known. */
export function isKnown({ kind, evidence }: Verdict, world: World): boolean {
  return known.some((one) => {
    const found = one.kind === kind ? one.evidence.exec(evidence) : null
    return found !== null && one.isIn(world, found[1] ?? "")
  })
}
