/** Fields of the flexible versions of Kafka's protocol, as they are written. */

/** A number of up to 32 bits without a sign; returns the offset behind it. */
export function writeUvarint(bytes: Buffer, at: number, value: number): number {
  let left = value
  while (left > 127) {
    bytes[at++] = (left & 127) | 128
    left >>>= 7
  }
  bytes[at++] = left
  return at
}

/** A string, or bytes; the length in front is one more than it is. */
export function writeCompact(bytes: Buffer, at: number, value: Buffer): number {
  const valueAt = writeUvarint(bytes, at, value.length + 1)
  return valueAt + value.copy(bytes, valueAt)
}
