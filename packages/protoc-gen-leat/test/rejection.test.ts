import fc from "fast-check"
import { InvalidEvent } from "leat/codec"
import type { Contract } from "leat/contract"
import { RecordBatch } from "leat/transport"
import { describe, expect, it } from "vitest"
import { anyEvent } from "./anyEvent.js"
import { encode, named, type Subject, subjects, writerOn } from "./contracts.js"
import { EveryTime } from "./gen/test/v1/every.js"
import { Kinds, type Tree } from "./gen/test/v1/kinds.js"
import { Map as FloorMap } from "./gen/test/v1/names.js"
import { descOf, esDecode, type Fields } from "./oracle.js"
import { placesOf } from "./places.js"

/** The error of encoding an event behind the records of a batch. */
function fault<T>(contract: Contract<T>, event: unknown, batch = new RecordBatch(0)): unknown {
  try {
    contract.encodeInto(event as T, writerOn(batch.arena, batch.bytes))
  } catch (error) {
    return error
  }
  return undefined
}

/** Events that are wrong in one place. */
const wrongEvents = ({ desc }: Subject) =>
  fc.tuple(anyEvent(desc), fc.nat(), fc.nat()).map(([event, where, which]) => {
    const places = placesOf(desc, event)
    const place = places[where % places.length]
    if (place === undefined) throw new Error(`${desc.typeName} has no fields`)
    return { path: place.path, event: place.put(place.wrong[which % place.wrong.length]) }
  })

const empty: Kinds = Kinds.decode(new Uint8Array(0))

describe.each(named)("%s with one wrong value", (_name, subject) => {
  it("is rejected, with the path of the value", () => {
    fc.assert(
      fc.property(wrongEvents(subject), ({ event, path }) => {
        const error = fault(subject.contract, event)
        expect(error).toBeInstanceOf(InvalidEvent)
        expect(error).toMatchObject({ path })
        expect(String(error)).toContain(`${path} is `)
      }),
      { numRuns: 300 }
    )
  })
})

describe("what is no message at all", () => {
  it.each([null, undefined, 1, "text", true, [], [empty], 1n, Symbol("event"), () => empty])(
    "is rejected: %o",
    (event) => {
      expect(fault(Kinds, event)).toBeInstanceOf(InvalidEvent)
      expect(fault(Kinds, event)).toMatchObject({ path: "Kinds" })
    }
  )
})

describe("an event that is rejected", () => {
  it("leaves nothing behind: the writer of a batch goes on as if it had not been offered", () => {
    const one = fc.constantFrom(...subjects).chain((subject) =>
      fc.record({
        subject: fc.constant(subject),
        event: anyEvent(subject.desc),
        before: fc.option(wrongEvents(subject), { nil: undefined })
      })
    )
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 5 }), fc.nat(500), (all, room) => {
        const batch = new RecordBatch(room)
        for (const { subject, event, before } of all) {
          const { contract } = subject
          const error = before === undefined ? undefined : fault(contract, before.event, batch)
          expect(error instanceof InvalidEvent).toBe(before !== undefined)
          const expected = encode(contract, event)
          if (batch.room < 4 * expected.length + 5) batch.grow(batch.bytes + 4 * expected.length + 5)
          const writer = writerOn(batch.arena, batch.bytes)
          contract.encodeInto(event, writer)
          batch.place(0, 0, new Float64Array(1))
          batch.commit(false, batch.bytes, batch.bytes, writer.pos, "event")
          expect(new Uint8Array(batch.value(batch.count - 1) ?? [])).toEqual(expected)
        }
      })
    )
  })

  it("is not told in the error: what it holds may be personal, or without an end", () => {
    const told = fc.oneof(
      fc.string({ minLength: 4 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((one) => String(one).length > 3),
      fc.bigInt({ min: 2n ** 64n })
    )
    fc.assert(
      fc.property(told, (value) => {
        const text = String(fault(Kinds, { ...empty, bool: value }))
        expect(text.replace(/^.*; it must/, "")).toBe(" be a boolean")
        expect(text).not.toContain(String(value))
        expect(text.length).toBeLessThan(200)
      })
    )
  })

  it.each([
    [{ ...empty, int32: 1.5 }, "Kinds.int32 is a number with a fraction; it must be a whole number of 32 bits"],
    [{ ...empty, int32: Number.NaN }, "Kinds.int32 is NaN; it must be a whole number of 32 bits"],
    [
      { ...empty, uint32: -1 },
      "Kinds.uint32 is a negative whole number; it must be a whole number from 0 to 4294967295"
    ],
    [{ ...empty, int64: 2n ** 63n }, "Kinds.int64 is a bigint of 2^63 or more; it must be a bigint of 64 bits"],
    [
      { ...empty, string: "\uD800" },
      "Kinds.string is a string of 1 characters; it must be a string without lone surrogates"
    ],
    [{ ...empty, packed: new Set() }, "Kinds.packed is an object; it must be an array"],
    [
      { ...empty, places: [{ code: "" }, { code: "" }, { code: null }] },
      "Kinds.places[2].code is null; it must be a string"
    ],
    [
      {
        ...empty,
        counts: new Map<unknown, unknown>([
          ["a", 1n],
          ["b", 2]
        ])
      },
      "Kinds.counts[1] is a whole number; it must be a bigint"
    ],
    [{ ...empty, counts: new Map([[5, 1n]]) }, "Kinds.counts[0] key is a whole number; it must be a string"],
    [
      { ...empty, at: { seconds: 1n, nanos: 2_000_000_000 } },
      "Kinds.at.nanos is a whole number; it must be from 0 to 999999999"
    ],
    [
      { ...empty, choice: { case: "colour", value: 1 } },
      "Kinds.choice.case is a string of 6 characters; it must be the name of one of its fields"
    ]
  ])("says where and what: %#", (event, text) => {
    expect(fault(Kinds, event)).toMatchObject({ message: text })
  })
})

