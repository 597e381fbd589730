import { WireType } from "@bufbuild/protobuf/wire"
import fc from "fast-check"
import { InvalidEvent, MalformedEvent } from "leat/codec"
import type { Contract } from "leat/contract"
import { describe, expect, it } from "vitest"
import { anyEvent } from "./anyEvent.js"
import { anyWire, concatenated, delimited, tag } from "./anyWire.js"
import { encode, named, type Subject } from "./contracts.js"
import { Kinds } from "./gen/test/v1/kinds.js"
import { esDecode } from "./oracle.js"

/** Tags, lengths and numbers that decoders have stumbled over. */
const nasty = fc.constantFrom(
  Uint8Array.of(0),
  new Uint8Array(11).fill(0x80),
  new Uint8Array(9).fill(0xff),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07),
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x10),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0x0b),
  Uint8Array.of(0x0c)
)

/** Valid bytes with a few bits, bytes or pieces changed, and bytes that never were valid. */
function damaged({ contract, desc }: Subject): fc.Arbitrary<Uint8Array> {
  const valid = fc.oneof(
    anyWire(desc),
    anyEvent(desc, 2).map((event) => encode(contract, event))
  )
  const flipped = fc.tuple(valid, fc.array(fc.nat(), { minLength: 1, maxLength: 4 })).map(([bytes, flips]) => {
    const copy = new Uint8Array(bytes)
    for (const bit of flips) {
      const at = (bit >>> 3) % Math.max(1, copy.length)
      copy.set(
        copy.subarray(at, at + 1).map((byte) => byte ^ (1 << (bit & 7))),
        at
      )
    }
    return copy
  })
  const cut = fc.tuple(valid, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)))
  const spliced = fc.tuple(valid, fc.nat(), fc.nat(3), nasty).map(([bytes, nat, gone, piece]) => {
    const at = nat % (bytes.length + 1)
    return concatenated([bytes.subarray(0, at), piece, bytes.subarray(at + gone)])
  })
  return fc.oneof(flipped, cut, spliced, fc.uint8Array({ maxLength: 60 }))
}

/** What a decoder makes of bytes. */
function read<T>({ decode }: Contract<T>, bytes: Uint8Array): { readonly event?: T; readonly error?: unknown } {
  try {
    return { event: decode(bytes) }
  } catch (error) {
    return { error }
  }
}

/** Whether the error says what is wrong with the bytes of which type, and where in them. */
function isMalformation(error: unknown, type: string, bytes: Uint8Array): boolean {
  if (!(error instanceof MalformedEvent)) return false
  const { message, detail, offset } = error
  return error.type === type && message === `not a ${type}: ${detail} (byte ${offset})` && offset <= bytes.length
}

const malformation = (bytes: Uint8Array): unknown => read(Kinds, bytes).error

/** Why leat writes no such event: a time that others may have stored, and nobody should. */
function outOfRange<T>(contract: Contract<T>, event: T): boolean {
  try {
    encode(contract, event)
    return false
  } catch (error) {
    return (
      error instanceof InvalidEvent && /(seconds|nanos) is .*; it must be (in|at most|from|of) /.test(error.message)
    )
  }
}

describe.each(named)("%s of damaged bytes", (_name, subject) => {
  const { contract } = subject

  it("is malformed, a time out of range, or a value that is written and read like any other", () => {
    fc.assert(
      fc.property(damaged(subject), (bytes) => {
        const { event, error } = read(contract, bytes)
        expect(error === undefined || isMalformation(error, contract.name, bytes)).toBe(true)
        if (event !== undefined && outOfRange(contract, event)) return
        const again = event === undefined ? undefined : contract.decode(encode(contract, event))
        expect(again).toStrictEqual(event)
      }),
      { numRuns: 500 }
    )
  })
})

