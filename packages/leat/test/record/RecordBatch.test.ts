import fc from "fast-check"
import { type Header, RecordBatch } from "leat/transport"
import { describe, expect, it } from "vitest"
import { readHeaders, sizeOfHeader, sizeOfLength, writeHeader, writeLength } from "../../src/record/Headers.js"
import { Ledger, type PendingCensus, requireLegs, type ReadRow } from "../../src/ledger/Ledger.js"
import { Waiter } from "../../src/ledger/Waiter.js"

const text = new TextEncoder()

/** A record of the model: plain data, no arena. */
interface Plain {
  readonly key: Uint8Array | null
  readonly headers: ReadonlyArray<Header>
  readonly value: Uint8Array
  readonly kind: "event" | "tombstone" | "marker"
  readonly bucket: number
  readonly seq: number
  readonly timeMs: number
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
const headerLists = fc.array(fc.tuple(fc.string({ unit: "binary", maxLength: 5 }), bytes(150)), { maxLength: 4 })
const plains: fc.Arbitrary<Plain> = fc.record({
  key: fc.option(bytes(20)),
  headers: headerLists,
  value: bytes(50),
  kind: fc.constantFrom("event", "event", "tombstone", "marker"),
  bucket: fc.nat(65_535),
  seq: fc.maxSafeNat(),
  timeMs: fc.nat(253_402_300_799_999)
})

/** Commits a record as the publisher does, after making room for it. */
function commit(batch: RecordBatch, { key, headers, value, kind, bucket, seq, timeMs }: Plain): void {
  const encoded = headers.map(([name, header]) => [text.encode(name), header] as const)
  const headersBytes = encoded.reduce((total, [name, header]) => total + sizeOfHeader(name.length, header.length), 0)
  const needed = (key?.length ?? 0) + sizeOfLength(headers.length) + headersBytes + value.length
  if (batch.room < needed) batch.grow(batch.bytes + needed)
  batch.arena.set(key ?? [], batch.bytes)
  const headersAt = batch.bytes + (key?.length ?? 0)
  let valueAt = writeLength(batch.arena, headersAt, headers.length)
  for (const [name, header] of encoded) valueAt = writeHeader(batch.arena, valueAt, name, header)
  batch.arena.set(value, valueAt)
  batch.place(bucket, seq, Float64Array.of(timeMs))
  batch.commit(key !== null, headersAt, valueAt, valueAt + value.length, kind)
}

/** Bytes of a record once it is written: key, headers block, value. */
function sizeOf({ key, headers, value }: Plain): number {
  const block = headers.map(([name, header]) => sizeOfHeader(text.encode(name).length, header.length))
  return (
    (key?.length ?? 0) + sizeOfLength(headers.length) + block.reduce((total, size) => total + size, 0) + value.length
  )
}

/** Views of an arena are `Buffer`s; what is compared is bytes. */
const plainBytes = (view: Uint8Array | null): Uint8Array | null => (view === null ? null : new Uint8Array(view))

function expectSame(batch: RecordBatch, model: ReadonlyArray<Plain>): void {
  expect(batch.count).toBe(model.length)
  for (const [index, plain] of model.entries()) {
    expect(plainBytes(batch.key(index))).toEqual(plain.key)
    expect(batch.headers(index).map(([name, value]) => [name, plainBytes(value)])).toEqual(plain.headers)
    expect(plainBytes(batch.value(index))).toEqual(plain.kind === "event" ? plain.value : null)
    expect(batch.isMarker(index)).toBe(plain.kind === "marker")
    expect(batch.timeMs(index)).toBe(plain.timeMs)
    expect(batch.recordBytes(index)).toBe(sizeOf(plain))
  }
}

/** What the columns hold beside the bytes: only the batch that was written has them, not its copies. */
function expectColumns(batch: RecordBatch, model: ReadonlyArray<Plain>): void {
  for (const [index, { bucket, seq }] of model.entries()) {
    expect([batch.bucket[index], batch.seq[index]]).toEqual([bucket, seq])
  }
}

/** A driver that copies ranges sees the same records as one that asks for each, the notice among their headers. */
function expectSameColumns(batch: RecordBatch, from: number, to: number, model: ReadonlyArray<Plain>): void {
  const { bytes: all, origin, headersAt, valueAt, end, flags, timeMs } = batch.columns(from, to)
  expect([headersAt.length, valueAt.length, end.length, flags.length, timeMs.length]).toEqual(
    Array.from({ length: 5 }, () => model.length)
  )
  let start = origin
  for (const [index, plain] of model.entries()) {
    const [keyEnd = 0, valueStart = 0, stop = 0, flag = 0] = [
      headersAt[index],
      valueAt[index],
      end[index],
      flags[index]
    ]
    const key = all.subarray(start - origin, keyEnd - origin)
    expect((flag & 1) === 0 ? plainBytes(key) : null).toEqual(plain.key)
    expect(readHeaders(all, keyEnd - origin).map(([name, value]) => [name, plainBytes(value)])).toEqual(plain.headers)
    const value = all.subarray(valueStart - origin, stop - origin)
    expect((flag & 2) === 0 ? plainBytes(value) : null).toEqual(plain.kind === "event" ? plain.value : null)
    expect((flag & 4) !== 0).toBe(plain.kind === "marker")
    expect(timeMs[index]).toBe(plain.timeMs)
    start = stop
  }
  expect(all.length).toBe(start - origin)
}

type Step =
  | { readonly do: "commit"; readonly plain: Plain }
  | { readonly do: "grow"; readonly bytes: number }
  | { readonly do: "exchange"; readonly bytes: number; readonly records: number }
  | { readonly do: "copy"; readonly from: number; readonly to: number }
  | { readonly do: "notice"; readonly at: number; readonly name: string; readonly value: Uint8Array }
  | { readonly do: "await"; readonly from: number; readonly to: number; readonly who: number }
  | { readonly do: "reset" }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant("commit"), plain: plains }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("grow"), bytes: fc.nat(500) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("exchange"), bytes: fc.nat(500), records: fc.integer({ min: 1, max: 9 }) })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("copy"), from: fc.nat(), to: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("notice"),
      at: fc.nat(),
      name: fc.constantFrom("n", "été"),
      value: bytes(9)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("await"), from: fc.nat(), to: fc.nat(), who: fc.nat(2) })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset") }) }
)

