/** Tells a person of what nobody else sees of a lane: what stands, and what it has not had. */
import { GapTeller } from "./GapTeller.ts"
import { HaltTeller } from "./HaltTeller.ts"
import type { ReadLane } from "./ReadLane.ts"

export class LaneTeller {
  readonly #halts: HaltTeller
  readonly #gaps: GapTeller

  constructor(of: ConstructorParameters<typeof GapTeller>[0], warn: (text: string, error?: unknown) => void) {
    this.#halts = new HaltTeller(of, warn)
    this.#gaps = new GapTeller(of, warn)
  }

  /** As the lane is now, by the monotonic clock. */
  tell({ halted, haltedKeys, skipped }: Pick<ReadLane, "halted" | "haltedKeys" | "skipped">, nowMs: number): void {
    this.#halts.tell(halted, haltedKeys)
    this.#gaps.tell(skipped, nowMs)
  }
}
