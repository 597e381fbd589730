import { describe, expect, it } from "vitest"
import { encode } from "./contracts.js"
import * as other from "./gen/other/v1/place.js"
import { Colour, type Place } from "./gen/test/v1/kinds.js"
import * as names from "./gen/test/v1/names.js"

/** What compiles here is half of the test: `npm run check` reads the generated code with all of its names. */
describe("generated names", () => {
  it("are those of the messages, with $ where TypeScript has another use for the word", () => {
    const contracts = [names.Map, names.Contract, names.Uint8Array, names.Object, names.string$, names.default$]
    expect(contracts.map(({ name }) => name)).toEqual([
      "test.v1.Map",
      "test.v1.Contract",
      "test.v1.Uint8Array",
      "test.v1.Object",
      "test.v1.string",
      "test.v1.default"
    ])
    const any: names.any$ = { x: 1n }
    const nothing: names.undefined$ = {}
    const functions: ReadonlyArray<names.r$ | names.er$ | names.codec$> = [{}, { er: {} }, { x: "" }]
    expect([any, nothing, ...functions]).toHaveLength(5)
  })

  it("join nested messages and enums to those around them", () => {
    const inner: names.Outer_Inner = { name: "a", status: names.Outer_Inner_Status.STATUS_3D }
    expect(names.Outer_Inner.key(inner)).toBe("a")
    expect(names.Outer_Inner.name).toBe("test.v1.Outer.Inner")
  })

  it("keep two messages of one name apart, from whatever package they come", () => {
    const place: Place = { code: "a" }
    const otherPlace: other.Place = { house: "b" }
    const event: names.Names = {
      place,
      otherPlace,
      otherPlaces: [otherPlace],
      otherPlacesById: new Map([["c", otherPlace]]),
      colour: Colour.RED,
      otherColour: other.Colour.BLUE,
      otherColours: [other.Colour.BLUE],
      at: { seconds: 1n, nanos: 2 },
      ownAt: { text: "now" },
      otherAt: { ticks: 3n },
      map: { name: "floor", parts: new Map(), neighbours: [], picture: new Uint8Array(1) },
      otherMap: { sheet: "d" },
      maps: new Map(),
      lasted: { seconds: -1n, nanos: -5 }
    }
    expect(names.Names.decode(encode(names.Names, event))).toStrictEqual(event)
    expect(names.Names.key(event)).toBe("a")
  })

  it("give an enum one name per value and several where it has aliases, and other numbers none", () => {
    const { STATUS_OPEN, STATUS_STARTED } = names.Outer_Inner_Status
    expect([STATUS_OPEN, STATUS_STARTED]).toEqual([1, 1])
    expect(Object.entries(names.Lower)).toEqual([
      ["constructor$", 0],
      ["__proto__", 1],
      ["delete", 2],
      ["toString$", -1]
    ])
    const later: names.Outer_Inner_Status = 1000
    expect(Object.values<number>(names.Outer_Inner_Status)).not.toContain(later)
  })

  it("are not what stands in a comment, whatever that is", () => {
    expect(Object.keys(names)).not.toContain("broken")
  })

  it("name properties as protobuf's JSON does, and a key that is a word of JavaScript is found", () => {
    const [event] = [names.Locals.decode(new Uint8Array(0))]
    expect(Object.keys(event)).toEqual(
      expect.arrayContaining(["entryEnd", "reader", "Map", "toString$", "await", "end"])
    )
    expect(names.Locals.key({ ...event, constructor$: "key" })).toBe("key")
  })
})
