/** Numbers as the Writer has none for: 64 bits without making an object, negative int32, and the halves of fixed 64-bit numbers. */
import type { Writer } from "protobufjs/minimal.js"
import { halves } from "./halves.ts"

/** A negative int32 takes ten bytes, as the format has it. */
export function rawInt32(writer: Writer, value: number): void {
  if (value < 0) rawVarint64(writer, value >>> 0, 0xffffffff)
  else writer.uint32(value)
}

/**
 * A varint of 64 bits in pieces that the Writer has without making an object: four bytes of seven bits each are one fixed32
 * with all continuation bits set.
 */
export function rawVarint64(writer: Writer, low: number, high: number): void {
  if (high === 0) {
    writer.uint32(low)
    return
  }
  writer.fixed32(continued(low))
  const middle = (low >>> 28) | (high << 4)
  if (high >>> 28 === 0) writer.uint32(middle >>> 0)
  else writer.fixed32(continued(middle)).uint32(high >>> 24)
}

function continued(bits28: number): number {
  return (
    ((bits28 & 127) |
      128 |
      ((((bits28 >>> 7) & 127) | 128) << 8) |
      ((((bits28 >>> 14) & 127) | 128) << 16) |
      ((((bits28 >>> 21) & 127) | 128) << 24)) >>>
    0
  )
}

/** Zig-zag of the value in `halves`. */
export function rawSint64(writer: Writer): void {
  const low = halves[0] ?? 0
  const high = halves[1] ?? 0
  const sign = high >> 31
  rawVarint64(writer, ((low << 1) ^ sign) >>> 0, (((high << 1) | (low >>> 31)) ^ sign) >>> 0)
}

export function rawFixed64(writer: Writer): void {
  writer.fixed32(halves[0] ?? 0).fixed32(halves[1] ?? 0)
}
