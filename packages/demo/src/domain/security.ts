import type { SecurityAlert } from "../gen/risk/v1/alert.ts"
import type { LogLine } from "../gen/risk/v1/log.ts"

/** This many failed log-ins from one address on one host within the window are a burst. */
const failuresMin = 5
const windowUs = 60_000_000n

/** Raises an alert for each burst of failed log-ins. After an alert the count starts again, so that a long attack is told of now and then. */
export class SecurityWatch {
  /** Times of the last failures by host and source address. */
  readonly #failures = new Map<string, Array<bigint>>()

  observe({ host, atUs, detail, inputRef }: LogLine): SecurityAlert | undefined {
    if (detail?.case !== "loginFailure" || detail.value.sourceAddress === "") return undefined
    const { sourceAddress } = detail.value
    const key = `${host} ${sourceAddress}`
    const times = (this.#failures.get(key) ?? []).filter((time) => time >= atUs - windowUs && time <= atUs)
    times.push(atUs)
    if (times.length < failuresMin) {
      this.#failures.set(key, times)
      return undefined
    }
    this.#failures.delete(key)
    return { host, sourceAddress, failures: times.length, windowUs, atUs, lineRef: inputRef }
  }
}
