/** Tells of each halt once: a lane that stands is seen by nobody else. */
import type { ReadHalted } from "./Failure.ts"

/** Whose lane it is. */
interface ToldOf {
  readonly group: string
  readonly stream: string
  readonly partition: number
}

export class HaltTeller {
  readonly #of: ToldOf
  readonly #warn: (text: string, error: unknown) => void
  #told: ReadonlySet<ReadHalted> = new Set()

  constructor(of: ToldOf, warn: (text: string, error: unknown) => void) {
    this.#of = of
    this.#warn = warn
  }

  /** All that stands now. */
  tell(halted: ReadHalted | undefined, haltedKeys: ReadonlyArray<ReadHalted>): void {
    if (halted === undefined && haltedKeys.length === 0 && this.#told.size === 0) return
    const halts = new Set(halted === undefined ? haltedKeys : [halted, ...haltedKeys])
    const before = this.#told
    this.#told = halts
    const { group, stream, partition } = this.#of
    for (const halt of halts) {
      if (before.has(halt)) continue
      const { scope, tag, detail, attempts, position } = halt
      const what = scope === "lane" ? "stands" : "stands with one key"
      this.#warn(
        `the group ${group} of ${stream} ${what} on partition ${partition} at position ${position} until it is resumed: ${tag} after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}: ${detail}`,
        halt.error
      )
    }
  }
}
