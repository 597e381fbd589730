/** What the model explores: the functions of `packages/leat/src/control`, as they are or with a mutant in them. */
import type { apply, emptyControl } from "../../src/control/Control.ts"
import type { readControl, writeControl } from "../../src/control/controlCodec.ts"
import type { dutiesOf } from "../../src/control/duties.ts"
import type { fateOf, isPassed, readableIn } from "../../src/control/readable.ts"
import type { maySend, standingOf } from "../../src/control/standing.ts"

export interface Machine {
  readonly emptyControl: typeof emptyControl
  readonly apply: typeof apply
  readonly readControl: typeof readControl
  readonly writeControl: typeof writeControl
  readonly dutiesOf: typeof dutiesOf
  readonly fateOf: typeof fateOf
  readonly isPassed: typeof isPassed
  readonly readableIn: typeof readableIn
  readonly maySend: typeof maySend
  readonly standingOf: typeof standingOf
}

/** What the shells have to do and the machine cannot see; a mutant leaves one of them out. */
export interface Conduct {
  /** What is in flight or in doubt has its answer before a writer moves what is left, or has drained. */
  readonly settlesDoubt: boolean
  /** What is in doubt in an abandoned place is moved too. */
  readonly takesDoubtAlong: boolean
  /** What is moved over goes in front of what was gated since. */
  readonly movesInFront: boolean
  /** What is moved over leaves its old lanes. */
  readonly takesAlong: boolean
  /** Ends are read when nobody is waited for any more. */
  readonly readsEndsLast: boolean
  /** A group has settled what its readers have settled, not what they have in their hands. */
  readonly asksWhatIsSettled: boolean
  /** The sweep sends one record again until its outcome is known before it sends the next. */
  readonly sweepsInOrder: boolean
  /** An epoch is retired when the group is known to have settled it. */
  readonly asksBeforeRetiring: boolean
  /** A lease runs from when its beat was written, not from when it was read back. */
  readonly leasesFromWriting: boolean
}

export const rightConduct: Conduct = {
  settlesDoubt: true,
  takesDoubtAlong: true,
  movesInFront: true,
  takesAlong: true,
  readsEndsLast: true,
  asksWhatIsSettled: true,
  sweepsInOrder: true,
  asksBeforeRetiring: true,
  leasesFromWriting: true
}

/** The machine, with what `at` appends to the addresses of its files: a hook plants a mutant by it. */
export async function loadMachine(at = ""): Promise<Machine> {
  const load = async (file: string): Promise<object> => (await import(`../../src/control/${file}.ts${at}`)) as object
  return Object.assign(
    {},
    ...(await Promise.all(["Control", "controlCodec", "duties", "readable", "standing"].map(load)))
  ) as Machine
}
