/** Whether a producer's cluster can be reached. Its error events are the only hint of an outage; a request for metadata confirms it. */
import type { ClientError, Producer } from "../client/client.ts"
import { clientCodes } from "../client/failure.ts"

/** How long the cluster may take to answer before it counts as away, in milliseconds. */
const probeMs = 1000

/** Codes of events after which no broker may be left. */
const away: ReadonlySet<number> = new Set([
  clientCodes.FAIL,
  clientCodes.TRANSPORT,
  clientCodes.RESOLVE,
  clientCodes.ALL_BROKERS_DOWN,
  clientCodes.TIMED_OUT
])

export class Reachability {
  readonly #producer: Producer
  #isAway = false
  #probe: Promise<boolean> | undefined

  /** `codeOf` finds the code of an error event, whose own is always -1. */
  constructor(producer: Producer, codeOf: (error: ClientError) => number) {
    this.#producer = producer
    producer.on("event.error", (error) => {
      if (away.has(codeOf(error))) this.#isAway = true
    })
  }

  /** True as far as is known; after an outage a promise of the answer to one request, which all callers share. */
  get now(): true | Promise<boolean> {
    if (!this.#isAway) return true
    this.#probe ??= new Promise((resolve) => {
      this.#producer.getMetadata({ timeout: probeMs }, (error) => {
        this.#probe = undefined
        if (!error) this.#isAway = false
        resolve(!error)
      })
    })
    return this.#probe
  }

  /** A broker has answered. */
  answered(): void {
    this.#isAway = false
  }
}
