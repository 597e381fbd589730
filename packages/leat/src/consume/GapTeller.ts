/** Tells of records that a group did not get because its topic does not have them any more: nobody else sees that. */
import type { Counts } from "../ledger/Counts.ts"

/** Whose lane it is. */
interface ToldOf {
  readonly group: string
  readonly stream: string
  /** A retry topic has gaps of its own. */
  readonly topic: string
  readonly partition: number
}

/** Why each gap is one, as a person says it. */
const reasons = {
  expired:
    "retention has deleted them before the group had read them: its topic keeps less than the group was behind, or than came at once",
  corrupt: "what is stored there does not verify"
} as const

/** From one line about a lane to the next, in milliseconds: one that is behind falls behind again and again. */
const againMs = 60_000

export class GapTeller {
  readonly #of: ToldOf
  readonly #warn: (text: string) => void
  #told: Readonly<Record<keyof typeof reasons, number>> = { expired: 0, corrupt: 0 }
  #toldAtMs = Number.NEGATIVE_INFINITY

  constructor(of: ToldOf, warn: (text: string) => void) {
    this.#of = of
    this.#warn = warn
  }

  /** All that was passed over so far, and the monotonic clock. */
  tell({ expired = 0, corrupt = 0 }: Counts, nowMs: number): void {
    const told = this.#told
    if ((expired === told.expired && corrupt === told.corrupt) || nowMs < this.#toldAtMs + againMs) return
    const { group, stream, topic, partition } = this.#of
    for (const [reason, count] of [
      ["expired", expired - told.expired],
      ["corrupt", corrupt - told.corrupt]
    ] as const)
      if (count > 0)
        this.#warn(
          `the group ${group} of ${stream} has not had ${count} ${count === 1 ? "record" : "records"} of partition ${partition} of topic ${topic}: ${reasons[reason]}`
        )
    this.#told = { expired, corrupt }
    this.#toldAtMs = nowMs
  }
}
