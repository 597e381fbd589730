import { crc32c } from "leat/record"
import { Buffer } from "node:buffer"

export type SqlValue = number | string | Uint8Array | null

let scratch = Buffer.alloc(1024)

/** Checksum of the values of a row, so that a flipped bit in a number is detected. */
export function rowSum(...values: ReadonlyArray<SqlValue>): number {
  let at = 0
  for (const value of values) {
    if (value === null) {
      scratch[at++] = 0
    } else if (typeof value === "number") {
      scratch[at++] = 1
      at = scratch.writeDoubleLE(value, at)
    } else {
      const length = typeof value === "string" ? Buffer.byteLength(value) : value.length
      if (at + length + 64 > scratch.length) scratch = Buffer.concat([scratch, Buffer.alloc(length + 1024)])
      scratch[at++] = 2
      at = scratch.writeUInt32LE(length, at)
      if (typeof value === "string") scratch.write(value, at)
      else scratch.set(value, at)
      at += length
    }
  }
  return crc32c(scratch, 0, at)
}
