import type { SecurityAlert } from "../gen/risk/v1/alert.ts"
import type { LogLine } from "../gen/risk/v1/log.ts"

/** This many failed log-ins from one address on one host within the window are a burst. */
const failuresMin = 5
const windowUs = 60_000_000n

/** Raises an alert for each burst of failed log-ins. After an alert the count starts again, so that a long attack is told of now and then. */
export class SecurityWatch {
  /** Times of the last failures by host, then by source address. */
  readonly #hosts = new Map<string, Map<string, ReadonlyArray<bigint>>>()

  observe({ host, atUs, detail, inputRef }: LogLine): SecurityAlert | undefined {
    if (detail?.case !== "loginFailure" || detail.value.sourceAddress === "") return undefined
    const { sourceAddress } = detail.value
    const failures = this.#hosts.get(host) ?? new Map<string, ReadonlyArray<bigint>>()
    this.#hosts.set(host, failures)
    const isRecent = (time: bigint) => time >= atUs - windowUs && time <= atUs
    const times = [...(failures.get(sourceAddress) ?? []).filter(isRecent), atUs]
    failures.delete(sourceAddress)
    if (times.length < failuresMin) {
      failures.set(sourceAddress, times)
      forgetOldest(failures, isRecent)
      return undefined
    }
    return { host, sourceAddress, failures: times.length, windowUs, atUs, lineRef: inputRef }
  }
}

/** Forgets the two addresses that failed longest ago when that is out of the window: so a host has no more of them than a window has. */
function forgetOldest(failures: Map<string, ReadonlyArray<bigint>>, isRecent: (time: bigint) => boolean): void {
  let looks = 2
  for (const [address, times] of failures) {
    if (looks-- === 0 || times.some(isRecent)) return
    failures.delete(address)
  }
}