/** A batch beside a plain array of the same records; every step goes to both. */
class Twin {
  readonly batch = new RecordBatch(64, 1)
  #plain: Array<Plain> = []
  #notice: { readonly at: number; readonly header: Header } | undefined
  #awaited: Array<{ readonly from: number; readonly to: number; readonly waiter: Waiter }> = []
  readonly #waiters = [new Waiter(), new Waiter(), new Waiter()]

  /** The records with the notice among the headers of the one that carries it. */
  get model(): ReadonlyArray<Plain> {
    const { at, header } = this.#notice ?? {}
    return this.#plain.map((plain, index) =>
      index === at && header !== undefined ? { ...plain, headers: [...plain.headers, header] } : plain
    )
  }

  take(one: Step): void {
    const { batch } = this
    const count = this.#plain.length
    switch (one.do) {
      case "commit":
        commit(batch, one.plain)
        this.#plain.push(one.plain)
        break
      case "grow":
        batch.grow(batch.bytes + one.bytes)
        expect(batch.room).toBe(one.bytes)
        break
      case "exchange": {
        const empty = new RecordBatch(batch.bytes + one.bytes, one.records)
        const arenas = [batch.arena, empty.arena]
        batch.exchange(empty)
        expect([empty.arena, batch.arena]).toEqual(arenas)
        // What was given away is used by others.
        for (const column of [empty.arena, empty.bucket, empty.seq, empty.time]) column.fill(7)
        break
      }
      case "copy":
        this.#expectCopy(one.from % (count + 1), one.to % (count + 1))
        break
      case "notice":
        if (count === 0) break
        batch.notice(one.at % count, one.name, one.value)
        this.#notice = { at: one.at % count, header: [one.name, one.value] }
        break
      case "await": {
        const waiter = this.#waiters[one.who] ?? new Waiter()
        const range = { from: one.from % (count + 1), to: one.to % (count + 1) }
        if (range.from >= range.to) break
        batch.await(range.from, range.to, waiter)
        this.#awaited.push({ ...range, waiter })
        break
      }
      case "reset":
        batch.reset()
        expect([batch.bytes, batch.room]).toEqual([0, batch.arena.length])
        this.#plain = []
        this.#awaited = []
        this.#notice = undefined
        break
    }
  }

  /** A copy is the same records, and stays so when the original is written over. */
  #expectCopy(from: number, to: number): void {
    if (from > to) return
    const copy = this.batch.copy(from, to)
    const model = this.model.slice(from, to)
    expectSame(copy, model)
    expect(copy.room).toBe(0)
    expectSameColumns(this.batch, from, to, model)
    const before = Uint8Array.from(this.batch.arena)
    this.batch.arena.fill(0xff)
    expectSame(copy, model)
    this.batch.arena.set(before)
  }

  /** Every waiter is told of as many records of [from, to) as it waits for. */
  expectAwaited(from: number, to: number): void {
    const expected = this.#waiters.map((waiter) => {
      let count = 0
      for (let index = from; index < to; index++) {
        count += this.#awaited.filter((one) => one.waiter === waiter && one.from <= index && index < one.to).length
      }
      return count
    })
    const told = this.#waiters.map(() => 0)
    this.batch.awaited(from, to, (waiter, count) => {
      const index = this.#waiters.indexOf(waiter)
      expect(count).toBeGreaterThan(0)
      told[index] = (told[index] ?? 0) + count
    })
    expect(told).toEqual(expected)
  }
}

