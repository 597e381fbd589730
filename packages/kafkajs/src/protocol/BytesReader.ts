/** A reader of the fields of Kafka's protocol, in order. */
export class BytesReader {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  int8(): number {
    return this.bytes.readInt8(this.at++)
  }

  int16(): number {
    this.at += 2
    return this.bytes.readInt16BE(this.at - 2)
  }

  int32(): number {
    this.at += 4
    return this.bytes.readInt32BE(this.at - 4)
  }

  int64(): bigint {
    this.at += 8
    return this.bytes.readBigInt64BE(this.at - 8)
  }

  /** Null: a length of -1. */
  string(): string | null {
    const length = this.int16()
    if (length < 0) return null
    this.at += length
    return this.bytes.toString("utf8", this.at - length, this.at)
  }

  /** A view; null: a length of -1. */
  block(): Buffer | null {
    const length = this.int32()
    if (length < 0) return null
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** The elements of an array, whose count comes first; empty if that is -1. */
  array<A>(read: () => A): Array<A> {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }

  /** An unsigned varint of 32 bits. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++]
      if (byte === undefined || shift > 28) throw new RangeError("a number does not end")
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
  }

  /** A string of the flexible versions: its length is one more than it is; null where it says 0. */
  compactString(): string | null {
    const bytes = this.compactBlock()
    return bytes === null ? null : bytes.toString()
  }

  /** A view, as `compactString`. */
  compactBlock(): Buffer | null {
    const length = this.uvarint() - 1
    if (length < 0) return null
    if (this.at + length > this.bytes.length) throw new RangeError("a block does not end")
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** An array of the flexible versions. */
  compactArray<A>(read: () => A): Array<A> {
    const count = this.uvarint() - 1
    if (count > this.bytes.length - this.at) throw new RangeError("an array does not end")
    return Array.from({ length: Math.max(0, count) }, read)
  }

  /** Passes over the tagged fields at the end of a structure. */
  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      const length = this.uvarint()
      this.at += length
    }
  }

  /** A zig-zag varint of 32 bits. */
  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++]
      if (byte === undefined || shift > 28) throw new RangeError("a number does not end")
      value |= (byte & 127) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
  }

  /** A zig-zag varint of 64 bits; exact up to 2^53, which is enough for times. */
  varlong(): number {
    let low = 0
    let factor = 1
    for (let count = 0; ; count++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined || count > 9) throw new RangeError("a number does not end")
      low += (byte & 127) * factor
      factor *= 128
      if (byte < 128) return low % 2 === 0 ? low / 2 : -(low + 1) / 2
    }
  }
}