it("a Duration whose parts have two signs is rejected", () => {
  const times = EveryTime.decode(new Uint8Array(0))
  for (const [seconds, nanos] of [
    [1n, -1],
    [-1n, 1]
  ] as const) {
    const error = fault(EveryTime, { ...times, lasted: { seconds, nanos } })
    const given = nanos < 0 ? "a negative whole number" : "a whole number"
    expect(error).toMatchObject({
      message: `EveryTime.lasted.nanos is ${given}; it must be of the sign that the seconds have`
    })
  }
})

describe("messages inside messages", () => {
  /** A Kinds around so many trees inside each other. */
  function nested(levels: number): Kinds {
    let tree: Tree = { label: "", children: [] }
    for (let level = 1; level < levels; level++) tree = { label: "", children: [], last: tree }
    return { ...empty, tree }
  }

  it("are written as deep as they can be read, by protobuf-es too, and rejected one level deeper", () => {
    for (const levels of [1, 98, 99]) {
      const event = nested(levels)
      const bytes = encode(Kinds, event)
      expect(Kinds.decode(bytes)).toStrictEqual(event)
      expect(esDecode(descOf(Kinds.name), bytes)).toStrictEqual(event)
    }
    const path = `Kinds.tree${".last".repeat(99)}`
    for (const levels of [100, 101, 5000]) expect(fault(Kinds, nested(levels))).toMatchObject({ path })
  })

  it("count the entries of maps, which are messages where others read them", () => {
    const floor: FloorMap = { name: "m", parts: new Map(), neighbours: [], picture: new Uint8Array(0) }
    const floors = (levels: number): FloorMap => {
      let all = floor
      for (let level = 0; level < levels; level++) all = { ...floor, parts: new Map([["part", all]]) }
      return all
    }
    for (const levels of [1, 49])
      expect(FloorMap.decode(encode(FloorMap, floors(levels)))).toStrictEqual(floors(levels))
    for (const levels of [50, 99, 5000]) expect(fault(FloorMap, floors(levels))).toBeInstanceOf(InvalidEvent)
  })

  it("may not contain themselves", () => {
    const label = { label: "", children: [] as Array<Tree> }
    label.children.push(label)
    expect(fault(Kinds, { ...empty, tree: label })).toBeInstanceOf(InvalidEvent)
    const fields: Record<string, unknown> = { label: "", children: [] }
    fields["last"] = fields satisfies Fields
    expect(fault(Kinds, { ...empty, tree: fields })).toBeInstanceOf(InvalidEvent)
  })
})
