import { readFileSync } from "node:fs"
import { Result } from "effect"
import fc from "fast-check"
import protobuf from "protobufjs"
import { describe, expect, it } from "vitest"
import { excessOf, recordFault, stateBytesMax } from "../../src/control/bounds.ts"
import { apply, applySaid, type Control, emptyControl } from "../../src/control/Control.ts"
import { type ControlEntry, readControl, readEntry, writeControl, writeEntry } from "../../src/control/controlCodec.ts"
import type { ControlRecord } from "../../src/control/ControlRecord.ts"
import { recordOfFleet, storyOfFleet } from "./records.ts"
import { exactly, folded, written } from "./stories.ts"

// A decoder that is not ours, from the file that is given to others.
const foreign = protobuf.parse(readFileSync(new URL("../../src/control/control.proto", import.meta.url), "utf8"), {
  keepCase: true
}).root

const asOthersRead = (type: string, bytes: Uint8Array): Record<string, unknown> => {
  const found = foreign.lookupType(`leat.control.v1.${type}`)
  return found.toObject(found.decode(bytes), { longs: Number, enums: String, bytes: Array, defaults: false })
}

const entry: fc.Arbitrary<ControlEntry> = fc.record({
  author: fc.string({ minLength: 1, maxLength: 40, unit: "grapheme" }),
  number: fc.maxSafeNat(),
  reason: fc.string({ unit: "grapheme" }),
  record: fc.oneof(
    { weight: 5, arbitrary: recordOfFleet },
    fc.record({
      kind: fc.constant("snapshot"),
      upTo: fc.maxSafeNat(),
      part: fc.nat({ max: 3 }),
      parts: fc.nat({ max: 4 }),
      bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes))
    })
  )
})

