/**
 * A 64-bit integer and its two 32-bit halves in one place, so that none is allocated per value: write one view, read another.
 * Little-endian, as every machine is that runs Node.
 */
export const long = new BigInt64Array(1)
export const unsignedLong = new BigUint64Array(long.buffer)
/** Low half, high half. */
export const halves = new Uint32Array(long.buffer)
