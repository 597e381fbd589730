import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { excessOf, goneKept, recordFault, retiredKept } from "../../src/control/bounds.ts"
import { apply, type Control, emptyControl, refusalOf } from "../../src/control/Control.ts"
import type { ControlRecord, Place, TableRecord } from "../../src/control/ControlRecord.ts"
import type { Placement } from "../../src/control/Placement.ts"
import { hostileRecord, recordOfFleet, storyOfFleet } from "./records.ts"
import { folded } from "./stories.ts"

const stream = "X"
const place: Place = { cluster: "c", topic: "t", partitions: 1 }
const table = (base: number, to: Place = place): TableRecord => ({
  kind: "table",
  base,
  document: "",
  places: new Map([[stream, to]])
})
const placed = apply(emptyControl, table(0))
const placement = (control: Control): Placement => control.streams.get(stream) as Placement
const long = "x".repeat(250)
const many = <A>(count: number, of: (index: number) => A): Array<A> =>
  Array.from({ length: count }, (_, index) => of(index))
const all = (control: Control, records: ReadonlyArray<ControlRecord>): Control => records.reduce(apply, control)

describe("a control record out of bounds", () => {
  const joined: ControlRecord = { kind: "joined", stream, member: "m" }
  const drained: ControlRecord = { kind: "drained", stream, epoch: 1, attempt: 0, member: "m", upTo: [] }
  const retired: ControlRecord = { kind: "retired", stream, base: 1, epoch: 1, groups: [] }
  const sealed: ControlRecord = { kind: "sealed", stream, base: 1, end: [], over: new Map() }
  it.each([
    ["no object", undefined, "a control record is an object"],
    ["no kind", {}, "kind of a control record has to be a text of 1 to 249 characters"],
    ["a long kind", { kind: long }, "kind of a control record has to be a text of 1 to 249 characters"],
    [
      "a long member",
      { ...joined, member: long },
      "member of a control record has to be a text of 1 to 249 characters"
    ],
    [
      "half a letter",
      { ...joined, member: "\ud800" },
      "member of a control record has to be a text of 1 to 249 characters"
    ],
    [
      "an empty stream",
      { ...joined, stream: "" },
      "stream of a control record has to be a text of 1 to 249 characters"
    ],
    [
      "a base below 0",
      { ...table(0), base: -1 },
      "base of a control record has to be a whole number that is not negative"
    ],
    [
      "a base of 2^53",
      { ...table(0), base: 2 ** 53 },
      "base of a control record has to be a whole number that is not negative"
    ],
    [
      "a long document",
      { ...table(0), document: "x".repeat(262_145) },
      "document of a control record has to be a text of at most 262144 characters"
    ],
    [
      "no partitions",
      table(0, { ...place, partitions: 0 }),
      "places of a control record has an entry which has to have 1 to 4096 partitions"
    ],
    [
      "partitions",
      table(0, { ...place, partitions: 4097 }),
      "places of a control record has an entry which has to have 1 to 4096 partitions"
    ],
    [
      "many places",
      { ...table(0), places: new Map(many(4097, (index) => [`s${index}`, place])) },
      "places of a control record has to have at most 4096 places"
    ],
    [
      "many positions",
      { ...drained, upTo: many(4097, () => 0) },
      "upTo of a control record has to be a list of at most 4096 positions"
    ],
    [
      "a hole",
      { ...drained, upTo: Array.from({ length: 1 }) },
      "upTo of a control record has to be a list of at most 4096 positions"
    ],
    [
      "many groups",
      { ...retired, groups: many(4097, String) },
      "groups of a control record has to be a list of at most 4096 names"
    ],
    [
      "beats of nobody",
      { ...sealed, over: new Map([["m", -1]]) },
      "over of a control record has an entry which has to be a whole number that is not negative"
    ]
  ])("%s is refused with a sentence, and changes nothing", (_, record, sentence) => {
    expect(refusalOf(placed, record as ControlRecord)).toBe(sentence)
    expect(apply(placed, record as ControlRecord)).toBe(placed)
  })

  it("is none that is just within them", () => {
    const names = "x".repeat(249)
    const record = { ...table(1), places: new Map([[names, { ...place, partitions: 4096 }]]) }
    expect(refusalOf(placed, record)).toBeUndefined()
    expect(apply(placed, record).streams.get(names)).toBeDefined()
  })
})

