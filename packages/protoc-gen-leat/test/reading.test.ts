import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { anyEvent } from "./anyEvent.js"
import { anyWire, concatenated } from "./anyWire.js"
import { encode, named } from "./contracts.js"
import { esDecode } from "./oracle.js"

describe.each(named)("%s in bytes that leat would not write", (_name, { contract, desc }) => {
  it("is read as protobuf-es reads it", () => {
    fc.assert(
      fc.property(anyWire(desc), (bytes) => {
        expect(contract.decode(bytes)).toStrictEqual(esDecode(desc, bytes))
      }),
      { numRuns: 200 }
    )
  })

  it("is merged where one message follows another, as protobuf-es merges", () => {
    fc.assert(
      fc.property(fc.array(anyEvent(desc), { maxLength: 4 }), (events) => {
        const bytes = concatenated(events.map((event) => encode(contract, event)))
        expect(contract.decode(bytes)).toStrictEqual(esDecode(desc, bytes))
      })
    )
  })

  it("keeps nothing of the bytes it was read from", () => {
    fc.assert(
      fc.property(anyEvent(desc), (event) => {
        const bytes = encode(contract, event)
        const decoded = contract.decode(bytes)
        bytes.fill(0xff)
        expect(decoded).toStrictEqual(event)
      })
    )
  })
})
