import { Effect } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { batchOf, sendEffect, type Transport } from "leat/transport"
import protobuf from "protobufjs/minimal.js"
import { describe, expect, it } from "vitest"
import { headerOf, incarnation } from "../../packages/leat/test/moves/fleet.ts"
import { contract, textOf } from "./event.ts"
import { type Attempts, judged, readRanges } from "./judge.ts"
import type { Line } from "./Line.ts"
import type { Member, Range } from "./MovedFleet.ts"

/** An event of writer `w`, all of one bucket. */
interface Event {
  readonly key: string
  readonly text: string
  readonly seq: number
}

/** Where an event stands. */
interface Row extends Event {
  readonly epoch: number
  /** Bytes that stand in place of its own. */
  readonly value?: Uint8Array
}

const eventOf = (seq: number): Event => ({ key: "k1", text: textOf("w", seq, "k1"), seq })
const events = Array.from({ length: 8 }, (_, seq) => eventOf(seq))
/** Four in the first place, four in the second. */
const rows: ReadonlyArray<Row> = events.map((event) => ({ ...event, epoch: event.seq < 4 ? 1 : 2 }))
const groups = ["one", "two"]
const nothing: Attempts = { kills: 0, stops: 0, cuts: 0 }

const memberOf = (name: string, lines: ReadonlyArray<Line>, is: Member["is"] = "ended"): Member => ({
  name,
  slot: 0,
  group: groups.find((group) => name.startsWith(group)),
  is,
  exit: 0,
  child: { lines: [...lines], errors: "", signal: () => undefined }
})
const writer = memberOf("w", [
  ["open", incarnation(1)],
  ...events.map(({ text, seq }): Line => (seq % 2 === 0 ? ["stored", text, 1] : ["offered", text, 1])),
  ["end", true]
])
const handledLines = (of: ReadonlyArray<Event>): ReadonlyArray<Line> =>
  of.map(({ text, key, seq }, index) => ["handled", text, key, seq, 1000 + index])
const readerOf = (group: string, of: ReadonlyArray<Event>): Member =>
  memberOf(`${group}-1`, [["open", incarnation(2)], ...handledLines(of), ["end", true]])
const readers = groups.map((group) => readerOf(group, events))

function valueOf(event: Event): Uint8Array {
  const encoder = protobuf.Writer.create()
  contract.encodeInto(event, encoder)
  return encoder.finish()
}

const put = (transport: Transport, topic: string, { key, seq, epoch, value, ...event }: Row) =>
  Effect.scoped(
    Effect.flatMap(transport.openWriter(topic), (opened) => {
      const headers = [["leat", headerOf(incarnation(1), 1, seq, epoch)]] as const
      const record = { key, value: value ?? valueOf({ ...event, key, seq }), headers }
      return sendEffect(opened, 0, batchOf([record]), 0, 1, 1000)
    })
  )

/** Writes rows into the topic of their epoch, with `behind` after the end of the first, and reads them as the proof does. */
const found = (of: ReadonlyArray<Row>, behind: ReadonlyArray<Row> = []) =>
  Effect.scoped(
    Effect.gen(function* () {
      const transport = memoryTransport(new MemoryBroker({ partitions: 1 }))
      yield* Effect.forEach(["old", "new"], (topic) => transport.ensure({ topic, partitions: 1 }))
      for (const row of of) yield* put(transport, row.epoch === 1 ? "old" : "new", row)
      const end = of.filter(({ epoch }) => epoch === 1).length
      for (const row of behind) yield* put(transport, "old", row)
      const place = (topic: string) => ({ cluster: "here", topic, partitions: 1 })
      const ranges = new Map<number, Range>([
        [1, { epoch: 1, place: place("old"), begin: [0], end: [end] }],
        [2, { epoch: 2, place: place("new"), begin: [0], end: undefined }]
      ])
      return yield* readRanges({ here: transport }, ranges)
    })
  )

const judge = async (
  of: ReadonlyArray<Row>,
  { behind = [] as ReadonlyArray<Row>, attempts = nothing, members = [writer, ...readers] } = {}
) => judged(members, groups, await Effect.runPromise(found(of, behind)), attempts)

const without = <A>(all: ReadonlyArray<A>, index: number) => all.toSpliced(index, 1)
const swapped = <A>(all: ReadonlyArray<A>, index: number) =>
  all.toSpliced(index, 2, ...all.slice(index, index + 2).toReversed())
const doubled = <A>(all: ReadonlyArray<A>, index: number) => all.toSpliced(index, 0, all[index] as A)

