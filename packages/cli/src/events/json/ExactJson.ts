/**
 * JSON with numbers as they were written, and a fault where an object has one name twice. `JSON.parse` rounds integers beyond 2^53
 * and keeps the last of two equal names; here an event would be stored that nobody wrote.
 */

/** A number by its source text: which type it is to have, the contract knows. */
export class JsonNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

export type ExactJson = null | boolean | string | JsonNumber | ReadonlyArray<ExactJson> | ExactObject
export type ExactObject = ReadonlyMap<string, ExactJson>

/** Objects and arrays inside each other; protobuf's readers stop at 100 messages. */
const depthMax = 500

/** Parses one text of JSON; throws what is wrong with it. */
export function parseExactJson(text: string): ExactJson {
  // The syntax, with the runtime's own messages; what follows relies on it.
  JSON.parse(text)
  return new Scan(text).value(0)
}

export function isExactObject(json: ExactJson): json is ExactObject {
  return json instanceof Map
}

/** The value as `JSON.parse` gives it; numbers are the nearest doubles. */
export function plainJson(json: ExactJson): unknown {
  if (json instanceof JsonNumber) return Number(json.source)
  if (Array.isArray(json)) return json.map(plainJson)
  if (!isExactObject(json)) return json
  return Object.fromEntries([...json].map(([name, held]) => [name, plainJson(held)]))
}

/** Reads the values of a text that is JSON. */
class Scan {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): ExactJson {
    if (depth > depthMax) throw new Error(`it is nested more than ${depthMax} deep`)
    const first = this.#next()
    if (first === "{") return this.#object(depth)
    if (first === "[") return this.#array(depth)
    if (first === '"') return this.#string()
    if (first === "t") return this.#word("true", true)
    if (first === "f") return this.#word("false", false)
    return first === "n" ? this.#word("null", null) : this.#number()
  }

  #object(depth: number): ExactObject {
    const held = new Map<string, ExactJson>()
    for (this.#at++; this.#next() !== "}";) {
      const name = this.#string()
      if (held.has(name)) throw new Error(`it has the name ${JSON.stringify(name)} twice in one object`)
      this.#next()
      this.#at++
      held.set(name, this.value(depth + 1))
      if (this.#next() === ",") this.#at++
    }
    this.#at++
    return held
  }

  #array(depth: number): ReadonlyArray<ExactJson> {
    const held: Array<ExactJson> = []
    for (this.#at++; this.#next() !== "]";) {
      held.push(this.value(depth + 1))
      if (this.#next() === ",") this.#at++
    }
    this.#at++
    return held
  }

  /** By `indexOf`: a value of many megabytes is one string. */
  #string(): string {
    const from = this.#at
    let end = this.#text.indexOf('"', from + 1)
    while (this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1)
    this.#at = end + 1
    const token = this.#text.slice(from, this.#at)
    return token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1)
  }

  #isEscaped(quote: number): boolean {
    let slashes = 0
    while (this.#text[quote - 1 - slashes] === "\\") slashes++
    return slashes % 2 === 1
  }

  #word<T>(word: string, value: T): T {
    this.#at += word.length
    return value
  }

  #number(): JsonNumber {
    const from = this.#at
    while (/[-+.\deE]/.test(this.#text[this.#at] ?? "")) this.#at++
    return new JsonNumber(this.#text.slice(from, this.#at))
  }

  /** The next character that is no white space. */
  #next(): string | undefined {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? "")) this.#at++
    return this.#text[this.#at]
  }
}
