/**
 * Why the brokers of a client cannot be reached, from the log of librdkafka: its errors are codes only, without an address and without what
 * the system says.
 */
import type { LogEntry } from "./client.ts"

/** Most brokers that a sentence names. */
const brokersMax = 3

/** `[thrd:NAME]: ssl://HOST:PORT/bootstrap: TEXT (after 5ms in state CONNECT)`. */
const line = /^(?:\[thrd:.*?\]: )?(?:\w+:\/\/)?([^\s/]+:\d+)\/\w+: (.*?)(?: \(after \d+ms in state .*\))?$/s

export class Unreachable {
  /** By address. */
  readonly #causes = new Map<string, string>()

  /** Takes an entry of the log; true if it says why a broker cannot be reached. */
  heard({ fac, message }: LogEntry): boolean {
    const [, address, text] = fac === "FAIL" ? (line.exec(message) ?? []) : []
    if (address === undefined || text === undefined) return false
    // Of a failed handshake librdkafka tells now more, now less.
    if (this.#causes.get(address)?.includes(text) !== true) this.#causes.set(address, text)
    return true
  }

  /** For a person; undefined as long as nothing is known. */
  get why(): string | undefined {
    if (this.#causes.size === 0) return undefined
    const named = Array.from(this.#causes, ([address, text]) => `${address}: ${text}`)
    const others = named.length > brokersMax ? [`and ${named.length - brokersMax} more`] : []
    return [...named.slice(0, brokersMax), ...others].join("; ")
  }
}