describe("a state out of bounds", () => {
  const joins = (count: number): ReadonlyArray<ControlRecord> =>
    many(count, (index) => ({ kind: "joined", stream, member: `m${index}` }))

  it("is refused: writers", () => {
    const full = all(placed, joins(4096))
    const more: ControlRecord = { kind: "joined", stream, member: "more" }
    expect(refusalOf(full, more)).toBe("there would be more than 4096 writers in stream X")
    expect(apply(full, more)).toBe(full)
  })

  it("is refused: processes, and there is room again for those that are forgotten", () => {
    const full = all(
      placed,
      many(4096, (index) => ({ kind: "beat", member: `m${index}`, version: 1, refused: "" }))
    )
    const more: ControlRecord = { kind: "beat", member: "more", version: 1, refused: "" }
    expect(refusalOf(full, more)).toBe("there would be more than 4096 processes")
    expect(apply(full, more)).toBe(full)
    const room = apply(full, { kind: "forgotten", member: "m7", beats: 1 })
    expect(apply(room, more).members.get("more")).toEqual({ beats: 1, version: 1, refused: "" })
  })

  it("is refused: unknown kinds", () => {
    const full = all(
      placed,
      many(64, (index) => ({ kind: `k${index}` }) as unknown as ControlRecord)
    )
    expect(refusalOf(full, { kind: "more" } as unknown as ControlRecord)).toBe(
      "there would be more than 64 unknown kinds of records"
    )
  })

  it("is refused: streams, and bytes in all", () => {
    const wide = { ...place, partitions: 4096 }
    const places = (from: number, to: number) =>
      new Map(many(to - from, (index) => [`s${from + index}`, wide] as const))
    // A first epoch has a beginning in each of its 4096 partitions, of 8 bytes at most: 1000 streams have 32,768,000.
    const full = apply(emptyControl, { ...table(0), places: places(0, 1000) })
    expect(full.streams.size).toBe(1000)
    const more = { ...table(1), places: places(1000, 1024) }
    expect(refusalOf(full, more)).toBe("the state would have more than 33554432 bytes")
    expect(apply(full, more)).toBe(full)
    const narrow = apply(emptyControl, {
      ...table(0),
      places: new Map(many(4096, (index) => [`s${index}`, place]))
    })
    expect(refusalOf(narrow, table(1))).toBe("there would be more than 4096 streams")
  })

  it("is not had by who comes and goes: the longest gone are forgotten", () => {
    const control = all(
      placed,
      joins(600).flatMap((join) => [join, { ...join, kind: "left", upTo: [] } as ControlRecord])
    )
    expect(placement(control).writers.size).toBe(goneKept)
    expect(placement(control).writers.get("m599")).toBe("left")
  })

  it("has what the spills of a process hold of so many streams, and no more", () => {
    const beat = (streams: number): ControlRecord => {
      const spilled = new Map(many(streams, (index): [string, number] => [`s${index}`, 1]))
      return { kind: "beat", member: "m", version: 1, refused: "", spilled }
    }
    expect(apply(emptyControl, beat(64)).members.get("m")?.spilled?.size).toBe(64)
    expect(refusalOf(emptyControl, beat(65))).toBe("spilled of a control record has to have at most 64 streams")
    const negative = { ...beat(0), spilled: new Map([["s", -1]]) } as ControlRecord
    expect(refusalOf(emptyControl, negative)).toBe(
      "spilled of a control record has an entry which has to be a whole number that is not negative"
    )
  })

  it("does not forget a process that writes a stream", () => {
    const writing = all(placed, [
      { kind: "joined", stream, member: "m" },
      { kind: "beat", member: "m", version: 1, refused: "" }
    ])
    expect(apply(writing, { kind: "forgotten", member: "m", beats: 1 })).toBe(writing)
    const gone = apply(writing, { kind: "left", stream, member: "m", upTo: [0] })
    expect(apply(gone, { kind: "forgotten", member: "m", beats: 0 })).toBe(gone)
    expect(apply(gone, { kind: "forgotten", member: "m", beats: 1 }).members.size).toBe(0)
  })

  it("is not had by many moves: the oldest retired epochs are forgotten", () => {
    let control = placed
    const step = () => placement(control).step
    for (let move = 1; move <= 40; move++) {
      control = apply(control, table(control.version, { ...place, cluster: `c${move}` }))
      control = apply(control, { kind: "sealing", stream, base: step() })
      control = apply(control, { kind: "sealed", stream, base: step(), end: [0], over: new Map() })
      control = apply(control, { kind: "opened", stream, base: step(), begin: [0] })
      control = apply(control, { kind: "retired", stream, base: step(), epoch: move, groups: [] })
    }
    expect(placement(control).epochs.map(({ epoch }) => epoch)).toEqual(
      many(retiredKept + 1, (index) => 41 - retiredKept + index)
    )
  })
})

describe("the fold takes anything", () => {
  it("throws for nothing, stays within bounds, and stays as it was where it says why", () => {
    fc.assert(
      fc.property(fc.array(recordOfFleet, { maxLength: 20 }), hostileRecord, (records, hostile) => {
        const control = all(emptyControl, records)
        const after = apply(control, hostile as ControlRecord)
        expect(excessOf(after)).toBeUndefined()
        expect(recordFault(hostile) === undefined || after === control).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  it("changes nothing where a record of a story is refused", () => {
    fc.assert(
      fc.property(storyOfFleet, (story) => {
        const changed: Array<ControlRecord> = []
        folded(story, (before, record, after) => {
          if (refusalOf(before, record) !== undefined && after !== before) changed.push(record)
        })
        expect(changed).toEqual([])
      })
    )
  })
})
