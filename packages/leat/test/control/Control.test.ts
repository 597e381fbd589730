import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { apply, applySaid, type Control, emptyControl, type Said } from "../../src/control/Control.ts"
import { readControl, writeControl } from "../../src/control/controlCodec.ts"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"
import { dutiesOf } from "../../src/control/duties.ts"
import type { Placement } from "../../src/control/Placement.ts"
import { readableIn } from "../../src/control/readable.ts"
import { standingOf } from "../../src/control/standing.ts"

const stream = "risk.beacons.sighting"
const a: Place = { cluster: "old", topic: "sightings", partitions: 2 }
const b: Place = { cluster: "new", topic: "sightings", partitions: 1 }

const table = (base: number, place: Place): ControlRecord => ({
  kind: "table",
  base,
  document: `version ${base + 1}`,
  places: new Map([[stream, place]])
})
const folded = (...records: ReadonlyArray<ControlRecord>): Control => records.reduce(apply, emptyControl)
const placement = (control: Control): Placement => {
  const found = control.streams.get(stream)
  if (found === undefined) throw new Error("the stream is not placed")
  return found
}
const phases = (control: Control): ReadonlyArray<string> =>
  placement(control).epochs.map(({ epoch, phase }) => `${epoch} ${phase}`)

const joins: ControlRecord = { kind: "joined", stream, member: "one" }
const moving = folded(table(0, a), joins, table(1, b), { kind: "sealing", stream, base: 2 })
const drained: ControlRecord = { kind: "drained", stream, epoch: 1, attempt: 2, member: "one", upTo: [3, 1] }
const sealed: ControlRecord = { kind: "sealed", stream, base: 3, end: [3, 4], over: new Map() }

