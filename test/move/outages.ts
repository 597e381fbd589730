/** Clusters that a process does not reach now and then, for seconds: it fences there or does not, and some answers are lost. */
import { faultDriver, seededRandom } from "leat/testing"
import type { Driver } from "leat/transport"

/** Between two outages, and how long one lasts, in milliseconds. */
const [betweenMsMin, betweenMsMax] = [1000, 7000]
const outageMsMax = 9000

export class Outages {
  readonly #random: () => number
  #isAway = false
  #timer: NodeJS.Timeout | undefined

  constructor(seed: number) {
    this.#random = seededRandom(seed)
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
      send: () => {
        if (!this.#isAway) return undefined
        return this.#random() < 0.3 ? { kind: "loseResponse" } : { kind: "fail", reason: "Unavailable" }
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