describe("a record batch", () => {
  it("is a plain array of records, whatever is done to it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(), fc.nat(), (steps, from, to) => {
        const twin = new Twin()
        for (const one of steps) twin.take(one)
        const { batch, model } = twin
        expect(batch.count).toBe(model.length)
        expectSame(batch, model)
        expectColumns(batch, model)
        twin.expectAwaited(from % (model.length + 1), to % (model.length + 1))
      }),
      { numRuns: 400 }
    )
  })

  it("counts the bytes of a range as those of its records", () => {
    fc.assert(
      fc.property(fc.array(plains, { maxLength: 8 }), fc.nat(9), fc.nat(9), (model, from, to) => {
        const batch = new RecordBatch(0)
        for (const plain of model) commit(batch, plain)
        const [first, last] = [Math.min(from, model.length), Math.min(to, model.length)]
        expect(batch.rangeBytes(first, last)).toBe(
          model.slice(first, Math.max(first, last)).reduce((total, plain) => total + sizeOf(plain), 0)
        )
        expect(batch.rangeBytes(0, model.length)).toBe(batch.bytes)
      })
    )
  })

  it("forgets everything of its last use when it is reset", () => {
    const [plain] = fc.sample(plains, { numRuns: 1, seed: 1 })
    if (plain === undefined) throw new Error("one sample was asked for")
    const batch = new RecordBatch(4096)
    commit(batch, plain)
    batch.notice(0, "n", Uint8Array.of(1))
    batch.trace(0, "00-1-2-01")
    expect(batch.traces(0, 1, 64)).toEqual(["00-1-2-01"])
    batch.await(0, 1, new Waiter())
    batch.reset()
    commit(batch, plain)
    expectSame(batch, [plain])
    expect(batch.traces(0, 1, 64)).toEqual([])
    batch.awaited(0, 1, () => expect.unreachable("the waiter of the last use was told"))
  })
})

