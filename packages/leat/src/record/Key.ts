/**
 * Key bytes and where they lead. One scratch buffer for the whole process: publishing is synchronous, so the bytes of one
 * key are used up before the next are written.
 */
import { Buffer } from "node:buffer"
import type { Key } from "../contract/Contract.ts"
import { byteLength, isBytes } from "./bytes.ts"

/** Longest key in bytes. Kafka has no limit of its own; a longer key is a payload in the wrong field. */
export const keyBytesMax = 4096

const scratch = Buffer.allocUnsafeSlow(keyBytesMax)

/** Bytes of the last key given to `writeKey`. */
export const keyBytes: Uint8Array = scratch

/** The same bytes, for reading four at a time. */
export const keyView: DataView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length)

/**
 * Copies the last key, of `length` bytes, to `at`. Goes by fours: up to three bytes behind the key are overwritten too, so
 * there must be room for them.
 */
export function copyKey(length: number, target: DataView, at: number): void {
  for (let index = 0; index < length; index += 4) target.setInt32(at + index, keyView.getInt32(index, true), true)
}

/**
 * Writes the bytes of a key into `keyBytes`; returns their number, or -1 when they are more than `keyBytesMax`. Throws a sentence
 * for what is no key: whoever offers an event may hand over anything from JavaScript.
 */
export function writeKey(key: Key): number {
  if (typeof key === "string") return writeText(key)
  if (isBytes(key)) {
    const length = byteLength(key)
    if (length > keyBytesMax) return -1
    scratch.set(key)
    return length
  }
  if (typeof key !== "bigint" && !Number.isSafeInteger(key))
    throw new Error("the key is no text, no bytes and no integer")
  return writeText(key.toString())
}

function writeText(text: string): number {
  const { length } = text
  if (length > keyBytesMax) return -1
  if (length <= 64) {
    let at = 0
    for (; at + 4 <= length; at += 4) {
      const a = text.charCodeAt(at)
      const b = text.charCodeAt(at + 1)
      const c = text.charCodeAt(at + 2)
      const d = text.charCodeAt(at + 3)
      if ((a | b | c | d) > 127) break
      keyView.setInt32(at, a | (b << 8) | (c << 16) | (d << 24), true)
    }
    for (; at < length; at++) {
      const code = text.charCodeAt(at)
      if (code > 127) break
      scratch[at] = code
    }
    if (at === length) return length
  }
  if (!text.isWellFormed()) throw new Error("the key holds half of a surrogate pair, which UTF-8 cannot say")
  if (length * 3 > keyBytesMax && Buffer.byteLength(text) > keyBytesMax) return -1
  return scratch.write(text, 0, "utf8")
}

/** Kafka's murmur2 of the first `length` bytes, made positive as Java's default partitioner does it. */
export function hash(bytes: DataView, length: number): number {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let k = Math.imul(bytes.getInt32(at, true), m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length - at
  if (rest === 3) h ^= bytes.getUint8(at + 2) << 16
  if (rest >= 2) h ^= bytes.getUint8(at + 1) << 8
  if (rest >= 1) {
    h ^= bytes.getUint8(at)
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  h ^= h >>> 15
  return h & 0x7fffffff
}
