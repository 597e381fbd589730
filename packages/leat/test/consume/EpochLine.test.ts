import fc from "fast-check"
import { formatEventId } from "leat"
import type { ReceivedBatch } from "leat/transport"
import { describe, expect, it } from "vitest"
import { EpochLine } from "../../src/consume/EpochLine.ts"
import { recordOf } from "./MovedStream.ts"
import { markerOf } from "../../src/record/CompactHeader.ts"

const stream = "test.notes"

/** What a record says: an epoch, nothing, that it only announces drops, or that it is of another stream. */
type Says = number | "nothing" | "marker" | "other"

const recordAt = (position: number, says: Says): ReceivedBatch["records"][number] => {
  const of = says === "other" ? "test.others" : stream
  const id = formatEventId({
    incarnation: "01234567-89ab-7def-8123-456789abcdef",
    stream: of,
    bucket: 0,
    seq: position
  })
  const headers: Record<string, ReceivedBatch["records"][number]["headers"]> = {
    nothing: [],
    marker: [["leat", markerOf(new Uint8Array(16), stream)]],
    // Of an epoch of its own.
    other: [
      ["ce_id", Buffer.from(id)],
      ["ce_leatepoch", Buffer.from("99")]
    ]
  }
  const epoch = [
    ["ce_id", Buffer.from(id)],
    ["ce_leatepoch", Buffer.from(`${says}`)]
  ] as const
  return { position: BigInt(position), key: null, value: null, headers: headers[says] ?? epoch, timeMs: 0 }
}

const batch = (records: ReadonlyArray<readonly [position: number, says: Says]>, next?: number): ReceivedBatch => ({
  records: records.map(([position, says]) => recordAt(position, says)),
  next: BigInt(next ?? (records.at(-1)?.[0] ?? 0) + 1)
})

const readable = (epoch: number, from: number, end?: number) => ({ epoch, from, end, isLate: false })

/** Positions of what is given, and what comes behind it. */
const shown = (given: ReturnType<EpochLine["take"]>) =>
  given && { at: given.records.map(({ position }) => Number(position)), next: Number(given.next), gap: given.gap }