describe("headers as bytes", () => {
  it("have the size that was told, and come back in order", () => {
    fc.assert(
      fc.property(headerLists, fc.nat(10), (headers, at) => {
        const encoded = headers.map(([name, value]) => [text.encode(name), value] as const)
        const size = encoded.reduce((total, [name, value]) => total + sizeOfHeader(name.length, value.length), 0)
        const target = new Uint8Array(at + sizeOfLength(headers.length) + size)
        let end = writeLength(target, at, headers.length)
        for (const [name, value] of encoded) end = writeHeader(target, end, name, value)
        expect(end).toBe(target.length)
        expect(readHeaders(target, at)).toEqual(headers)
      })
    )
  })

  it("write lengths as Kafka's zig-zag varints", () => {
    const zigzag = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 30 - 1 }))
    fc.assert(
      fc.property(zigzag, (length) => {
        const target = new Uint8Array(5)
        const end = writeLength(target, 0, length)
        const value = target.subarray(0, end).reduce((sum, byte, index) => sum + (byte & 127) * 128 ** index, 0)
        expect(value).toBe(length * 2)
        expect(target.subarray(0, end).every((byte, index) => byte >= 128 === index < end - 1)).toBe(true)
        expect(sizeOfLength(length)).toBe(end)
      })
    )
  })
})

describe("a waiter", () => {
  it("is done once, when all of its legs have ended, and knows how each did", () => {
    const ends = fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 5 }),
        reason: fc.constantFrom("", "Timeout", "Full"),
        may: fc.boolean()
      }),
      { minLength: 1, maxLength: 8 }
    )
    fc.assert(
      fc.property(ends, (all) => {
        const waiter = new Waiter()
        waiter.pending = all.reduce((total, { count }) => total + count, 0)
        let done = 0
        waiter.whenDone(() => done++)
        waiter.whenDone(() => done++)
        for (const { count, reason, may } of all) {
          expect(done).toBe(0)
          if (reason === "") waiter.tellStored(count)
          else waiter.tellDropped(count, reason, may)
        }
        expect(done).toBe(2)
        waiter.whenDone(() => done++)
        expect(done).toBe(3)
        const of = (wanted: string, mayBeStored?: boolean): number =>
          all.reduce(
            (total, { count, reason, may }) =>
              reason === wanted && may === (mayBeStored ?? may) ? total + count : total,
            0
          )
        expect(waiter.stored).toBe(of(""))
        expect([waiter.dropped["Timeout"] ?? 0, waiter.dropped["Full"] ?? 0]).toEqual([of("Timeout"), of("Full")])
        expect(waiter.mayBeStored).toBe(of("Timeout", true) + of("Full", true))
      })
    )
  })
})

