import { Buffer } from "node:buffer"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { anyEvent } from "./anyEvent.js"
import { encode, named, subjects, writerOn } from "./contracts.js"
import { Kinds } from "./gen/test/v1/kinds.js"
import { esDecode, esEncode } from "./oracle.js"

describe.each(named)("%s", (_name, { contract, desc }) => {
  const events = anyEvent(desc)

  it("decodes to the event that was encoded", () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(contract.decode(encode(contract, event))).toStrictEqual(event)
      }),
      { numRuns: 200 }
    )
  })

  it("is read by protobuf-es as the same event", () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(esDecode(desc, encode(contract, event))).toStrictEqual(event)
      })
    )
  })

  it("reads the same event from the bytes of protobuf-es", () => {
    fc.assert(
      fc.property(events, (event) => {
        expect(contract.decode(esEncode(desc, event))).toStrictEqual(event)
      })
    )
  })
})

describe("an optional property", () => {
  it("may be undefined, which is the same as not there", () => {
    const empty: Kinds = Kinds.decode(new Uint8Array(0))
    const event: Kinds = { ...empty, place: undefined, optionalString: undefined, choice: undefined, at: undefined }
    expect(encode(Kinds, event)).toEqual(encode(Kinds, empty))
  })
})

describe("an arena", () => {
  it("holds the same bytes, whatever room it has, and grows out of itself when it has none", () => {
    const one = fc.constantFrom(...subjects).chain((subject) => fc.tuple(fc.constant(subject), anyEvent(subject.desc)))
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 4 }), fc.nat(400), (all, room) => {
        const writer = writerOn(Buffer.allocUnsafeSlow(room))
        const written: Array<Uint8Array> = []
        for (const [{ contract }, event] of all) {
          const start = writer.pos
          contract.encodeInto(event, writer)
          written.push(new Uint8Array(writer.buf.subarray(start, writer.pos)))
        }
        expect(written).toEqual(all.map(([{ contract }, event]) => encode(contract, event)))
        expect(Buffer.from(writer.buf.subarray(0, writer.pos))).toEqual(Buffer.concat(written))
      })
    )
  })
})
