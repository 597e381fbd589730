/** How a planted bug is found: by what the battery runs in a process of its own, or by a test file of packages/leat/test. */
export type Proof = "tables" | "lanes" | "stories" | "worlds" | "conformance" | `${string}.test.ts`

/** One planted bug: in `file` of packages/leat/src, the text `find`, which stands there once, becomes `replace`. */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** What has to find it; tables, walks of lanes, stories and the conformance suite, one after the other, when absent. */
  readonly foundBy?: Proof
  /** Part of the name of a test in that file which has to fail: the mutant is found for its reason, and not by whatever else fails there. */
  readonly test?: string
}