describe("the codec of control records", () => {
  it("reads what it has written, of every kind", () => {
    fc.assert(
      fc.property(entry, (one) => {
        expect(readEntry(writeEntry(one))).toEqual(Result.succeed(one))
      }),
      { numRuns: 500 }
    )
  })

  it.each<[ControlRecord, Record<string, unknown>]>([
    [
      { kind: "table", base: 3, document: "d", places: new Map([["s", { cluster: "c", topic: "t", partitions: 2 }]]) },
      { table: { base: 3, document: "d", places: { s: { cluster: "c", topic: "t", partitions: 2 } } } }
    ],
    [{ kind: "joined", stream: "s", member: "m" }, { joined: { stream: "s", member: "m" } }],
    [
      { kind: "placed", stream: "s", base: 3, place: { cluster: "c", topic: "t", partitions: 2 }, epoch: 4 },
      { placed: { stream: "s", base: 3, place: { cluster: "c", topic: "t", partitions: 2 }, epoch: 4 } }
    ],
    [{ kind: "reads", stream: "s", group: "g" }, { reads: { stream: "s", group: "g" } }],
    [{ kind: "paused", stream: "s", base: 3 }, { paused: { stream: "s", base: 3 } }],
    [{ kind: "resumed", stream: "s", base: 3 }, { resumed: { stream: "s", base: 3 } }],
    [{ kind: "left", stream: "s", member: "m", upTo: [1, 0] }, { left: { stream: "s", member: "m", up_to: [1, 0] } }],
    [{ kind: "beat", member: "m", version: 2, refused: "no" }, { beat: { member: "m", version: 2, refused: "no" } }],
    [
      { kind: "beat", member: "m", version: 2, refused: "", spilled: new Map([["s", 7]]) },
      { beat: { member: "m", version: 2, spilled: { s: 7 } } }
    ],
    [{ kind: "forgotten", member: "m", beats: 2 }, { forgotten: { member: "m", beats: 2 } }],
    [{ kind: "sealing", stream: "s", base: 1 }, { sealing: { stream: "s", base: 1 } }],
    [
      { kind: "drained", stream: "s", epoch: 1, attempt: 2, member: "m", upTo: [2 ** 53 - 1] },
      { drained: { stream: "s", epoch: 1, attempt: 2, member: "m", up_to: [2 ** 53 - 1] } }
    ],
    [
      { kind: "sealed", stream: "s", base: 1, end: [4], over: new Map([["m", 7]]) },
      { sealed: { stream: "s", base: 1, end: [4], over: { m: 7 } } }
    ],
    [{ kind: "abandoned", stream: "s", base: 1, epoch: 2 }, { abandoned: { stream: "s", base: 1, epoch: 2 } }],
    [{ kind: "opened", stream: "s", base: 1, begin: [9] }, { opened: { stream: "s", base: 1, begin: [9] } }],
    [{ kind: "swept", stream: "s", epoch: 1, upTo: [9] }, { swept: { stream: "s", epoch: 1, up_to: [9] } }],
    [
      { kind: "givenUp", stream: "s", epoch: 1, member: "m", upTo: [] },
      { given_up: { stream: "s", epoch: 1, member: "m" } }
    ],
    [{ kind: "handedOver", stream: "s", epoch: 1, group: "g" }, { handed_over: { stream: "s", epoch: 1, group: "g" } }],
    [
      { kind: "retired", stream: "s", base: 1, epoch: 1, groups: ["g", "h"] },
      { retired: { stream: "s", base: 1, epoch: 1, groups: ["g", "h"] } }
    ],
    [
      { kind: "snapshot", upTo: 5, part: 1, parts: 2, bytes: Uint8Array.of(1, 2) },
      { snapshot: { up_to: 5, part: 1, parts: 2, bytes: [1, 2] } }
    ]
  ])("writes what others read by control.proto: $kind", (record, expected) => {
    const bytes = writeEntry({ author: "a", number: 4, reason: "why", record })
    expect(asOthersRead("ControlRecord", bytes)).toEqual({ author: "a", number: 4, reason: "why", ...expected })
    const again = foreign.lookupType("leat.control.v1.ControlRecord")
    const theirs = again.encode(again.fromObject({ author: "a", number: 4, reason: "why", ...expected })).finish()
    expect(readEntry(theirs)).toEqual(Result.succeed({ author: "a", number: 4, reason: "why", record }))
  })

  it("reads lists that are not packed, and passes over fields that it does not know", () => {
    const head = [0x0a, 1, 0x61, 0x10, 4]
    // opened { stream: "s", base: 1, begin: 5 and 6 each in a field, field 9: 7 }, field 5: "x" of the envelope
    const opened = [0x0a, 1, 0x73, 0x10, 1, 0x18, 5, 0x18, 6, 0x48, 7]
    const bytes = Uint8Array.from([...head, 0x2a, 1, 0x78, 0x8a, 0x01, opened.length, ...opened])
    const record: ControlRecord = { kind: "opened", stream: "s", base: 1, begin: [5, 6] }
    expect(readEntry(bytes)).toEqual(Result.succeed({ author: "a", number: 4, reason: "", record }))
  })

  it("names a kind that only a newer leat has by its field, and the fold notes it", () => {
    // Field 31, an empty message.
    const found = readEntry(Uint8Array.from([0x0a, 1, 0x61, 0xfa, 0x01, 0]))
    const record = { kind: "field 31" } as unknown as ControlRecord
    expect(found).toEqual(Result.succeed({ author: "a", number: 0, reason: "", record }))
    expect([...apply(emptyControl, record).unknownKinds]).toEqual(["field 31"])
  })

  it.each([
    ["nothing", [], "it has no author"],
    ["no kind", [0x0a, 1, 0x61], "it is of no kind"],
    ["a cut length", [0x0a, 9, 0x61], "a length of 9 bytes goes past the end"],
    ["a text that is not UTF-8", [0x0a, 1, 0xff], "a text is not UTF-8"],
    [
      "a number over 2^53",
      [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      "a number is larger than 2^53"
    ],
    ["another wire type", [0x08, 1], "wire type 0 where 2 is known"],
    [
      "a name that is too long",
      [0x0a, 0xfa, 0x01, ...Array.from({ length: 250 }, () => 0x61)],
      "a text has more than 249 characters"
    ]
  ])("refuses %s with a sentence", (_, bytes, sentence) => {
    expect(readEntry(Uint8Array.from(bytes))).toEqual(Result.fail(sentence))
  })

  it("refuses what is larger than a record may be without looking at it", () => {
    expect(readEntry(new Uint8Array(1_000_001))).toEqual(Result.fail("a control record has at most 1000000 bytes"))
  })

  it("refuses a list of a million empty entries before it has made them", () => {
    // retired { groups: "" a million times over }
    const groups = new Uint8Array(900_000).map((_, index) => (index % 2 === 0 ? 0x22 : 0))
    const head = [0x0a, 1, 0x61, 0xaa, 0x01, 0xa0, 0xf7, 0x36]
    const found = readEntry(Uint8Array.from([...head, ...groups]))
    expect(found).toEqual(Result.fail("a list has more than 4096 entries"))
  })

  it("throws for no bytes: cut, changed and by chance; and the fold takes all that it reads", () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(entry, fc.nat()).map(([one, at]) => {
        const bytes = writeEntry(one)
        return bytes.slice(0, at % (bytes.length + 1))
      }),
      fc.tuple(entry, fc.nat(), fc.nat({ max: 255 })).map(([one, at, value]) => {
        const bytes = writeEntry(one).slice()
        bytes[at % bytes.length] = value
        return bytes
      })
    )
    fc.assert(
      fc.property(hostile, storyOfFleet, (bytes, story) => {
        const control = folded(story)
        const found = readEntry(bytes)
        const after = Result.isSuccess(found) ? apply(control, found.success.record) : control
        expect(excessOf(after)).toBeUndefined()
        expect(exactly(Result.getOrThrow(readControl(writeControl(after))))).toBe(exactly(after))
        // What was read and counts could have been written.
        const again = Result.isSuccess(found) && after !== control && !after.unknownKinds.has(found.success.record.kind)
        expect(again ? readEntry(writeEntry(found.success)) : found).toEqual(found)
      }),
      { numRuns: 1000 }
    )
  })
})