describe("the fold of the control stream", () => {
  it("gives the same object for a record that does not count", () => {
    expect(apply(moving, table(1, a))).toBe(moving)
    expect(apply(moving, joins)).toBe(moving)
    expect(apply(moving, { kind: "sealing", stream, base: 2 })).toBe(moving)
    expect(apply(moving, { kind: "sealing", stream: "another", base: 0 })).toBe(moving)
  })

  it("goes through a move, one phase after the other", () => {
    expect(phases(moving)).toEqual(["1 sealing", "2 planned"])
    const closed = [drained, sealed].reduce(apply, moving)
    expect(phases(closed)).toEqual(["1 sealed", "2 planned"])
    const open = apply(closed, { kind: "opened", stream, base: 4, begin: [7] })
    expect(phases(open)).toEqual(["1 sealed", "2 open"])
    const over = apply(open, { kind: "handedOver", stream, epoch: 1, group: "positions" })
    const retired: ControlRecord = { kind: "retired", stream, base: 5, epoch: 1, groups: ["positions"] }
    expect(apply(open, retired)).toBe(open)
    expect(phases(apply(over, retired))).toEqual(["1 retired", "2 open"])
  })

  it("seals nothing below what a member says that it wrote, and nothing without a member", () => {
    expect(apply(moving, sealed)).toBe(moving)
    const ready = apply(moving, drained)
    expect(apply(ready, { ...sealed, end: [3, 0] })).toBe(ready)
    expect(apply(ready, { ...sealed, end: [3] })).toBe(ready)
    expect(phases(apply(ready, sealed))).toEqual(["1 sealed", "2 planned"])
  })

  it("goes back before it is sealed, and a drain of the first try does not count in the second", () => {
    const back = apply(moving, table(2, a))
    expect(phases(back)).toEqual(["1 open"])
    const again = [table(3, b), { kind: "sealing", stream, base: 5 } as const].reduce<Control>(apply, back)
    expect(phases(again)).toEqual(["1 sealing", "3 planned"])
    expect(apply(again, drained)).toBe(again)
    expect(standingOf(placement(again), "one")).toEqual({ does: "drain", epoch: 1, attempt: 3 })
  })

  it("may take another target after it is sealed, and the old place too", () => {
    const closed = [drained, sealed].reduce(apply, moving)
    expect(phases(apply(closed, table(2, a)))).toEqual(["1 sealed", "3 planned"])
  })

  it("waits for who was passed over until it is swept", () => {
    const passed = [
      { ...sealed, over: new Map([["one", 0]]) },
      { kind: "opened", stream, base: 4, begin: [0] } as const
    ].reduce<Control>(apply, moving)
    expect(standingOf(placement(passed), "one")).toEqual({ does: "stop", epoch: 1, attempt: 2 })
    const told = apply(passed, { ...drained, upTo: [5, 4] })
    expect(standingOf(placement(told), "one")).toEqual({ does: "hold" })
    expect(dutiesOf(placement(told))).toMatchObject([
      { does: "sweep", epoch: 1, from: [3, 4], members: ["one"], owing: [] }
    ])
    const swept = apply(told, { kind: "swept", stream, epoch: 1, upTo: [5, 4] })
    expect(standingOf(placement(swept), "one")).toEqual({ does: "send", epoch: 2 })
  })

  it("does not pass over who has beaten since it was judged", () => {
    const beaten = apply(moving, { kind: "beat", member: "one", version: 2, refused: "" })
    expect(apply(beaten, { ...sealed, over: new Map([["one", 0]]) })).toBe(beaten)
  })

  it("lets a group read on when it has settled each partition that shares a bucket", () => {
    const open = [drained, sealed, { kind: "opened", stream, base: 4, begin: [7] } as const].reduce<Control>(
      apply,
      moving
    )
    const at = (first: number, second: number) =>
      readableIn(placement(open), b, 0, (place, partition) => (place === b ? 0 : partition === 0 ? first : second))
    expect(at(3, 3)).toBeUndefined()
    expect(at(3, 4)).toEqual({ epoch: 2, from: 7, end: undefined, isLate: false })
  })

  it("lets a group read beside what is left where the move gives up order, and the next one is behind both again", () => {
    const relaxed = [
      { kind: "table", base: 1, document: "", places: new Map([[stream, b]]), relaxed: new Set([stream]) } as const,
      { kind: "sealing", stream, base: 2 } as const,
      drained,
      sealed,
      { kind: "opened", stream, base: 4, begin: [7] } as const
    ].reduce<Control>(apply, folded(table(0, a), joins))
    const at = (control: Control, first: number, ofNew: number, keepsOrder = false) =>
      readableIn(
        placement(control),
        b,
        0,
        (place, partition) => (place === b ? ofNew : partition === 0 ? first : 0),
        keepsOrder
      )
    expect(at(relaxed, 0, 0)).toEqual({ epoch: 2, from: 7, end: undefined, isLate: false })
    expect(at(relaxed, 0, 0, true)).toBeUndefined()
    expect(placement(relaxed).epochs.map(({ isRelaxed }) => isRelaxed)).toEqual([undefined, true])
  })

  it("abandons a dead place: its writers leave it, the target opens, and what it has comes late", () => {
    const given = apply(moving, { kind: "abandoned", stream, base: 3, epoch: 1 })
    expect(phases(given)).toEqual(["1 abandoned", "2 planned"])
    expect(standingOf(placement(given), "one")).toEqual({ does: "leave", epoch: 1, attempt: 2 })
    expect(dutiesOf(placement(given))).toEqual([
      { does: "open", place: b },
      { does: "awaitLeaving", epoch: 1, members: ["one"] }
    ])
    const open = apply(given, { kind: "opened", stream, base: 4, begin: [7] })
    const before: ControlRecord = { kind: "handedOver", stream, epoch: 1, group: "positions" }
    expect(apply(open, before)).toBe(open)
    const gone = apply(open, { ...drained, upTo: [] })
    expect(standingOf(placement(gone), "one")).toEqual({ does: "send", epoch: 2 })
    const settled = (): number => 0
    expect(readableIn(placement(gone), b, 0, settled)).toEqual({ epoch: 2, from: 7, end: undefined, isLate: false })
    expect(readableIn(placement(gone), a, 1, settled)).toEqual({ epoch: 1, from: 0, end: undefined, isLate: true })
    const over = apply(gone, before)
    expect(phases(apply(over, { kind: "retired", stream, base: 5, epoch: 1, groups: ["positions"] }))).toEqual([
      "1 retired",
      "2 open"
    ])
  })

  it("does not abandon the newest epoch, nor goes back to a place of which nobody knows where it ends", () => {
    const alone = folded(table(0, a), joins)
    expect(apply(alone, { kind: "abandoned", stream, base: 1, epoch: 1 })).toBe(alone)
    const given = apply(moving, { kind: "abandoned", stream, base: 3, epoch: 1 })
    expect(apply(given, table(2, a))).toBe(given)
    expect(apply(given, table(2, { ...a, partitions: 3 }))).toBe(given)
    expect(phases(apply(given, table(2, { ...b, topic: "elsewhere" })))).toEqual(["1 abandoned", "3 planned"])
  })

  it("keeps the end of an abandoned epoch behind which nobody writes, and takes its place again", () => {
    const closed = [drained, sealed].reduce(apply, moving)
    const given = apply(closed, { kind: "abandoned", stream, base: 4, epoch: 1 })
    expect(placement(given).epochs[0]).toMatchObject({ phase: "abandoned", end: [3, 4] })
    expect(phases(apply(given, table(2, a)))).toEqual(["1 abandoned", "3 planned"])
  })

  it("places a stream once, with the processes that there are as its writers", () => {
    const fleet = folded(
      { kind: "table", base: 0, document: "d", places: new Map() },
      { kind: "beat", member: "one", version: 1, refused: "" },
      { kind: "beat", member: "two", version: 0, refused: "" }
    )
    const places: ControlRecord = { kind: "placed", stream, base: 1, place: a, epoch: 4 }
    expect(apply(fleet, { ...places, base: 0 })).toBe(fleet)
    const at = apply(fleet, places)
    expect(placement(at)).toMatchObject({
      step: 1,
      lastEpoch: 4,
      epochs: [{ epoch: 4, place: a, phase: "open", begin: [0, 0] }]
    })
    expect([...placement(at).writers]).toEqual([
      ["one", "joined"],
      ["two", "joined"]
    ])
    expect(apply(at, { ...places, place: b })).toBe(at)
    expect(standingOf(placement(at), "two")).toEqual({ does: "send", epoch: 4 })
    expect(phases(apply(at, table(1, b)))).toEqual(["4 open", "5 planned"])
  })

  it("retires no epoch before all groups that read the stream have settled it, whoever names which", () => {
    const open = [drained, sealed, { kind: "opened", stream, base: 4, begin: [7] } as const].reduce<Control>(
      apply,
      moving
    )
    const read = apply(open, { kind: "reads", stream, group: "positions" })
    expect(apply(read, { kind: "reads", stream, group: "positions" })).toBe(read)
    const retired: ControlRecord = { kind: "retired", stream, base: 5, epoch: 1, groups: [] }
    expect(apply(read, retired)).toBe(read)
    const over = apply(read, { kind: "handedOver", stream, epoch: 1, group: "positions" })
    expect(phases(apply(over, retired))).toEqual(["1 retired", "2 open"])
    expect(phases(apply(open, retired))).toEqual(["1 retired", "2 open"])
  })

  it("skips kinds that it does not know, and says so", () => {
    const newer = apply(moving, { kind: "split" } as unknown as ControlRecord)
    expect(newer).toEqual({ ...moving, unknownKinds: new Set(["split"]) })
    expect(apply(newer, { kind: "split" } as unknown as ControlRecord)).toBe(newer)
  })
})

