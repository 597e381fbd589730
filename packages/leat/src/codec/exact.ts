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

// As protobuf says of Timestamp and Duration: years 1 to 9999, and 10,000 years either way.
const timestampSecondsMin = -62_135_596_800n
const timestampSecondsMax = 253_402_300_799n
const durationSecondsMax = 315_576_000_000n
const nanosMax = 999_999_999

export function checkTimestamp(seconds: bigint, nanos: number, path: string): void {
  if (seconds < timestampSecondsMin || seconds > timestampSecondsMax) {
    throw new InvalidEvent(`${path}.seconds`, seconds, "in the years 1 to 9999")
  }
  if (nanos < 0 || nanos > nanosMax) throw new InvalidEvent(`${path}.nanos`, nanos, "from 0 to 999999999")
}

export function checkDuration(seconds: bigint, nanos: number, path: string): void {
  if (seconds < -durationSecondsMax || seconds > durationSecondsMax) {
    throw new InvalidEvent(`${path}.seconds`, seconds, "at most 315576000000, which are 10,000 years, either way")
  }
  if (nanos < -nanosMax || nanos > nanosMax) {
    throw new InvalidEvent(`${path}.nanos`, nanos, "from -999999999 to 999999999")
  }
  if ((seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0)) {
    throw new InvalidEvent(`${path}.nanos`, nanos, "of the sign that the seconds have")
  }
}