describe("bytes are malformed", () => {
  const end = tag(39, WireType.LengthDelimited)
  it.each([
    ["field number 0", Uint8Array.of(0x02, 0x00)],
    ["a field number over 29 bits", Uint8Array.of(0x82, 0x80, 0x80, 0x80, 0x10, 0x00)],
    ["a tag over ten bytes", concatenated([new Uint8Array(10).fill(0x80), Uint8Array.of(1)])],
    [
      "a number over ten bytes",
      concatenated([tag(3, WireType.Varint), new Uint8Array(10).fill(0xff), Uint8Array.of(1)])
    ],
    ["a number cut off", Uint8Array.of(0x18, 0x80)],
    ["a tag without a value", Uint8Array.of(0x18)],
    ["a double cut off", Uint8Array.of(0x09, 1, 2, 3, 4, 5, 6, 7)],
    ["an unknown double cut off", concatenated([tag(3000, WireType.Bit64), Uint8Array.of(1, 2)])],
    ["an unknown float cut off", concatenated([tag(3000, WireType.Bit32), Uint8Array.of(1, 2)])],
    ["a string longer than the message", concatenated([end, Uint8Array.of(5, 65)])],
    ["a string of 2 GB", concatenated([end, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07)])],
    ["a length over 32 bits", concatenated([end, Uint8Array.of(0x81, 0x80, 0x80, 0x80, 0x10, 65)])],
    ["bytes of 4 GB", concatenated([tag(15, WireType.LengthDelimited), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)])],
    ["a message that ends inside a number", concatenated([delimited(44, Uint8Array.of(0x08)), Uint8Array.of(0x08, 1)])],
    ["a packed list that ends inside a number", delimited(23, Uint8Array.of(1, 0x80))],
    ["a packed list of doubles that ends inside one", delimited(26, new Uint8Array(9))],
    ["a map's entry that ends inside its value", delimited(31, Uint8Array.of(0x0a, 1, 65, 0x10))],
    ["half a surrogate pair in UTF-8", delimited(14, Uint8Array.of(0xed, 0xa0, 0x80))],
    ["a long text that is not UTF-8", delimited(14, new Uint8Array(100).fill(0xc3))],
    ["an overlong form in UTF-8", delimited(14, Uint8Array.of(0xc0, 0x80))],
    ["a group that does not end", tag(3000, WireType.StartGroup)],
    [
      "a group that ends with another number",
      concatenated([tag(3000, WireType.StartGroup), tag(3001, WireType.EndGroup)])
    ],
    ["a group that ends and did not begin", tag(3000, WireType.EndGroup)],
    [
      "a group cut off by the end of a message",
      concatenated([delimited(44, tag(9, WireType.StartGroup)), tag(9, WireType.EndGroup)])
    ],
    ["wire type 6", Uint8Array.of(0x1e, 0)],
    ["wire type 7", Uint8Array.of(0x1f, 0)]
  ])("by %s", (_what, bytes) => {
    expect(malformation(bytes)).toBeInstanceOf(MalformedEvent)
    // Not because it was the first thing to be read.
    expect(malformation(concatenated([delimited(40, Uint8Array.of(65)), bytes]))).toBeInstanceOf(MalformedEvent)
  })
})

describe("bytes are no way to exhaust the one who reads them", () => {
  /** So many trees inside each other, as bytes. */
  function nested(levels: number): Uint8Array {
    let bytes = new Uint8Array(0)
    for (let level = 1; level < levels; level++) bytes = new Uint8Array(delimited(3, bytes))
    return delimited(21, bytes)
  }

  it("by messages inside messages: 100 are read, as by protobuf-es", () => {
    const [desc] = named.map(([, subject]) => subject.desc)
    if (desc === undefined) throw new Error("there are contracts to test")
    expect(Kinds.decode(nested(99))).toStrictEqual(esDecode(desc, nested(99)))
    for (const levels of [100, 3000]) {
      expect(malformation(nested(levels))).toBeInstanceOf(MalformedEvent)
      expect(() => esDecode(desc, nested(levels))).toThrow("recursion depth")
    }
  })

  it("by groups inside groups", () => {
    const start = tag(3000, WireType.StartGroup)
    const stop = tag(3000, WireType.EndGroup)
    const groups = (levels: number) =>
      concatenated([...Array.from({ length: levels }, () => start), ...Array.from({ length: levels }, () => stop)])
    expect(malformation(groups(99))).toBeUndefined()
    for (const levels of [100, 200_000]) expect(malformation(groups(levels))).toBeInstanceOf(MalformedEvent)
    expect(malformation(concatenated(Array.from({ length: 200_000 }, () => start)))).toBeInstanceOf(MalformedEvent)
  })

  // Copying what there was at each occurrence would take 64 times as long for 8 times as much: minutes for a megabyte.
  const megabytes = (count: number, piece: Uint8Array) =>
    concatenated(Array.from({ length: (count * 2 ** 20) / piece.length }, () => piece))
  const spentMs = (bytes: Uint8Array) => {
    const beganAt = performance.now()
    expect(malformation(bytes)).toBeUndefined()
    return performance.now() - beganAt
  }
  it.each([
    ["a message with a list", (count: number) => megabytes(count, delimited(21, delimited(2, new Uint8Array(0))))],
    [
      "a message in a message with a list",
      (count: number) => delimited(21, megabytes(count, delimited(3, delimited(2, new Uint8Array(0)))))
    ],
    [
      "a message in a oneof with a list",
      (count: number) => megabytes(count, delimited(36, delimited(2, new Uint8Array(0))))
    ]
  ] as const)("by a megabyte that repeats %s", (_what, bytesOf) => {
    spentMs(bytesOf(1 / 8))
    const eighthMs = Math.max(...[0, 1, 2].map(() => spentMs(bytesOf(1 / 8))))
    expect(spentMs(bytesOf(1)) / eighthMs).toBeLessThan(32)
  })
})
