/** A value of an event would not come back as it was. Fix the value, or the contract. */
export class InvalidEvent extends Error {
  readonly _tag = "InvalidEvent"
  /** Where in the event: `RiskEvent.readings[2].rssiDbm`. */
  readonly path: string

  constructor(path: string, value: unknown, wanted: string) {
    super(`${path} is ${describe(value)}; it must be ${wanted}`)
    this.name = "InvalidEvent"
    this.path = path
  }
}

/** Bytes are not a message of the type. They never will be: this is poison, not an outage. */
export class MalformedEvent extends Error {
  readonly _tag = "MalformedEvent"
  readonly type: string
  /** Byte of the value at which it was noticed. */
  readonly offset: number

  constructor(type: string, offset: number, detail: string) {
    super(`not a ${type === "" ? "message" : type}: ${detail} (byte ${offset})`)
    this.name = "MalformedEvent"
    this.type = type
    this.offset = offset
  }
}

/** The kind of a value, never the value itself where that may be personal: text is told by its length. */
function describe(value: unknown): string {
  if (typeof value === "string") return `a string of ${value.length} characters`
  if (typeof value === "number" || typeof value === "boolean") return `the ${typeof value} ${value}`
  if (typeof value === "bigint") return `the bigint ${value}`
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return "an array"
  return `a ${typeof value}`
}
