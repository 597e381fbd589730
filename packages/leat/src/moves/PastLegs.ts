/**
 * Where documents of a fleet that are not in force any more had a stream, and what stood in for its leg there: a process may have left something in that.
 */
import { Result } from "effect"
import type { Control } from "../control/Control.ts"
import { pastDocuments } from "../control/fleet.ts"
import type { Leg, Routes } from "../routes/Routes.ts"

export class PastLegs {
  readonly #compile: (document: string) => Result.Result<Routes, unknown>
  readonly #control: () => Control | undefined
  /** By document; undefined: it cannot be compiled here. */
  #compiled = new Map<string, Routes | undefined>()
  /** Of what these were compiled. */
  #history: Control["history"] | undefined

  constructor(compile: (document: string) => Result.Result<Routes, unknown>, control: () => Control | undefined) {
    this.#compile = compile
    this.#control = control
  }

  /** Read legs, whoever publishes the stream, the newest first; none where no document has ever had a spill or a fallback. */
  of(stream: string): ReadonlyArray<Leg> {
    const control = this.#control()
    if (control === undefined) return []
    if (control.history !== this.#history) this.#compileAll(control)
    return [...this.#compiled.values()].flatMap((routes) =>
      (routes?.routesOf(stream) ?? []).map(({ readLeg }) => readLeg)
    )
  }

  /** Each document once. */
  #compileAll(control: Control): void {
    this.#history = control.history
    const before = this.#compiled
    this.#compiled = new Map()
    const all = pastDocuments(control).toReversed()
    if (!all.some(({ document }) => /spill|fallback/.test(document))) return
    for (const { document } of all)
      this.#compiled.set(
        document,
        before.has(document) ? before.get(document) : Result.getOrUndefined(this.#compile(document))
      )
  }
}
