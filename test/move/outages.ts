/** Clusters that a process does not reach now and then, for seconds: it fences there or does not, and some answers are lost. */
import { faultDriver, seededRandom } from "leat/testing"
import type { Driver } from "leat/transport"

/** Between two outages, and how long one lasts, in milliseconds. */
const [betweenMsMin, betweenMsMax] = [1000, 7000]
const outageMsMax = 9000

/** Of what is sent meanwhile, what is stored and has no answer. */
const lostShare = 0.1

export class Outages {
  readonly #random: () => number
  readonly #unanswered: (records: number) => void
  #isAway = false
  #timer: NodeJS.Timeout | undefined

  /** `unanswered` is told of each answer that is lost. */
  constructor(seed: number, unanswered: (records: number) => void) {
    this.#random = seededRandom(seed)
    this.#unanswered = unanswered
  }

  begin(): void {
    this.#after(betweenMsMin + this.#random() * (betweenMsMax - betweenMsMin), () => {
      this.#isAway = true
      this.#after(this.#random() * outageMsMax, () => {
        this.#isAway = false
        this.begin()
      })
    })
  }

  /** All is well from now on. */
  end(): void {
    this.#isAway = false
    clearTimeout(this.#timer)
  }

  /** A driver whose clusters of these names are away then. */
  driver(inner: Driver, names: ReadonlyArray<string>): Driver {
    const faulty = faultDriver(inner, {
      send: ({ count }) => {
        if (!this.#isAway) return undefined
        if (this.#random() > lostShare) return { kind: "fail", reason: "Unavailable" }
        this.#unanswered(count)
        return { kind: "loseResponse" }
      },
      fence: () => (this.#isAway && this.#random() < 0.5 ? "Unavailable" : undefined)
    })
    return {
      ...inner,
      open: (name, ...given) => (names.includes(name) ? faulty : inner).open(name, ...given)
    }
  }

  #after(ms: number, then: () => void): void {
    this.#timer = setTimeout(then, ms)
    this.#timer.unref()
  }
}
