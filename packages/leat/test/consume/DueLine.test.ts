import fc from "fast-check"
import { deadLetterHeaders, type ReceivedBatch, type ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { DueLine } from "../../src/consume/DueLine.ts"

const second = 1000

/** A record as somebody has moved it at `atMs` of his clock. */
const moved = (position: number, atMs: number, delayMs: number): ReceivedRecord => ({
  position: BigInt(position),
  key: null,
  value: null,
  headers: deadLetterHeaders({ by: "leat", replays: 0, moves: 1, atMs, dueMs: atMs + delayMs }),
  timeMs: atMs
})
const batchOf = (records: ReadonlyArray<ReceivedRecord>, next = records.length): ReceivedBatch => ({
  records,
  next: BigInt(next)
})
const positions = ({ records }: ReceivedBatch) => records.map(({ position }) => Number(position))

describe("a line of records that are due later", () => {
  it("gives each when it is due and not before, and with the last what the batch says beside its records", () => {
    const line = new DueLine()
    const records = [moved(3, 0, 10_000), moved(4, 500, 10_000), moved(7, 900, 10_000)]
    line.received({ records, next: 12n, gap: "expired" }, { wallMs: 4000, nowMs: 77_000 }, undefined)
    expect(line.dueMs).toBe(83_001)
    expect(line.take(83_000)).toMatchObject({ records: [] })
    expect(line.take(83_600)).toEqual({ records: records.slice(0, 2), next: 5n, gap: "expired" })
    expect([line.isEmpty, line.dueMs]).toEqual([false, 83_901])
    expect(line.take(83_901)).toEqual({ records: records.slice(2), next: 12n, gap: "expired" })
    expect(line.isEmpty).toBe(true)
  })

  it("gives what says nothing of a time at once, and a batch without records", () => {
    const line = new DueLine()
    const plain = { ...moved(0, 0, 0), headers: [["x", Uint8Array.of(1)] as const] }
    line.received(batchOf([plain, moved(1, 0, second)]), { wallMs: 0, nowMs: 5 }, undefined)
    expect(positions(line.take(5))).toEqual([0])
    expect(positions(line.take(6 + second))).toEqual([1])
    line.received(batchOf([], 9), { wallMs: 0, nowMs: 6 }, undefined)
    expect(line.dueMs).toBeLessThanOrEqual(6)
    expect(line.take(6)).toEqual({ records: [], next: 9n })
  })

  it("waits for a shorter delay of the setting from when a record was moved, and for no longer one", () => {
    const line = new DueLine()
    // A millisecond more than is left: clocks show whole ones.
    const clocks = { wallMs: 30_000, nowMs: 0 }
    line.received(batchOf([moved(0, 0, 3_600_000)]), clocks, 60_000)
    expect(line.dueMs).toBe(30_001)
    line.received(batchOf([moved(0, 0, 60_000)]), clocks, 3_600_000)
    expect(line.dueMs).toBe(30_001)
  })

  it("takes over another delay while records wait, and goes back to their own where the tier is no longer listed", () => {
    const line = new DueLine()
    line.received(batchOf([moved(0, 0, 3_600_000), moved(1, 500, 3_600_000)]), { wallMs: 1000, nowMs: 0 }, 3_600_000)
    expect(line.dueMs).toBe(3_599_001)
    line.configure(60_000)
    expect(line.dueMs).toBe(59_001)
    expect(positions(line.take(59_001))).toEqual([0])
    expect(line.dueMs).toBe(59_501)
    line.configure(undefined)
    expect(line.dueMs).toBe(3_599_501)
  })

  it("gives each batch early or late by no more than two clocks differ, and by no more than one delay", () => {
    const time = fc.integer({ min: 0, max: 100_000 })
    const error = fc.integer({ min: 100_000, max: 300_000 })
    fc.assert(
      fc.property(time, error, error, fc.integer({ min: 1000, max: 60_000 }), (ageMs, writerMs, readerMs, delayMs) => {
        // Moved at the true time 0; read at `ageMs`.
        const line = new DueLine()
        const clocks = { wallMs: ageMs + readerMs, nowMs: ageMs }
        line.received(batchOf([moved(0, writerMs, delayMs)]), clocks, delayMs)
        const lateMs = Math.max(ageMs, line.dueMs) - Math.max(ageMs, delayMs)
        const apartMs = writerMs - readerMs
        expect(lateMs).toBeLessThanOrEqual(Math.min(Math.max(0, apartMs), delayMs) + 1)
        expect(-lateMs).toBeLessThanOrEqual(Math.min(Math.max(0, -apartMs), delayMs))
      })
    )
  })

  it("waits one delay at most, whatever a clock or a header says", () => {
    const line = new DueLine()
    const due = (record: ReceivedRecord, wallMs: number, delayMs: number | undefined) => {
      line.received(batchOf([record]), { wallMs, nowMs: 0 }, delayMs)
      return Math.max(0, line.dueMs)
    }
    // Moved by a clock that is a year ahead, and read by one.
    expect(due(moved(0, 366 * 86_400_000, 60_000), 0, 60_000)).toBe(60_001)
    expect(due(moved(0, 0, 60_000), 366 * 86_400_000, 60_000)).toBe(0)
    // Of a tier that is no longer listed there is only what the record says: a day at most.
    expect(due(moved(0, 0, 60_000), 0, undefined)).toBe(60_001)
    expect(due(moved(0, 0, Number.MAX_SAFE_INTEGER), 0, undefined)).toBe(86_400_001)
    expect(due(moved(0, 60_000, -60_000), 0, undefined)).toBe(0)
  })

  it("gives nothing a millisecond too early by the wall clock, whatever parts of one both clocks leave out", () => {
    const drawn = fc.record({
      beganMs: fc.double({ min: 1e6, max: 2e6, noNaN: true }),
      wallAheadMs: fc.double({ min: 0, max: 2000, noNaN: true }),
      monotonicAheadMs: fc.double({ min: 0, max: 2000, noNaN: true }),
      leftMs: fc.integer({ min: 1, max: 1000 })
    })
    fc.assert(
      fc.property(drawn, ({ beganMs, wallAheadMs, monotonicAheadMs, leftMs }) => {
        const wallMs = Math.floor(beganMs + wallAheadMs)
        const nowMs = Math.floor(beganMs + monotonicAheadMs)
        const line = new DueLine()
        line.received(batchOf([moved(0, wallMs, leftMs)]), { wallMs, nowMs }, undefined)
        // The first moment at which the monotonic clock shows that it is due.
        const givenMs = line.dueMs - monotonicAheadMs
        const shownMs = Math.floor(givenMs + wallAheadMs)
        expect(shownMs).toBeGreaterThanOrEqual(wallMs + leftMs)
        expect(shownMs).toBeLessThanOrEqual(wallMs + leftMs + 2)
      }),
      { numRuns: 1000 }
    )
  })

  it("keeps the order of the topic, gives each once, none before its time and none later than needed", () => {
    const drawn = fc.record({
      moves: fc.array(fc.record({ atMs: fc.nat(100), delayMs: fc.nat(50) }), { minLength: 1, maxLength: 12 }),
      wallMs: fc.nat(200),
      nowMs: fc.nat(1000),
      delayMs: fc.option(fc.nat(50), { nil: undefined }),
      steps: fc.array(fc.nat(20), { maxLength: 30 })
    })
    fc.assert(
      fc.property(drawn, ({ moves, wallMs, nowMs, delayMs, steps }) => {
        const line = new DueLine()
        line.received(
          batchOf(moves.map(({ atMs, delayMs: own }, at) => moved(at, atMs, own))),
          { wallMs, nowMs },
          delayMs
        )
        // When each may be given, by the rule: its own time, bounded, and not before the one in front of it.
        const dues: Array<number> = []
        for (const { atMs, delayMs: own } of moves) {
          const bound = Math.min(own, delayMs ?? own)
          const wait = Math.min(Math.max(atMs + bound - wallMs, 0), bound)
          dues.push(Math.max(nowMs + (wait === 0 ? 0 : wait + 1), dues.at(-1) ?? 0))
        }
        let given = 0
        let at = nowMs
        for (const step of [0, ...steps, 1000]) {
          at += step
          if (line.isEmpty) break
          const batch = line.take(at)
          expect(positions(batch)).toEqual(dues.flatMap((due, index) => (index >= given && due <= at ? [index] : [])))
          given += batch.records.length
          expect(line.isEmpty).toBe(given === moves.length)
          expect(line.dueMs).toBe(dues[given] ?? Number.NEGATIVE_INFINITY)
        }
        expect(given).toBe(moves.length)
      }),
      { numRuns: 500 }
    )
  })
})
