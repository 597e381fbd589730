/**
 * A stream whose gate is shut until the control stream says something, while that is away: its publishers fill their buffers. Told once, and shown with its sink
 * as long as it lasts.
 */
import type { Standing } from "../control/standing.ts"
import type { LegLanes } from "../publish/LegLanes.ts"
import { seconds, standstillMs } from "../publish/Standstills.ts"

export class GatedByControl {
  readonly #stream: string
  /** Undefined: it does not wait, or the control stream is not away. */
  #sinceMs: number | undefined
  #isTold = false
  /** Which show it: the stream may go on elsewhere. */
  #shown: LegLanes | undefined

  constructor(stream: string) {
    this.#stream = stream
  }

  /** `trouble`: of the control stream. Gives what is to be told now. */
  look(
    lanes: LegLanes | undefined,
    standing: Standing | undefined,
    trouble: string | undefined,
    nowMs: number
  ): string | undefined {
    if (this.#shown !== undefined) this.#shown.trouble = undefined
    this.#shown = undefined
    const isWaiting = trouble !== undefined && lanes?.isGated === true && standing?.does !== "send"
    if (!isWaiting) {
      this.#sinceMs = undefined
      this.#isTold = false
      return undefined
    }
    this.#sinceMs ??= nowMs
    const forMs = nowMs - this.#sinceMs
    if (forMs < standstillMs) return undefined
    this.#shown = lanes
    lanes.trouble = `sends nothing of ${this.#stream}, which has waited for the control stream for ${seconds(forMs)}: ${trouble}`
    if (this.#isTold) return undefined
    this.#isTold = true
    return `waits for the control stream, and what is published waits in its buffer: ${trouble}`
  }
}
