import { describe, expect, it } from "vitest"
import {
  type Header,
  readHeaders,
  sizeOfHeader,
  sizeOfLength,
  writeHeader,
  writeLength
} from "../../src/record/Headers.js"

const text = new TextEncoder()

describe("a length", () => {
  /** Zig-zag varints as Protocol Buffers' guide defines them: groups of seven bits of 2n, the lowest first. */
  it.each([
    [0, [0x00]],
    [1, [0x02]],
    [63, [0x7e]],
    [64, [0x80, 0x01]],
    [127, [0xfe, 0x01]],
    [128, [0x80, 0x02]],
    [8191, [0xfe, 0x7f]],
    [8192, [0x80, 0x80, 0x01]],
    [1_048_575, [0xfe, 0xff, 0x7f]],
    [1_048_576, [0x80, 0x80, 0x80, 0x01]]
  ])("of %i is written in groups of seven bits", (length, bytes) => {
    const target = new Uint8Array(8)
    expect(Array.from(target.subarray(0, writeLength(target, 0, length)))).toEqual(bytes)
    expect(sizeOfLength(length)).toBe(bytes.length)
  })
})

it.each([0, 1, 63, 64, 65, 127, 128, 129, 8191, 8192, 70_000])(
  "headers of %i bytes come back as they were written",
  (size) => {
    const written: ReadonlyArray<Header> = [
      ["n".repeat(Math.min(size, 300)), new Uint8Array(size).fill(7)],
      ["next", new Uint8Array([1, 2])]
    ]
    const target = new Uint8Array(80_000)
    let end = writeLength(target, 3, written.length)
    for (const [name, value] of written) {
      const before = end
      end = writeHeader(target, end, text.encode(name), value)
      expect(end - before).toBe(sizeOfHeader(name.length, value.length))
    }
    expect(readHeaders(target, 3)).toEqual(written)
  }
)

it("headers are no more than there are bytes for, whatever their count says", () => {
  const header: Header = ["name", new Uint8Array([1, 2])]
  const target = new Uint8Array(40)
  const end = writeHeader(target, writeLength(target, 0, 2 ** 29), text.encode(header[0]), header[1])
  expect(readHeaders(target.subarray(0, end), 0)).toEqual([header])
})
