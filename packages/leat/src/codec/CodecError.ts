/**
 * A value of an event would not come back as it was. Fix the value, or the contract. `encodeInto` of a contract throws it, and
 * `offer` makes it a rejection `invalid`.
 */
export class InvalidEvent extends Error {
  /** For `Effect.catchTag` and policies. */
  readonly _tag = "InvalidEvent"
  /**
   * Where in the event: `RiskEvent.readings[2].rssiDbm`. Entries of maps are told by their position, because a key may be
   * personal; a fault of the key itself is at `RiskEvent.readings[2] key`.
   */
  path: string
  /** What is wrong, as seen from the innermost message that was written: its own path, and the value there. */
  #inner: { readonly path: string; readonly value: unknown }
  /** Path from that message to the fault. */
  #below = ""
  readonly #fault: string

  constructor(path: string, value: unknown, wanted: string) {
    const fault = `is ${describe(value)}; it must be ${wanted}`
    super(`${path} ${fault}`)
    this.name = "InvalidEvent"
    this.path = path
    this.#inner = { path, value }
    this.#fault = fault
  }

  /** Tells the path from one message further out: `message` stands at `path` in it. Writers know only their own fields. */
  within(message: object, path: string): this {
    const [, property = "", rest = ""] = /^[^.]*\.([^. ]+)(.*)$/.exec(this.#inner.path) ?? []
    const position = positionOf(
      this.#inner.value,
      (message as Readonly<Record<string, unknown>>)[property],
      rest === " key"
    )
    this.#below = `.${property}${position}${rest}${this.#below}`
    this.#inner = { path, value: message }
    this.path = path + this.#below
    this.message = `${this.path} ${this.#fault}`
    return this
  }
}

/** `[2]` when the value is the third of a list or map. Writing stops at the first fault, so the first of equals is the one. */
function positionOf(value: unknown, holder: unknown, isKey: boolean): string {
  if (!Array.isArray(holder) && !(holder instanceof Map)) return ""
  const items: Iterable<unknown> = isKey && holder instanceof Map ? holder.keys() : holder.values()
  let index = 0
  for (const item of items) {
    if (Object.is(item, value)) return `[${index}]`
    index++
  }
  return ""
}

/**
 * Bytes are not a message of the type. They never will be: this is poison, not an outage. `decode` of a contract throws it,
 * and policies meet it as `Malformed`.
 */
export class MalformedEvent extends Error {
  /** For `Effect.catchTag` and policies. */
  readonly _tag = "MalformedEvent"
  /** Full protobuf message name: `risk.v1.BeaconSighting`. */
  readonly type: string
  /** Byte of the value at which it was noticed. */
  readonly offset: number
  /** What is wrong there. */
  readonly detail: string

  constructor(type: string, offset: number, detail: string) {
    super(`not a ${type}: ${detail} (byte ${offset})`)
    this.name = "MalformedEvent"
    this.type = type
    this.offset = offset
    this.detail = detail
  }
}

/** The kind of a value, never the value itself: it may be personal, and endless. */
function describe(value: unknown): string {
  if (typeof value === "string") return `a string of ${value.length} characters`
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return String(value)
    return Number.isInteger(value) ? wholeNumber(value) : "a number with a fraction"
  }
  if (typeof value === "bigint") return bigint(value)
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return "an array"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}

/** On which side of what a field holds it is. */
function wholeNumber(value: number): string {
  if (value < -2_147_483_648) return "a whole number below -2147483648"
  if (value < 0) return "a negative whole number"
  if (value > 4_294_967_295) return "a whole number above 4294967295"
  return value > 2_147_483_647 ? "a whole number above 2147483647" : "a whole number"
}

function bigint(value: bigint): string {
  if (value < -(2n ** 63n)) return "a bigint below -2^63"
  if (value < 0n) return "a negative bigint"
  if (value >= 2n ** 64n) return "a bigint of 2^64 or more"
  return value >= 2n ** 63n ? "a bigint of 2^63 or more" : "a bigint"
}