describe("what was pulled from a place of a stream that moves", () => {
  it("is given as it came where all of it may be", () => {
    const line = new EpochLine(stream, 0n)
    const whole = batch([
      [0, 2],
      [1, "nothing"],
      [2, "marker"],
      [3, "other"],
      [4, 1]
    ])
    line.received([whole])
    expect(line.take(readable(2, 0), 2)).toBe(whole)
    expect([line.isEmpty, line.position]).toEqual([true, 5n])
  })

  it("is cut at the end of the epoch, and the rest waits", () => {
    const line = new EpochLine(stream, 0n)
    line.received([
      batch([
        [0, 1],
        [1, 1],
        [4, 1],
        [5, 3],
        [6, 1]
      ])
    ])
    expect(shown(line.take(readable(1, 0, 4), 1))).toMatchObject({ at: [0, 1], next: 4 })
    expect(line.take(readable(1, 4, 4), 1)).toBeUndefined()
    expect(shown(line.take(readable(3, 5), 1))).toEqual({ at: [5], next: 7, gap: "otherEpoch" })
    expect(line.isEmpty).toBe(true)
  })

  it("leaves out what is of an older epoch, and moves on over it", () => {
    const line = new EpochLine(stream, 0n)
    line.received([
      batch([
        [0, 1],
        [1, 2]
      ]),
      batch([
        [2, 1],
        [3, 1]
      ])
    ])
    expect(shown(line.take(readable(2, 0, 4), 1))).toEqual({ at: [1], next: 2, gap: "otherEpoch" })
    expect(shown(line.take(readable(2, 0, 4), 1))).toEqual({ at: [], next: 4, gap: "otherEpoch" })
    expect(line.isEmpty).toBe(true)
  })

  it("stands before a record of a newer epoch until it is told of it, and says which", () => {
    const line = new EpochLine(stream, 0n)
    line.received([
      batch([
        [0, "nothing"],
        [1, 2],
        [2, 2]
      ])
    ])
    expect(shown(line.take(readable(1, 0), 1))).toMatchObject({ at: [0], next: 1 })
    expect([line.take(readable(1, 0), 1), line.newer]).toEqual([undefined, 2])
    expect([shown(line.take(readable(2, 0), 1)), line.newer]).toEqual([
      { at: [1, 2], next: 3, gap: "otherEpoch" },
      undefined
    ])
  })

  it("gives what is older than the first epoch where the stream lay then, and leaves it out elsewhere: it is of a mirror that was there before", () => {
    const rows = batch([
      [0, 1],
      [1, 3],
      [2, 1]
    ])
    const first = new EpochLine(stream, 0n)
    first.received([rows])
    expect(shown(first.take(readable(3, 0), 3))).toMatchObject({ at: [0, 1, 2], next: 3 })
    const later = new EpochLine(stream, 0n)
    later.received([rows])
    expect(shown(later.take(readable(4, 0), 3))).toEqual({ at: [], next: 3, gap: "otherEpoch" })
  })

  it("keeps the reason of the driver where positions are missing", () => {
    const line = new EpochLine(stream, 0n)
    line.received([
      {
        ...batch([
          [4, 1],
          [9, 1]
        ]),
        gap: "corrupt"
      }
    ])
    expect(shown(line.take(readable(1, 0, 7), 1))).toEqual({ at: [4], next: 7, gap: "corrupt" })
  })

  it("gives what a driver gives against its type to whoever reads it: a record, and a whole batch", () => {
    const line = new EpochLine(stream, 0n)
    const broken = { ...recordAt(1, 1), headers: undefined } as never
    line.received([{ records: [recordAt(0, 1), broken, recordAt(2, 1)], next: 3n }])
    expect(shown(line.take(readable(1, 0, 2), 1))).toMatchObject({ at: [0, 1], next: 2 })
    const unread = new EpochLine(stream, 0n)
    const none = { next: 3n } as ReceivedBatch
    unread.received([none])
    expect([unread.take(readable(1, 0, 2), 1), unread.isEmpty]).toEqual([none, true])
  })

  it("knows the epoch of a record in the compact wire, whatever stands before it", () => {
    const number = fc.integer({ min: 0, max: 2 ** 31 - 1 })
    fc.assert(
      fc.property(number, number, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (key, seq, epoch) => {
        const { headers = [] } = recordOf({ writer: 0, key, seq, epoch, wire: "compact" })
        const one = { position: 0n, key: null, value: null, headers, timeMs: 0 }
        const of = (range: number) => {
          const line = new EpochLine(stream, 0n)
          line.received([{ records: [one], next: 1n }])
          return { given: line.take(readable(range, 0), 1)?.records.length, newer: line.newer }
        }
        expect([of(epoch), of(epoch + 1)]).toEqual([{ given: 1 }, { given: 0 }])
        expect(of(epoch - 1)).toEqual({ newer: epoch })
      })
    )
  })

  it("gives each record of two ranges once, in order, and nothing else, however it is cut into batches", () => {
    const says = fc.constantFrom<Says>(0, 1, 1, 1, 2, 3, 3, "nothing", "marker")
    const drawn = fc.record({
      records: fc.array(fc.record({ skip: fc.constantFrom(0, 0, 0, 2), says, isCut: fc.boolean() }), { maxLength: 30 }),
      end: fc.nat(20),
      between: fc.nat(6)
    })
    fc.assert(
      fc.property(drawn, ({ records, end, between }) => {
        const log: Array<{ readonly position: number; readonly says: Says }> = []
        const batches: Array<ReceivedBatch> = []
        let part: Array<readonly [number, Says]> = []
        let at = 0
        for (const one of records) {
          at += one.skip
          // A reader that has heard of no third epoch is another case.
          const kind = at < end && (one.says === 2 || one.says === 3) ? 1 : one.says
          log.push({ position: at, says: kind })
          part.push([at++, kind])
          if (one.isCut) batches.push(batch(part.splice(0)))
        }
        if (part.length > 0) batches.push(batch(part))
        const line = new EpochLine(stream, 0n)
        line.received(batches)
        const given: Array<number> = []
        const begin = end + between
        const behindEach: Array<number> = []
        for (const range of [readable(1, 0, end), readable(3, begin)]) {
          for (let one = line.take(range, 1); one !== undefined || !line.isEmpty; one = line.take(range, 1)) {
            if (one === undefined) break
            given.push(...one.records.map(({ position }) => Number(position)))
            expect(Number(one.next)).toBe(Number(line.position))
          }
          behindEach.push(Number(line.position))
        }
        expect(behindEach[0]).toBe(Math.min(end, at))
        const unsaid = (one: Says) => one === 0 || one === "nothing" || one === "marker"
        const expected = log.filter(({ position, says: what }) =>
          position < end ? true : position >= begin && (what === 3 || unsaid(what))
        )
        expect(given).toEqual(expected.map(({ position }) => position))
      })
    )
  })
})
