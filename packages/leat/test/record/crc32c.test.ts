import { crc32c } from "leat/transport"
import { describe, expect, it } from "vitest"

/** Bit by bit, as RFC 3720 defines it. */
function slow(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

describe("crc32c", () => {
  it("is what RFC 3720 says", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
  })

  it("is that of every part, whatever its length and place", () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, index) => (index * 37 + 11) & 255)
    for (let from = 0; from < 9; from++)
      for (let to = from; to < 40; to++) expect(crc32c(bytes, from, to)).toBe(slow(bytes.subarray(from, to)))
  })
})
