/** Checks of values: whatever would come back different, or not at all, is an `InvalidEvent`. */
import { InvalidEvent } from "./CodecError.ts"
import { long, unsignedLong } from "./halves.ts"

const float = new Float32Array(1)

export function checkInt32(value: number, path: string): void {
  if (typeof value !== "number" || (value | 0) !== value)
    throw new InvalidEvent(path, value, "a whole number of 32 bits")
}

export function checkUint32(value: number, path: string): void {
  if (typeof value !== "number" || value >>> 0 !== value)
    throw new InvalidEvent(path, value, "a whole number from 0 to 4294967295")
}

export function checkFloat(value: number, path: string): void {
  if (typeof value !== "number") throw new InvalidEvent(path, value, "a number")
  float[0] = value
  if (!Object.is(float[0], value)) {
    throw new InvalidEvent(
      path,
      value,
      "a number that 32 bits hold exactly; round it with Math.fround, or make the field a double"
    )
  }
}

/** Leaves the value in `halves`. */
export function checkInt64(value: bigint, path: string): void {
  if (typeof value !== "bigint") throw new InvalidEvent(path, value, "a bigint")
  long[0] = value
  if (long[0] !== value) throw new InvalidEvent(path, value, "a bigint of 64 bits")
}

/** Leaves the value in `halves`. */
export function checkUint64(value: bigint, path: string): void {
  if (typeof value !== "bigint") throw new InvalidEvent(path, value, "a bigint")
  unsignedLong[0] = value
  if (unsignedLong[0] !== value) throw new InvalidEvent(path, value, "a bigint from 0 to 2^64 - 1")
}