describe("the judge of a stream that was moved", () => {
  it("has nothing against a history in which all went well", async () => {
    const { violation, ...counts } = await judge(rows)
    expect(violation).toBeUndefined()
    expect(counts).toEqual({ published: 8, stored: 8, handled: 16, copies: 0, late: 0, repeated: 0 })
  })

  it.each([0, 3, 4, 6, 7])("finds that event %i, which was told stored or admitted, stands nowhere", async (index) => {
    const { violation } = await judge(without(rows, index))
    expect(violation).toBe(`1 of 8 events are nowhere that is read: ${events[index]?.text}`)
  })

  it("finds an event that stands behind the end of its epoch, and was sent on to nowhere", async () => {
    const late = rows.filter(({ seq }) => seq === 3)
    const verdict = await judge(without(rows, 3), { behind: late })
    expect(verdict.violation).toBe(`1 of 8 events are nowhere that is read: ${events[3]?.text}`)
    expect(verdict.late).toBe(1)
  })

  it("finds events that stand in the wrong order, in one place", async () => {
    const { violation } = await judge(swapped(rows, 1))
    expect(violation).toBe(
      `event ${events[1]?.text} (1, epoch 1) stands for the first time behind ${events[2]?.text} (2, epoch 1)`
    )
  })

  it("finds an event that went to the new place ahead of one that went to the old", async () => {
    const moved = rows.map((row) => ({ ...row, epoch: row.seq === 2 || row.seq > 3 ? 2 : 1 }))
    const { violation } = await judge(moved)
    expect(violation).toBe(
      `event ${events[2]?.text} (2, epoch 2) stands for the first time behind ${events[3]?.text} (3, epoch 1)`
    )
  })

  it("takes as many copies as records had no answer, and no more", async () => {
    const { lines } = writer.child
    const unanswered = memberOf("w", [...(lines as ReadonlyArray<Line>).slice(0, -1), ["unanswered", 1], ["end", true]])
    const members = [unanswered, ...readers]
    expect((await judge(doubled(rows, 5), { members })).violation).toBeUndefined()
    expect((await judge(doubled(doubled(rows, 5), 5), { members })).violation).toBe("2 copies stand there, and 1 can")
  })

  it("finds an event that stands there twice although nothing was killed, stopped or cut off", async () => {
    const twice = doubled(rows, 5)
    expect((await judge(twice)).violation).toBe("1 copies stand there, and 0 can")
    for (const kind of ["kills", "stops", "cuts"])
      expect((await judge(twice, { attempts: { ...nothing, [kind]: 1 } })).violation).toBeUndefined()
  })

  const flipped = valueOf(eventOf(5)).with(8, 0x40)
  it.each([
    ["with a byte flipped", { ...(rows[5] as Row), value: flipped }],
    ["of which nothing is left", { ...(rows[5] as Row), value: new Uint8Array(0) }],
    ["with the key of another one", { ...(rows[5] as Row), value: valueOf({ ...eventOf(5), key: "k2" }) }],
    ["that does not decode", { ...(rows[5] as Row), value: Uint8Array.of(10, 200) }]
  ])("finds an event %s", async (_, garbled) => {
    const { violation } = await judge(rows.with(5, garbled))
    expect(violation).toBe("1 records are garbled: here/new/0 at 1")
  })

  it("finds an event that one of the groups was not given", async () => {
    const { violation } = await judge(rows, {
      members: [writer, readers[0] as Member, readerOf("two", without(events, 6))]
    })
    expect(violation).toBe(`1 of 8 events are handled by nobody of group two: ${events[6]?.text}`)
  })

  it("finds an event of a killed writer that stands there, and that a group was not given", async () => {
    const killed = memberOf("w", [["open", incarnation(1)]], "killed")
    const members = [killed, readers[0] as Member, readerOf("two", without(events, 7))]
    const { violation } = await judge(rows, { members, attempts: { ...nothing, kills: 1 } })
    expect(violation).toBe(`1 of 8 events are handled by nobody of group two: ${events[7]?.text}`)
  })

  it("finds events that a group was given in the wrong order, and not those that it was given again", async () => {
    const members = (of: ReadonlyArray<Event>) => [writer, readerOf("one", of), readers[1] as Member]
    expect((await judge(rows, { members: members(swapped(events, 3)) })).violation).toBe(
      `group one handled event ${events[3]?.text} of k1 for the first time behind ${events[4]?.text}`
    )
    const again = [...events, eventOf(2), eventOf(3)]
    const stopped = { members: members(again), attempts: { ...nothing, stops: 1 } }
    expect(await judge(rows, stopped)).toMatchObject({ violation: undefined, repeated: 2 })
    expect((await judge(rows, { members: members(again) })).violation).toBe("2 were handled again, and 0 can have been")
  })

  it("finds no order between epochs where moves give it up, and that of each", async () => {
    const members = (of: ReadonlyArray<Event>) => [writer, readerOf("one", of), readers[1] as Member]
    const attempts = { ...nothing, isRelaxed: true }
    const later = [...events.slice(4), ...events.slice(0, 4)]
    expect((await judge(rows, { members: members(later), attempts })).violation).toBeUndefined()
    expect((await judge(rows, { members: members(later) })).violation).toContain("for the first time behind")
    expect((await judge(rows, { members: members(swapped(events, 5)), attempts })).violation).toContain(
      `group one handled event ${events[5]?.text} of k1 for the first time behind`
    )
  })

  it("finds an event that a group was given garbled", async () => {
    const garbled = { ...eventOf(4), text: `${events[4]?.text}0` }
    const { violation } = await judge(rows, {
      members: [writer, readerOf("one", [...events, garbled]), readers[1] as Member]
    })
    expect(violation).toBe(
      `group one was given a garbled event: ${JSON.stringify(["handled", garbled.text, "k1", 4, 1008])}`
    )
  })

  it.each([
    ["that has died", [["open", incarnation(1)]], "w was not closed: "],
    ["whose ledger does not balance", [["end", false]], "the ledger of w does not balance"],
    [
      "that could not publish",
      [
        ["failed", "w 1", "no"],
        ["end", true]
      ],
      'w could not publish: ["failed","w 1","no"]'
    ]
  ] as ReadonlyArray<readonly [string, ReadonlyArray<Line>, string]>)(
    "finds a process %s",
    async (_, lines, sentence) => {
      expect((await judge(rows, { members: [memberOf("w", lines), ...readers] })).violation).toBe(sentence)
    }
  )
})
