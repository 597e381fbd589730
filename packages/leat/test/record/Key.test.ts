import { Buffer } from "node:buffer"
import fc from "fast-check"
import type { Key } from "leat"
import { describe, expect, it } from "vitest"
import { copyKey, hash, keyBytes, keyBytesMax, keyView, writeKey } from "../../src/record/Key.js"

const written = (key: Key): Buffer => Buffer.from(keyBytes.subarray(0, writeKey(key)))
const hashOf = (text: string): number => hash(keyView, writeKey(text))

const viewOf = ({ buffer, byteOffset, length }: Uint8Array): DataView => new DataView(buffer, byteOffset, length)

/** Any UTF-16 units, half of a surrogate pair included. */
const anyText = (maxLength: number) =>
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength })

/** murmur2 once more, in arbitrary precision and without tricks. */
function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995n
  const u32 = (value: bigint): bigint => BigInt.asUintN(32, value)
  let h = u32(0x9747b28cn ^ BigInt(bytes.length))
  const whole = bytes.length - (bytes.length % 4)
  for (let at = 0; at < whole; at += 4) {
    let k = u32(BigInt(Buffer.from(bytes).readUInt32LE(at)) * m)
    k = u32((k ^ (k >> 24n)) * m)
    h = u32(h * m) ^ k
  }
  const rest = bytes.subarray(whole)
  for (let at = rest.length - 1; at >= 0; at--) h ^= BigInt(rest[at] ?? 0) << BigInt(8 * at)
  if (rest.length > 0) h = u32(h * m)
  h = u32((h ^ (h >> 13n)) * m)
  return Number((h ^ (h >> 15n)) & 0x7fffffffn)
}

describe("hash", () => {
  it("is murmur2 of any bytes, made positive", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(hash(viewOf(bytes), bytes.length)).toBe(murmur2(bytes))
      })
    )
  })

  it("reads no further than it is told", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 1, maxLength: 8 }), (bytes, more) => {
        expect(hash(viewOf(new Uint8Array([...bytes, ...more])), bytes.length)).toBe(murmur2(bytes))
      })
    )
  })

  // From org.apache.kafka.common.utils.UtilsTest.
  it.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107]
  ])("of %s is Java's", (text, java) => {
    expect(hashOf(text)).toBe(java & 0x7fffffff)
  })
})

describe("writeKey", () => {
  const someText = fc.oneof(anyText(100), fc.string({ maxLength: 100 }))

  it("writes the UTF-8 of any text", () => {
    fc.assert(
      fc.property(someText, (one) => {
        expect(written(one.toWellFormed())).toEqual(Buffer.from(one))
      })
    )
  })

  it("refuses half a surrogate pair, wherever it stands", () => {
    fc.assert(
      fc.property(someText, fc.constantFrom("\uD800", "\uDC00"), someText, (before, half, after) => {
        expect(() => writeKey(`${before.toWellFormed()}${half}${after.toWellFormed()}`)).toThrow(
          "half of a surrogate pair"
        )
      })
    )
  })

  it.each([null, true, 1.5, Number.NaN, Symbol("k"), { toString: () => "k" }, [1], new Uint16Array(2)])(
    "refuses what is no key: %s",
    (odd) => {
      expect(() => writeKey(odd as never)).toThrow("no text, no bytes and no integer")
    }
  )

  it("writes bytes as they are, and integers as decimal text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.bigInt(), fc.maxSafeInteger(), (bytes, big, integer) => {
        expect(written(bytes)).toEqual(Buffer.from(bytes))
        expect(written(big)).toEqual(Buffer.from(`${big}`))
        expect(written(integer)).toEqual(Buffer.from(`${integer}`))
      })
    )
  })

  it("takes keys up to 4096 bytes, however few characters they are", () => {
    const near = fc.constantFrom("a", "é", "€", "😀").chain((unit) => {
      const fitting = Math.floor(keyBytesMax / Buffer.byteLength(unit))
      return fc.integer({ min: fitting - 2, max: fitting + 2 }).map((count) => unit.repeat(count))
    })
    fc.assert(
      fc.property(near, (text) => {
        const bytes = Buffer.from(text)
        const fits = bytes.length <= keyBytesMax
        expect(writeKey(text)).toBe(fits ? bytes.length : -1)
        expect(writeKey(bytes)).toBe(fits ? bytes.length : -1)
        expect(!fits || written(text).equals(bytes)).toBe(true)
      })
    )
    expect(keyBytesMax).toBe(4096)
  })

  it("is copied to where it is wanted, with at most three bytes behind it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(9), (bytes, at) => {
        const target = new Uint8Array(at + bytes.length + 8).fill(0xee)
        copyKey(writeKey(bytes), viewOf(target), at)
        expect(target.subarray(at, at + bytes.length)).toEqual(bytes)
        expect(target.subarray(0, at).every((byte) => byte === 0xee)).toBe(true)
        expect(target.subarray(at + bytes.length + 3).every((byte) => byte === 0xee)).toBe(true)
      })
    )
  })

  it.for(["é", "ab\u00ff", "schlüssel-ü", "日本", "a".repeat(65) + "ß"])("writes %s as UTF-8", (text) => {
    expect(written(text)).toEqual(Buffer.from(text))
  })
})
