/**
 * Where documents of a fleet that are not in force any more had a stream, and what stood in for its leg there: a process may have left something in that.
 */
import { Result } from "effect"
import type { Control } from "../control/Control.ts"
import { pastDocuments } from "../control/fleet.ts"
import { type ReadLegs, readLegs } from "../routes/readLegs.ts"
import type { Leg, RouteError, Routes } from "../routes/Routes.ts"

export class PastLegs {
  readonly #compile: (document: string) => Result.Result<Routes, RouteError>
  readonly #control: () => Control | undefined
  /** By document. */
  #compiled = new Map<string, ReadLegs>()
  /** Of what these were compiled. */
  #history: Control["history"] | undefined
  #unread: ReadonlyArray<string> = []

  constructor(compile: (document: string) => Result.Result<Routes, RouteError>, control: () => Control | undefined) {
    this.#compile = compile
    this.#control = control
  }

  /** Read legs, whoever publishes the stream, the newest first; none where no document has ever had a spill or a fallback. */
  of(stream: string): ReadonlyArray<Leg> {
    this.#look()
    return [...this.#compiled.values()].flatMap((past) => past.of(stream))
  }

  /** Which documents may name a spill and are not understood here, and why: one sentence each. */
  get unread(): ReadonlyArray<string> {
    this.#look()
    return this.#unread
  }

  /** Each document once. */
  #look(): void {
    const control = this.#control()
    if (control === undefined || control.history === this.#history) return
    this.#history = control.history
    const before = this.#compiled
    this.#compiled = new Map()
    this.#unread = []
    const all = pastDocuments(control).toReversed()
    if (!all.some(({ document }) => /spill|fallback/.test(document))) return
    const unread: Array<string> = []
    for (const { document, version } of all) {
      const past = before.get(document) ?? this.#pastOf(document)
      this.#compiled.set(document, past)
      const [fault] = past.faults
      if (fault !== undefined && document.includes("spill"))
        unread.push(`document ${version} is not understood here (${fault.path} ${fault.message})`)
    }
    this.#unread = unread
  }

  /** The driver of a cluster that was left may be left out of this build, and what it declares with it. Its spill is on a disk that is here. */
  #pastOf(document: string): ReadLegs {
    const compiled = this.#compile(document)
    if (Result.isFailure(compiled)) return readLegs(document)
    return { of: (stream) => compiled.success.routesOf(stream).map(({ readLeg }) => readLeg), faults: [] }
  }
}