describe("the documents that were applied", () => {
  const applies = (control: Control, document: string, said: Partial<Said> = {}): Control =>
    applySaid(
      control,
      { kind: "table", base: control.version, document, places: new Map() },
      { author: "one", reason: "", timeMs: 7, ...said }
    )
  const documents = ({ history }: Control) => history.map(({ document }) => document)

  it("are kept with who applied them, when and why", () => {
    const first = applies(emptyControl, "a", { reason: "begin" })
    const second = applies(first, "b", { author: "two", timeMs: 9 })
    expect(second.history).toEqual([
      { version: 1, document: "a", author: "one", reason: "begin", timeMs: 7 },
      { version: 2, document: "b", author: "two", reason: "", timeMs: 9 }
    ])
    expect(second).toMatchObject({ version: 2, document: "b" })
    const late = applySaid(
      second,
      { kind: "table", base: 1, document: "c", places: new Map() },
      { author: "three", reason: "", timeMs: 10 }
    )
    expect(late).toBe(second)
  })

  it("are kept up to a number, the newest ones", () => {
    let control = emptyControl
    for (let number = 1; number <= 40; number++) control = applies(control, `d${number}`)
    expect(documents(control)).toEqual(Array.from({ length: 32 }, (_, index) => `d${index + 9}`))
    expect(control.version).toBe(40)
  })

  it("are kept up to as many characters as four that are as long as may be", () => {
    const long = (name: string) => name.repeat(262_144)
    let control = applies(emptyControl, "short")
    for (const name of "abc") control = applies(control, long(name))
    expect(documents(control)).toEqual(["short", "a", "b", "c"].map((name) => (name === "short" ? name : long(name))))
    control = applies(control, long("d"))
    expect(documents(control)).toEqual(["a", "b", "c", "d"].map(long))
    control = applies(control, "e")
    expect(documents(control)).toEqual(["b", "c", "d"].map(long).concat("e"))
  })

  it("are kept with as much of the reason as can be written", () => {
    const control = applies(emptyControl, "a", { reason: `${"x".repeat(999)}\u{1F600}` })
    expect(control.history[0]?.reason).toBe(`${"x".repeat(999)}\uFFFD`)
    expect(Result.getOrThrow(readControl(writeControl(control)))).toEqual(control)
  })

  it("come back from a snapshot, which others can read", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: "grapheme" }), fc.string(), fc.nat()), { maxLength: 40 }),
        (all) => {
          let control = emptyControl
          for (const [document, reason, timeMs] of all) control = applies(control, document, { reason, timeMs })
          expect(Result.getOrThrow(readControl(writeControl(control)))).toEqual(control)
        }
      )
    )
  })
})
