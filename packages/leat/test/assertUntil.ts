/** A property whose draws must also reach something rare. */
import fc from "fast-check"

/** Only what has not got there yet takes more than one: of endings that one case in a thousand has, ten rounds miss one now and then. */
const roundsMax = 60

/** Draws 300 cases, and on until `isReached`: a draw that no longer gets somewhere is seen by whoever asks afterwards. */
export function assertUntil<Drawn>(property: fc.IProperty<Drawn>, isReached: () => boolean): void {
  const { seed } = fc.readConfigureGlobal()
  for (let round = 0; round < roundsMax && (round === 0 || !isReached()); round++)
    // A seed that is given to the whole run would draw the same cases in each round.
    fc.assert(property, { numRuns: 300, ...(seed === undefined ? {} : { seed: seed + round }) })
}
