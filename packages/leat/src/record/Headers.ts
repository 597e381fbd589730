/**
 * Record headers as bytes: Kafka's own layout (zig-zag varint count, then length-prefixed name and value), so that a driver
 * which writes that protocol copies them, and every other one reads them through `readHeaders`.
 */

/** One header; names may repeat, order is kept. The value is bytes, because not every broker's headers are text. */
export type Header = readonly [name: string, value: Uint8Array]

// Without the option a byte order mark at the beginning would be taken away.
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Writes a zig-zag varint of a value from 0 to 2^30 - 1; returns the position after it. */
export function writeLength(target: Uint8Array, at: number, length: number): number {
  let rest = length << 1
  while (rest > 127) {
    target[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** Bytes that `writeLength` needs. */
export function sizeOfLength(length: number): number {
  const zigzag = length << 1
  return zigzag < 128 ? 1 : zigzag < 16_384 ? 2 : zigzag < 2_097_152 ? 3 : zigzag < 268_435_456 ? 4 : 5
}

/** Reads what `writeLength` has written; it has `sizeOfLength` of it in bytes. */
export function readLength(source: Uint8Array, at: number): number {
  let result = 0
  for (let shift = 0, position = at; shift < 35; shift += 7) {
    const byte = source[position++] ?? 0
    result |= (byte & 127) << shift
    if (byte < 128) break
  }
  return result >>> 1
}

/** Writes one header whose name and value are bytes; returns the position after it. */
export function writeHeader(target: Uint8Array, at: number, name: Uint8Array, value: Uint8Array): number {
  let end = writeLength(target, at, name.length)
  target.set(name, end)
  end = writeLength(target, end + name.length, value.length)
  target.set(value, end)
  return end + value.length
}

/** Bytes that `writeHeader` needs. */
export function sizeOfHeader(nameBytes: number, valueBytes: number): number {
  return sizeOfLength(nameBytes) + nameBytes + sizeOfLength(valueBytes) + valueBytes
}

/**
 * Reads the headers block that starts at `at`; the values are views of `source`.
 *
 * @example
 * ```ts
 * const { bytes, origin, headersAt } = batch.columns(0, batch.count)
 * for (const at of headersAt) readHeaders(bytes, at - origin) // [["leat", Uint8Array(27)]]
 * ```
 */
export function readHeaders(source: Uint8Array, at: number): Array<Header> {
  let position = at
  const length = (): number => {
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = source[position++] ?? 0
      result |= (byte & 127) << shift
      if (byte < 128) break
    }
    return result >>> 1
  }
  const headers: Array<Header> = []
  // Not more than there are bytes for, whatever the count says.
  for (let left = length(); left > 0 && position < source.length; left--) {
    const nameEnd = length() + position
    const name = nameOf(source, position, nameEnd)
    position = nameEnd
    const valueEnd = length() + position
    headers.push([name, source.subarray(position, valueEnd)])
    position = valueEnd
  }
  return headers
}

/** The same headers, with values in bytes of their own. */
export function ownHeaders(headers: ReadonlyArray<Header>): Array<Header> {
  return headers.map(([name, value]): Header => [name, new Uint8Array(value)])
}

/** Names read before: a stream has the same few in every record, and decoding them took longer than all the rest of the headers. */
const names: Array<{ readonly bytes: Uint8Array; readonly text: string } | undefined> = Array.from({ length: 64 })
const nameBytesKeptMax = 64

function nameOf(source: Uint8Array, from: number, to: number): string {
  const length = to - from
  if (length < 2 || length > nameBytesKeptMax) return textDecoder.decode(source.subarray(from, to))
  // Of the names that leat knows no two have the same place.
  const place = (length + (source[to - 2] ?? 0) * 3) & 63
  const known = names[place]
  if (known !== undefined && isAt(known.bytes, source, from, length)) return known.text
  const bytes = Uint8Array.from(source.subarray(from, to))
  const text = textDecoder.decode(bytes)
  names[place] = { bytes, text }
  return text
}

function isAt(bytes: Uint8Array, source: Uint8Array, from: number, length: number): boolean {
  if (bytes.length !== length) return false
  for (let index = 0; index < length; index++) if (bytes[index] !== source[from + index]) return false
  return true
}
