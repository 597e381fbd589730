import { isUtf8 } from "node:buffer"
import { StringDecoder } from "node:string_decoder"

/** Largest piece of a line that is handed on, in bytes of UTF-8: an event with it still fits into what every transport takes. */
export const pieceBytesMax = 512 * 1024

/** A line of a file, or a piece of one that is longer than `pieceBytesMax`. */
export interface TextLine {
  /** From 1. */
  readonly number: number
  /** From 1; above it for what follows the first piece of a line that was cut. */
  readonly piece: number
  /** Absent: it is not text. */
  readonly text: string | undefined
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const byteOrderMark = [0xef, 0xbb, 0xbf] as const

/**
 * Cuts bytes into lines, and holds one line at most. A line ends with a line feed, and carriage returns before it belong to the end; no other
 * character ends a line. The byte order mark of a file is not part of its first line; one of UTF-16, as PowerShell writes it, says what the file is in.
 */
export async function* textLines(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<TextLine> {
  const cutter = new Cutter()
  for await (const chunk of inUtf8(chunks)) yield* cutter.push(chunk)
  yield* cutter.end()
}

/** What a file in UTF-16 says, in UTF-8; every other file as it is. Only its byte order mark tells such a file. */
async function* inUtf8(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first: Uint8Array | undefined = new Uint8Array()
  let utf16: Utf16 | undefined
  for await (const next of chunks) {
    const chunk: Uint8Array = first === undefined ? next : Buffer.concat([first, next])
    if (first !== undefined) {
      first = chunk
      if (chunk.length < 2) continue
      first = undefined
      utf16 = Utf16.of(chunk)
    }
    yield utf16 === undefined ? chunk : utf16.push(chunk)
  }
  if (first !== undefined) yield first
  if (utf16 !== undefined) yield utf16.end()
}

/** In no text of UTF-8: the line that holds it is malformed, as one of invalid UTF-8 is. */
const noText = Buffer.of(0xff)

/** Turns UTF-16 into UTF-8, chunk by chunk. Halves of a character become `noText`. */
class Utf16 {
  readonly #isBigEndian: boolean
  readonly #decoder = new StringDecoder("utf16le")
  #odd: Uint8Array = new Uint8Array()
  #isBegun = false

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian
  }

  /** Of a file that begins with these bytes; undefined where it is not in UTF-16. */
  static of([one, two]: Uint8Array): Utf16 | undefined {
    if (one === 0xff && two === 0xfe) return new Utf16(false)
    return one === 0xfe && two === 0xff ? new Utf16(true) : undefined
  }

  push(chunk: Uint8Array): Buffer {
    const bytes = Buffer.concat([this.#odd, chunk])
    const whole = bytes.subarray(0, bytes.length & ~1)
    this.#odd = bytes.subarray(whole.length)
    const text = this.#decoder.write(this.#isBigEndian ? whole.swap16() : whole)
    // The byte order mark is no character of the first line.
    const isFirst = !this.#isBegun && text.length > 0
    this.#isBegun ||= isFirst
    return utf8Of(isFirst ? text.slice(1) : text)
  }

  end(): Buffer {
    const last = utf8Of(this.#decoder.end())
    return this.#odd.length === 0 ? last : Buffer.concat([last, noText])
  }
}

function utf8Of(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text)
  const parts = text.split(/(\p{Cs})/u)
  return Buffer.concat(parts.map((part) => (/^\p{Cs}$/u.test(part) ? noText : Buffer.from(part))))
}

class Cutter {
  #held: Array<Uint8Array> = []
  #heldBytes = 0
  #number = 1
  #piece = 1

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
  }

  *push(chunk: Uint8Array): Generator<TextLine> {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(lineFeed, from)
      if (end < 0) break
      this.#hold(chunk.subarray(from, end))
      yield* this.#pieces()
      yield this.#taken(this.#heldBytes, true)
      from = end + 1
    }
    this.#hold(chunk.subarray(from))
    yield* this.#pieces()
  }

  /** The last line, where no line feed ends it. */
  *end(): Generator<TextLine> {
    if (this.#heldBytes > 0) yield this.#taken(this.#heldBytes, true)
  }

  *#pieces(): Generator<TextLine> {
    while (this.#heldBytes > pieceBytesMax) yield this.#taken(pieceBytesMax, false)
  }

  /** The first bytes of what is held: the rest of the line, or as many whole characters as fit. */
  #taken(bytes: number, isEnd: boolean): TextLine {
    const [first] = this.#held
    const all = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held)
    const { length } = all
    const end = isEnd ? length : characterStart(all, bytes)
    const line = { number: this.#number, piece: this.#piece, text: this.#textOf(all.subarray(0, end), isEnd) }
    this.#held = end < length ? [all.subarray(end)] : []
    this.#heldBytes = length - end
    this.#number += isEnd ? 1 : 0
    this.#piece = isEnd ? 1 : this.#piece + 1
    return line
  }

  #textOf(bytes: Uint8Array, isEnd: boolean): string | undefined {
    let end = bytes.length
    if (isEnd) while (end > 0 && bytes[end - 1] === carriageReturn) end--
    const isFirst = this.#number === 1 && this.#piece === 1
    const start = isFirst && byteOrderMark.every((byte, index) => bytes[index] === byte) ? byteOrderMark.length : 0
    const kept = bytes.subarray(Math.min(start, end), end)
    if (kept.includes(0) || !isUtf8(kept)) return undefined
    return Buffer.from(kept.buffer, kept.byteOffset, kept.length).toString("utf8")
  }
}

/** The last place at or before `at` where a character of UTF-8 begins; `at` itself where none is near, because it is not text then. */
function characterStart(bytes: Uint8Array, at: number): number {
  for (let start = at; start > at - 4; start--) if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start
  return at
}