describe("the codec of the folded state", () => {
  it("gives the state again at each place of a story, and others read it", () => {
    fc.assert(
      fc.property(storyOfFleet, (story) => {
        folded(story, (_, __, control) => {
          const bytes = writeControl(control)
          expect(exactly(Result.getOrThrow(readControl(bytes)))).toBe(exactly(control))
          expect(Number(asOthersRead("ControlState", bytes)["version"] ?? 0)).toBe(control.version)
        })
      })
    )
  })

  it("has the documents that were applied, which others read", () => {
    const said = { author: "deploy 7", reason: "less load", timeMs: 1_790_000_000_000 }
    const record: ControlRecord = { kind: "table", base: 0, document: "d", places: new Map() }
    expect(asOthersRead("ControlState", writeControl(applySaid(emptyControl, record, said)))).toEqual({
      version: 1,
      document: "d",
      history: [{ version: 1, document: "d", author: "deploy 7", reason: "less load", time_ms: 1_790_000_000_000 }]
    })
  })

  it("says which moves give up order, as others read it, and as it goes on from a snapshot", () => {
    const at = (topic: string) => ({ cluster: "c", topic, partitions: 1 })
    const table = (base: number, topic: string, relaxed?: ReadonlySet<string>): ControlRecord => ({
      kind: "table",
      base,
      document: "d",
      places: new Map([["s", at(topic)]]),
      relaxed
    })
    const moved = { author: "deploy 7", number: 1, reason: "", record: table(1, "new", new Set(["s", "t"])) }
    const bytes = writeEntry(moved)
    expect(asOthersRead("ControlRecord", bytes)).toMatchObject({ table: { relaxed: ["s", "t"] } })
    expect(Result.getOrThrow(readEntry(bytes))).toEqual(moved)
    const control = [table(0, "old"), moved.record].reduce<Control>(apply, emptyControl)
    const snapshot = writeControl(control)
    const restored = Result.getOrThrow(readControl(snapshot))
    expect(restored.streams.get("s")?.epochs.map(({ isRelaxed }) => isRelaxed)).toEqual([undefined, true])
    expect(JSON.stringify(asOthersRead("ControlState", snapshot))).toContain('"is_relaxed":true')
    expect(recordFault({ ...moved.record, relaxed: ["s"] })).toContain("relaxed of a control record has to be a set")
    expect(recordFault({ ...moved.record, relaxed: new Set([""]) })).toContain("names of streams")
  })

  it("is a place from which the fold goes on as if it had read all: the rest leads to the same state", () => {
    fc.assert(
      fc.property(storyOfFleet, fc.nat(), (story, cut) => {
        const records = written(story)
        const at = cut % (records.length + 1)
        const middle = records.slice(0, at).reduce<Control>(apply, emptyControl)
        const restored = Result.getOrThrow(readControl(writeControl(middle)))
        const rest = records.slice(at)
        expect(exactly(rest.reduce<Control>(apply, restored))).toBe(exactly(folded(story)))
      })
    )
  })

  it("throws for no bytes, and what it reads can be written again", () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(storyOfFleet, fc.nat(), fc.nat({ max: 255 }), fc.boolean()).map(([story, at, value, isCut]) => {
        const bytes = writeControl(folded(story)).slice()
        if (bytes.length > 0) bytes[at % bytes.length] = value
        return isCut ? bytes.slice(0, at % (bytes.length + 1)) : bytes
      })
    )
    fc.assert(
      fc.property(hostile, recordOfFleet, (bytes, record) => {
        const found = readControl(bytes)
        const control = Result.isSuccess(found) ? found.success : emptyControl
        const after = apply(control, record)
        expect(exactly(Result.getOrThrow(readControl(writeControl(after))))).toBe(exactly(after))
      }),
      { numRuns: 1000 }
    )
  })

  it("is never longer than the bound on states counts it", () => {
    // The widest names and numbers that there are, as many as are taken.
    const wide = (index: number): string => "€".repeat(245) + String(index).padStart(4, "0")
    const at = { cluster: wide(0), topic: wide(1), partitions: 4096 }
    const table = (base: number, from: number): ControlRecord => ({
      kind: "table",
      base,
      document: "€".repeat(262_144),
      places: new Map(Array.from({ length: 50 }, (_, index) => [wide(from + index), at]))
    })
    let control = emptyControl
    for (let base = 0; ; base++) {
      const next = apply(control, table(base, base * 50))
      if (next === control) break
      control = next
    }
    // A beginning of zeros is short. Each of its numbers may be the largest one day.
    const largest = Array.from({ length: 4096 }, () => Number.MAX_SAFE_INTEGER)
    const streams = new Map(
      Array.from(control.streams, ([stream, placement]) => [
        stream,
        { ...placement, epochs: placement.epochs.map((epoch) => ({ ...epoch, begin: largest })) }
      ])
    )
    const widest: Control = { ...control, streams }
    expect(excessOf(widest)).toBeUndefined()
    expect(control.streams.size).toBe(800)
    expect(writeControl(widest).length).toBeLessThanOrEqual(stateBytesMax)
  })

  it("refuses what is larger than a state may be", () => {
    expect(readControl(new Uint8Array(stateBytesMax + 1))).toEqual(
      Result.fail(`a state has at most ${stateBytesMax} bytes`)
    )
  })
})