describe("the ledger", () => {
  const counts = fc.dictionary(fc.constantFrom("overflow", "Timeout"), fc.nat(50))
  const total = (of: Readonly<Record<string, number>>): number =>
    Object.values(of).reduce((sum, count) => sum + count, 0)
  const amount = fc.nat(100)
  /** How far the account is off. */
  const off = fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 3 }))

  it("tells of each stream whether what was offered is accounted for, on every required leg and by all who stand in line", () => {
    fc.assert(
      fc.property(amount, counts, amount, off, off, off, (admitted, rejected, waiting, by, lineBy, legBy) => {
        const ledger = new Ledger()
        ledger.stream("even").offered = 0
        const account = ledger.stream("s")
        const [near, late] = [ledger.account("s", "memory/near", 1), ledger.account("s", "memory/late", 1)]
        // One that was required later, when it had been given 7 events fewer than the stream.
        Object.assign(account, { admitted: 7 })
        const noSequences = { takenIn: () => 0 }
        requireLegs(account, [late], noSequences)
        Object.assign(account, { admitted: 0 })
        requireLegs(account, [near, late], noSequences)
        Object.assign(account.rejected, rejected)
        Object.assign(account, { admitted, waiting, offered: admitted + total(rejected) + waiting + by })
        Object.assign(near, { admitted })
        Object.assign(late, { admitted: admitted - 7 + legBy })
        account.inLine = () => waiting + lineBy
        const { streams } = ledger.snapshot()
        expect(streams.map((row) => row.balanced)).toEqual([true, by === 0 && lineBy === 0 && legBy === 0])
        expect(streams[1]).toMatchObject({ stream: "s", admitted, rejected, waiting })
      })
    )
  })

  it("tells of each leg whether the lanes hold what has not ended", () => {
    const places = fc.record({ queued: amount, inFlight: amount, inDoubt: amount })
    fc.assert(
      fc.property(amount, counts, places, places, off, (stored, dropped, one, other, by) => {
        const ledger = new Ledger()
        ledger.account("even", "memory/even", 1)
        const account = ledger.account("s", "memory/s", 1)
        const pending = total(one) + total(other)
        Object.assign(account.dropped, dropped)
        Object.assign(account, { stored, admitted: stored + total(dropped) + pending + by })
        const sinks = [one, other].map((held): PendingCensus => ({
          census: (add) => {
            for (const place of ["queued", "inFlight", "inDoubt"] as const) add(account.index, place, held[place])
          }
        }))
        for (const sink of sinks) ledger.watchPending(sink)
        const { legs, balanced } = ledger.snapshot()
        expect(legs.map((row) => row.balanced)).toEqual([true, by === 0])
        expect(legs[1]).toMatchObject({ stored, dropped, queued: one.queued + other.queued })
        expect(balanced).toBe(by === 0)
        for (const sink of sinks) ledger.unwatchPending(sink)
        expect(ledger.snapshot().legs[1]?.balanced).toBe(pending + by === 0)
      })
    )
  })

  it("keeps one account for each stream, sink and epoch", () => {
    const ledger = new Ledger()
    const account = ledger.account("s", "memory/s", 1)
    expect(ledger.account("s", "memory/s", 1)).toBe(account)
    expect(ledger.account("s", "memory/s", 2).index).toBe(1)
    expect(ledger.account("s", "memory/t", 1).index).toBe(2)
  })

  it("adds up the times that a lane was held, and does not forget that one of them was off", () => {
    const row = (end: bigint, done: number, balanced: boolean): ReadRow => ({
      group: "g",
      stream: "s",
      lane: "0",
      start: 0n,
      end,
      positions: done,
      done,
      moved: {},
      deadLettered: {},
      dropped: { Timeout: 1 },
      duplicate: 0,
      skipped: { control: 2 },
      parked: 0,
      inFlight: 0,
      unread: 0,
      balanced
    })
    const ledger = new Ledger()
    ledger.watchRead(() => row(5n, 5, false))()
    const close = ledger.watchRead(() => row(9n, 4, true))
    const expected = {
      end: 9n,
      positions: 9,
      done: 9,
      dropped: { Timeout: 2 },
      skipped: { control: 4 },
      balanced: false
    }
    expect(ledger.snapshot().lanes).toMatchObject([expected])
    close()
    expect(ledger.snapshot().lanes).toMatchObject([expected])
    expect(ledger.snapshot().balanced).toBe(false)
  })
})

describe("a notice", () => {
  it("stays with its record in a copy of a range, and is not in one without it", () => {
    const batch = new RecordBatch(1024)
    for (let index = 0; index < 4; index++) {
      batch.place(0, index, Float64Array.of(index))
      const at = batch.bytes
      batch.arena.set([1, 0, 7], at)
      batch.commit(true, at + 1, at + 2, at + 3, "event")
    }
    batch.notice(2, "note", text.encode("three"))
    const named = (copy: Pick<RecordBatch, "headers" | "count">) =>
      Array.from({ length: copy.count }, (_, index) => copy.headers(index).map(([name]) => name))
    expect(named(batch.copy(1, 4))).toEqual([[], ["note"], []])
    expect(named(batch.copy(0, 2))).toEqual([[], []])
    expect(named(batch.copy(3, 4))).toEqual([[]])
  })
})
