/**
 * Reads event ids out of records' headers without making an object per record: for backends that keep ids themselves. What
 * it takes for an id is what `readMeta` takes for one.
 */
import { compactBytesMin, compactFields, formatEvent, formatMarker, readTag, tagText } from "./CompactHeader.ts"
import { deadLetterHeader } from "./DeadLetter.ts"
import { parseEventId } from "./EventId.ts"

// Without the option a byte order mark at the beginning would be taken away, and another text would be the same id.
const text = new TextDecoder("utf-8", { ignoreBOM: true })

const deadLetterName = new TextEncoder().encode(deadLetterHeader)

/**
 * The id that was read last, in fields that the next read overwrites.
 *
 * @example
 * ```ts
 * const { bytes, origin, headersAt } = batch.columns(0, batch.count)
 * const id = new EventIdCursor()
 * for (const at of headersAt) if (id.read(bytes, at - origin)) known.add(`${id.bucket}/${id.seq}`)
 * ```
 */
export class EventIdCursor {
  /** 16 bytes, overwritten by the next read. */
  readonly incarnation = new Uint8Array(16)
  /** As `taggedStream` has it in the compact wire, which has a tag instead of the name. */
  stream = ""
  /** Bucket of its stream. */
  bucket = 0
  /** Sequence in the bucket. */
  seq = 0
  #at = 0
  #tag = 0
  /** The text of the tag: records that come one after the other are mostly of one stream. */
  #tagText = tagText(0)

  /**
   * Reads the headers block at `headersAt`; false when the record has no event id, or is a dead letter or its replay, which may be stored again.
   * Epochs are no part of an id.
   */
  read(source: Uint8Array, headersAt: number): boolean {
    this.#at = headersAt
    const count = this.#length(source)
    for (let left = count; left > 0; left--) {
      const nameBytes = this.#length(source)
      const nameAt = this.#at
      if (left === count && nameBytes === deadLetterName.length && isAt(deadLetterName, source, nameAt)) return false
      this.#at += nameBytes
      const valueBytes = this.#length(source)
      const valueAt = this.#at
      this.#at += valueBytes
      if (this.#at > source.length) return false
      if (nameBytes === 4 && isLeat(source, nameAt)) {
        if (source[valueAt] === formatMarker) return false
        if (this.#readLeat(source, valueAt, valueBytes)) return true
      } else if (nameBytes === 5 && isCeId(source, nameAt)) {
        if (this.#readText(text.decode(source.subarray(valueAt, valueAt + valueBytes)))) return true
      }
    }
    return false
  }

  #readLeat(source: Uint8Array, at: number, bytes: number): boolean {
    if (source[at] !== formatEvent || bytes < compactBytesMin) return false
    for (let index = 0; index < 16; index++)
      this.incarnation[index] = source[at + compactFields.incarnation + index] ?? 0
    let position = at + compactFields.numbers
    const end = at + bytes
    const varint = (): number => {
      let result = 0
      for (let scale = 1; position < end; scale *= 128) {
        const byte = source[position++] ?? 0
        result += (byte & 127) * scale
        if (byte < 128) break
      }
      return result
    }
    const tag = readTag(source, at)
    if (tag !== this.#tag) {
      this.#tag = tag
      this.#tagText = tagText(tag)
    }
    this.stream = this.#tagText
    this.bucket = varint()
    this.seq = varint()
    return Number.isSafeInteger(this.bucket) && Number.isSafeInteger(this.seq) && Number.isSafeInteger(varint())
  }

  #readText(value: string): boolean {
    const id = parseEventId(value)
    if (id === undefined) return false
    const hex = id.incarnation.replaceAll("-", "")
    for (let index = 0; index < 16; index++)
      this.incarnation[index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16)
    this.stream = id.stream
    this.bucket = id.bucket
    this.seq = id.seq
    return true
  }

  #length(source: Uint8Array): number {
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = source[this.#at++] ?? 0
      result |= (byte & 127) << shift
      if (byte < 128) break
    }
    return result >>> 1
  }
}

function isAt(name: Uint8Array, source: Uint8Array, at: number): boolean {
  return name.every((byte, index) => source[at + index] === byte)
}

function isLeat(source: Uint8Array, at: number): boolean {
  return source[at] === 0x6c && source[at + 1] === 0x65 && source[at + 2] === 0x61 && source[at + 3] === 0x74
}

/** NATS spells it with a hyphen. */
function isCeId(source: Uint8Array, at: number): boolean {
  const between = source[at + 2]
  return (
    source[at] === 0x63 &&
    source[at + 1] === 0x65 &&
    (between === 0x5f || between === 0x2d) &&
    source[at + 3] === 0x69 &&
    source[at + 4] === 0x64
  )
}
