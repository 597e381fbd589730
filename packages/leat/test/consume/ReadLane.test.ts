import fc from "fast-check"
import type { ReceivedBatch, ReceivedRecords } from "leat/transport"
import { OutageWatch } from "../../src/OutageWatch.js"
import { describe, expect, it } from "vitest"
import type { HeldRecord } from "../../src/consume/HeldRecord.ts"
import type { Failure } from "../../src/consume/Failure.ts"
import { ReadLane, type ReadLaneOptions, type ReadLaneSettings } from "../../src/consume/ReadLane.ts"
import type { Policy } from "../../src/Policy.ts"
import { recordsOf } from "../../src/transport/ReceivedRecords.ts"

const lane = (options: Partial<ReadLaneOptions> = {}, settings: Partial<ReadLaneSettings> = {}) =>
  new ReadLane(
    {
      start: 0n,
      abandoned: 0,
      crashLoop: 3,
      unordered: false,
      random: () => 0,
      outage: new OutageWatch(() => undefined),
      ...options
    },
    { policy: [], concurrency: 4, bufferBytesMax: 1_000_000, settleEveryMs: 0, ...settings }
  )
const recordOf = (position: number, key = 0) => ({
  position: BigInt(position),
  key: Uint8Array.of(key),
  value: new Uint8Array(1),
  headers: [],
  timeMs: 0
})
const batch = (from: number, keys: ReadonlyArray<number>): ReceivedBatch => ({
  records: keys.map((key, index) => recordOf(from + index, key)),
  next: BigInt(from + keys.length)
})

function given<A>(value: A | undefined): A {
  if (value === undefined) throw new Error("there is none")
  return value
}

function positionsOf(held: HeldRecord): ReadonlyArray<bigint> {
  const positions: Array<bigint> = []
  for (let slice = held.slice; slice !== undefined; slice = slice.following)
    for (let index = slice.from; index < slice.to; index++) positions.push(slice.records.position(index))
  return positions
}

/** Handles what the lane gives, one after the other, until it gives nothing; returns the positions. */
function handleAll(one: ReadLane): ReadonlyArray<bigint> {
  const positions: Array<bigint> = []
  for (let held = one.next(0); held !== undefined; held = one.next(0)) {
    positions.push(held.position)
    one.finished(held, undefined, 0)
  }
  return positions
}

describe("a lane that is a crash loop", () => {
  it("gives its first record to the handler once a person has resumed it", () => {
    const one = lane({ abandoned: 4 }, { concurrency: 1 })
    one.received(batch(0, [1]))
    expect(one.next(0)).toBeUndefined()
    expect(one.halted).toEqual({
      scope: "lane",
      tag: "CrashLoop",
      position: 0n,
      attempts: 1,
      detail: "4 holders of this lane were lost at this position"
    })
    one.resume(1)
    const held = one.next(1)
    expect(held?.position).toBe(0n)
    if (held !== undefined) one.finished(held, undefined, 2)
    expect({ done: one.done, halted: one.halted, watermark: one.watermark }).toEqual({
      done: 1,
      halted: undefined,
      watermark: 1n
    })
  })

  it("is not tried again where its retries are counted: each would be the death of one more process", () => {
    const policy: Policy = [{ on: ["*"], retry: { times: 5, baseMs: 10 }, then: "drop" }]
    const one = lane({ abandoned: 4 }, { concurrency: 1, policy })
    one.received(batch(0, [1]))
    expect(one.next(0)).toBeUndefined()
    expect({ dropped: one.dropped, retryDueMs: one.retryDueMs, watermark: one.watermark }).toEqual({
      dropped: { CrashLoop: 1 },
      retryDueMs: Number.POSITIVE_INFINITY,
      watermark: 1n
    })
  })

  it("asks nothing about the next record, where the one that they died of is gone from the log", () => {
    const one = lane({ abandoned: 4 }, { concurrency: 1, policy: [{ on: ["CrashLoop"], then: "drop" }] })
    one.received({ ...batch(3, [1, 2]), gap: "expired" })
    // What is gone is settled first, as everything is here.
    expect(one.next(0)).toBeUndefined()
    one.settled(3n)
    const held = one.next(0)
    expect(held?.position).toBe(3n)
    if (held !== undefined) one.finished(held, undefined, 0)
    expect({ done: one.done, dropped: one.dropped, skipped: one.skipped }).toEqual({
      done: 1,
      dropped: {},
      skipped: { expired: 3 }
    })
  })
})

/**
 * Processes that read one lane one after the other, each until it dies of one record, as long as any does; returns what was handled, how many
 * died, and whether the policy had a record dropped.
 */
function livesOf({ killer, count, concurrency, isAtOnce, ends }: Drawn): object {
  const handled = new Set<number>()
  let [settled, abandoned, deaths, dropped] = [0n, 0, 0, 0]
  for (let isDead = true; isDead && deaths < 100;) {
    const one = lane(
      { start: settled, abandoned },
      { concurrency, settleEveryMs: 100, policy: [{ on: ["CrashLoop"], then: "drop" }] }
    )
    one.received(
      batch(
        Number(settled),
        Array.from({ length: count - Number(settled) }, (_, index) => index)
      )
    )
    const before = settled
    isDead = false
    const running: Array<HeldRecord> = []
    for (let nowMs = 0; !isDead && settled < count; nowMs++) {
      for (let held = one.next(nowMs); held !== undefined; held = one.next(nowMs)) {
        isDead = Number(held.position) === killer
        if (isDead) break
        if (isAtOnce) one.finished(held, undefined, nowMs)
        else running.push(held)
        handled.add(Number(held.position))
      }
      if (isDead) break
      // Of those that run side by side one ends in each turn.
      running.sort((a, b) => (ends[Number(b.position)] ?? 0) - (ends[Number(a.position)] ?? 0))
      const ended = running.pop()
      if (ended !== undefined) one.finished(ended, undefined, nowMs)
      settled = one.settleDue(nowMs, false) ?? settled
      one.settled(settled)
    }
    abandoned = !isDead ? 0 : settled > before ? 1 : abandoned + 1
    if (isDead) deaths++
    dropped += one.dropped["CrashLoop"] ?? 0
  }
  return { handled: handled.size, isKillerHandled: handled.has(killer), dropped, isLooping: deaths === 100 }
}

interface Drawn {
  readonly killer: number
  readonly count: number
  readonly concurrency: number
  readonly isAtOnce: boolean
  readonly ends: ReadonlyArray<number>
}

describe("a record that kills its process", () => {
  it("is the one that the policy is asked about, wherever it lies and however its neighbours end", () => {
    const drawn = fc.record({
      killer: fc.nat(19),
      count: fc.constant(20),
      concurrency: fc.integer({ min: 1, max: 8 }),
      isAtOnce: fc.boolean(),
      ends: fc.array(fc.nat(3), { minLength: 20, maxLength: 20 })
    })
    fc.assert(
      fc.property(drawn, (one) => {
        expect(livesOf(one)).toEqual({ handled: 19, isKillerHandled: false, dropped: 1, isLooping: false })
      })
    )
  })
})

describe("positions that go back", () => {
  it("are another log: nothing of the batch is taken, and whoever pulled is told", () => {
    const one = lane()
    expect(one.received(batch(0, [1, 2, 3]))).toBe(true)
    const before = one.census()
    expect(one.received(batch(0, [4, 5, 6, 7, 8]))).toBe(false)
    expect(one.received(batch(2, [4, 5]))).toBe(false)
    expect(one.census()).toEqual(before)
    expect(one.received(batch(3, [4]))).toBe(true)
  })

  it("inside of a batch are not taken: what lies before them was", () => {
    const one = lane()
    const records = [0, 2, 1, 3].map((at) => recordOf(at))
    expect(one.received({ records, next: 4n })).toBe(true)
    expect(one.census()).toEqual({ end: 4n, parked: 0, inFlight: 0, unread: 3 })
    expect(one.skipped).toEqual({ compacted: 1 })
    expect(handleAll(one)).toEqual([0n, 2n, 3n])
  })

  it("inside of a batch are not given in its bundle", () => {
    const one = lane({ bundleRecords: 9 })
    one.received({ records: [0, 1, 0, 2].map((at) => recordOf(at)), next: 3n })
    expect(positionsOf(given(one.next(0)))).toEqual([0n, 1n, 2n])
  })
})

describe("what is held for long", () => {
  /** Records of one buffer, as columns have them: each key and value is a view of it. */
  const views = (from: number, keys: ReadonlyArray<number>): ReceivedBatch => {
    const bytes = new Uint8Array(keys.length * 1000)
    return {
      records: keys.map((key, index) => {
        bytes[index * 1000] = key
        bytes[index * 1000 + 1] = index
        return {
          ...recordOf(from + index, key),
          key: bytes.subarray(index * 1000, index * 1000 + 1),
          value: bytes.subarray(index * 1000 + 1, index * 1000 + 900),
          headers: [["h", bytes.subarray(index * 1000 + 900, index * 1000 + 950)]]
        }
      }),
      next: BigInt(from + keys.length)
    }
  }

  it.each([
    ["is tried again", [{ on: ["*"], retry: { baseMs: 1000 }, then: "halt" }]],
    ["is set aside", [{ on: ["*"], then: "deadLetter" }]],
    ["stands", [{ on: ["*"], then: "halt" }]]
  ] as ReadonlyArray<readonly [string, Policy]>)("keeps its own bytes, and those of its key: what %s", (_, policy) => {
    const one = lane({}, { policy, concurrency: 1 })
    one.received(views(0, [1, 2, 1, 3]))
    const first = given(one.next(0))
    one.finished(first, { tag: "Away" }, 0)
    one.received(views(4, [1, 2]))
    const kept = [first, given(first.following), given(first.following?.following)]
    expect(kept.map(({ position }) => position)).toEqual([0n, 2n, 4n])
    for (const { slice } of kept) {
      const { records, from } = given(slice)
      expect(records.length).toBe(1)
      expect(records.keyText(from)).toBe("\u0001")
      expect(records.value(from)?.buffer.byteLength).toBe(899)
      expect(records.headers(from)[0]?.[1].buffer.byteLength).toBe(50)
    }
    expect(kept.map(({ slice }) => given(slice).records.value(0)?.[0])).toEqual([0, 2, 0])
  })

  it("stays as it came where it cannot be read", () => {
    const one = lane({}, { policy: [{ on: ["*"], then: "deadLetter" }] })
    const whole = batch(0, [1, 2])
    const [record, ...others] = whole.records
    // How large it is was asked before, which needs them.
    let asked = 0
    const headers = {
      get: () => {
        if (asked++ > 0) throw new Error("no headers")
        return []
      }
    }
    one.received({ ...whole, records: [Object.defineProperty({ ...given(record) }, "headers", headers), ...others] })
    const first = given(one.next(0))
    one.finished(first, { tag: "Malformed" }, 0)
    expect(one.takeAside().map(({ held }) => held.position)).toEqual([0n])
  })
})

describe("a record that cannot be read", () => {
  it("is not counted, nor is what comes behind it", () => {
    const one = lane()
    const columns = recordsOf(batch(0, [1, 2, 3]))
    const broken: ReceivedRecords = {
      length: 3,
      contiguousFrom: undefined,
      position: (index) => columns.position(index),
      key: (index) => columns.key(index),
      keyText: (index) => columns.keyText(index),
      value: (index) => columns.value(index),
      headers: (index) => columns.headers(index),
      timeMs: (index) => columns.timeMs(index),
      isPlainEvent: (index, stream) => columns.isPlainEvent(index, stream),
      bytes: (index) => {
        if (index === 1) throw new Error("no bytes")
        return columns.bytes(index)
      }
    }
    expect(() => one.received({ records: [], columns: broken, next: 3n })).toThrow("no bytes")
    expect(one.census()).toEqual({ end: 1n, parked: 0, inFlight: 0, unread: 1 })
  })
})

describe("a record that a retry topic does not take", () => {
  it("because it is too large is dead-lettered, and not moved once more", () => {
    const policy: Policy = [{ on: ["Bug"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" }]
    const one = lane({}, { policy, nextTier: { tier: 1, delayMs: 1000 } })
    one.received(batch(0, [1]))
    one.finished(given(one.next(0)), { tag: "Bug" }, 0)
    const moves: Array<unknown> = []
    for (const { held, move } of one.takeAside()) {
      moves.push(move?.tier)
      one.setAside(held, "it is too large", 0, true)
    }
    for (const { held, move } of one.takeAside()) {
      moves.push(move?.tier)
      one.setAside(held, undefined, 0)
    }
    expect([moves, one.deadLettered, one.watermark]).toEqual([[1, undefined], { Bug: 1 }, 1n])
  })
})

describe("a lane of bundles", () => {
  it("gives what was split off next, in order, and counts each position once", () => {
    const one = lane({ bundleRecords: 4 }, { concurrency: 1 })
    one.received(batch(0, [1, 2, 3]))
    one.received(batch(3, [4, 5, 6]))
    const seen: Array<ReadonlyArray<bigint>> = []
    for (let held = one.next(0), turn = 0; held !== undefined; held = one.next(0), turn++) {
      if (turn === 0) one.split(held, 2)
      seen.push(positionsOf(held))
      one.finished(held, undefined, 0)
    }
    expect(seen).toEqual([
      [0n, 1n],
      [2n, 3n],
      [4n, 5n]
    ])
    expect({ done: one.done, watermark: one.watermark, census: one.census() }).toEqual({
      done: 6,
      watermark: 6n,
      census: { end: 6n, parked: 0, inFlight: 0, unread: 0 }
    })
  })
})

describe("a bundle that was cut", () => {
  it("is followed by what stood behind the cut, which later records join", () => {
    const one = lane({ bundleRecords: 2 })
    one.received(batch(0, [1, 2]))
    const held = given(one.next(0))
    one.split(held, 1)
    one.received(batch(2, [3, 4, 5]))
    one.finished(held, undefined, 0)
    expect(handleAll(one)).toEqual([1n, 3n])
    expect({ done: one.done, watermark: one.watermark }).toEqual({ done: 5, watermark: 5n })
  })

  it("keeps the bytes that stood behind the cut", () => {
    // Each record is 2 bytes, and 128 for its objects.
    const one = lane({ bundleRecords: 3 }, { bufferBytesMax: 260 })
    one.received(batch(0, [1, 2, 3]))
    const held = given(one.next(0))
    one.split(held, 1)
    one.finished(held, undefined, 0)
    expect([one.blockedAt, one.wantsMore]).toEqual([1n, false])
    one.finished(given(one.next(0)), undefined, 0)
    expect([one.blockedAt, one.wantsMore]).toEqual([undefined, true])
  })
})

describe("what ends at once behind a record that waits", () => {
  const waiting = (isSeen: (key: number) => boolean) => {
    const one = lane(
      { isSeen: (records, index) => isSeen(records.keyText(index).charCodeAt(0)) },
      { bufferBytesMax: 4096 }
    )
    one.received(batch(0, [1]))
    given(one.next(0))
    return one
  }

  it("is held as one where it ends alike, and is read on", () => {
    const one = waiting((key) => key === 2)
    one.received(
      batch(
        1,
        Array.from({ length: 1000 }, () => 2)
      )
    )
    expect([one.duplicate, one.wantsMore, one.blockedAt]).toEqual([1000, true, undefined])
    one.handBack()
    expect([one.duplicate, one.end]).toEqual([0, 0n])
  })

  it("counts for the bytes that a lane may hold where its neighbours end otherwise", () => {
    const one = waiting((key) => key === 2)
    // Copies, with a position that is gone before each.
    for (let position = 2; position < 100; position += 2) one.received(batch(position, [2]))
    expect([one.duplicate, one.skipped, one.wantsMore, one.blockedAt]).toEqual([49, { compacted: 49 }, false, 0n])
  })
})

describe("retries", () => {
  it("do not come before their time", () => {
    const again = [{ on: ["*"], retry: { baseMs: 100, jitter: 0 }, then: "halt" }] as const
    const one = lane({}, { policy: again })
    one.received(batch(0, [1]))
    const held = given(one.next(0))
    one.finished(held, { tag: "Busy" }, 5)
    expect(one.retryDueMs).toBe(105)
    expect(one.next(104)).toBeUndefined()
    expect(one.next(105)).toBe(held)
  })

  it("that are due together come in the order of the lane, also where positions are missing", () => {
    const one = lane({}, { policy: [{ on: ["*"], retry: { baseMs: 10, jitter: 0 }, then: "halt" }] })
    one.received(batch(0, [1]))
    for (const next of [2n, 4n]) one.received({ records: [], next })
    one.received(batch(4, [2]))
    for (const held of [given(one.next(0)), given(one.next(0))]) one.finished(held, { tag: "Busy" }, 0)
    expect([one.next(10)?.position, one.next(10)?.position]).toEqual([0n, 4n])
  })

  it("of 1000 parked keys are found without looking at all of them", () => {
    const cost = (keys: number) => {
      const one = lane({}, { concurrency: 16, policy: [{ on: ["*"], retry: { baseMs: 1e6 }, then: "halt" }] })
      one.received(
        batch(
          0,
          Array.from({ length: keys }, () => 0)
        )
      )
      const all = Array.from({ length: keys }, (_, index) => index)
      one.received({
        records: all.map((index) => ({
          position: BigInt(keys + index),
          key: Uint8Array.of(1, index & 255, index >> 8),
          value: null,
          headers: [],
          timeMs: 0
        })),
        next: BigInt(keys * 2)
      })
      for (let index = 0; index < keys; index++) {
        const held = one.next(0)
        if (held !== undefined) one.finished(held, { tag: "x" }, 0)
      }
      let best = Number.POSITIVE_INFINITY
      for (let turn = 0; turn < 20; turn++) {
        const began = performance.now()
        for (let index = 0; index < 20_000; index++) {
          one.next(1)
          void one.retryDueMs
        }
        best = Math.min(best, performance.now() - began)
      }
      return best
    }
    cost(1000)
    expect(cost(1000)).toBeLessThan(cost(10) * 10)
  })
})

describe("the census", () => {
  it("has every position in one place, whatever is drawn", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ move: fc.nat(7), key: fc.nat(5), at: fc.nat(10) }), { maxLength: 200 }),
        fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        (moves, bundleRecords) => {
          const policy = [
            { on: ["retry"], retry: { baseMs: 5 }, then: "halt" as const },
            { on: ["drop"], then: "drop" as const }
          ]
          const bundle = bundleRecords === undefined ? {} : { bundleRecords }
          const one = lane(bundle, { policy, concurrency: bundleRecords === undefined ? 3 : 1 })
          const running: Array<HeldRecord> = []
          let end = 0
          let nowMs = 0
          const copied: Array<{ readonly position: bigint; readonly copies: number }> = []
          const copies = () => copied.reduce((sum, told) => sum + told.copies, 0)
          const finish = (at: number, failureOf: (held: HeldRecord) => Failure | undefined) => {
            const [held] = running.splice(at % Math.max(1, running.length), 1)
            if (held === undefined) return
            const { position } = held
            const failure = failureOf(held)
            if (failure !== undefined && "copies" in failure) copied.push({ position, copies: failure.copies })
            one.finished(held, failure, nowMs)
          }
          for (const { move, key, at } of moves) {
            nowMs += at
            if (move === 0) {
              const from = end + (at === 0 ? 2 : 0)
              one.received(batch(from, [key, key + 1, key]))
              end = from + 3
            } else if (move === 1) {
              const held = one.next(nowMs)
              if (held !== undefined) {
                running.push(held)
                if (at > 7) one.split(held, 1)
              }
            } else if (move === 2) finish(at, () => undefined)
            else if (move === 3) finish(at, () => ({ tag: "retry" }))
            else if (move === 4) finish(at, () => ({ tag: at > 5 ? "drop" : "halt" }))
            else if (move === 5) finish(at, ({ span }) => ({ copies: 1 + (at % span) }))
            else if (move === 6) finish(at, ({ span }) => (span > 1 ? { apart: true } : undefined))
            else one.resume(nowMs)
            expect(one.duplicate).toBe(copies())
            const { parked, inFlight, unread } = one.census()
            const ended = [one.dropped, one.skipped].flatMap((counts) => Object.values(counts))
            const sum = ended.reduce((total, count) => total + count, one.done + one.duplicate)
            expect(sum + parked + inFlight + unread).toBe(end)
            expect(inFlight).toBe(running.reduce((total, { span }) => total + span, 0))
            for (const { position } of running) expect(one.watermark <= position).toBe(true)
          }
          one.handBack()
          const ended = [one.dropped, one.skipped].flatMap((counts) => Object.values(counts))
          const sum = ended.reduce((total, count) => total + count, one.done + one.duplicate)
          expect(sum).toBe(Number(one.watermark))
          const settled = copied.filter(({ position }) => position < one.watermark)
          expect(one.duplicate).toBe(settled.reduce((total, told) => total + told.copies, 0))
        }
      )
    )
  })

  it("takes back what was done before and what was not, each from its counter", () => {
    const one = lane(
      { bundleRecords: 2 },
      { policy: [{ on: ["x"], retry: { baseMs: 9 }, then: "halt" }], concurrency: 1 }
    )
    one.received(batch(0, [1, 1, 1, 1]))
    const first = given(one.next(0))
    one.finished(first, { tag: "x" }, 0)
    // The first waits; the second is held behind it.
    one.received(batch(4, [1]))
    one.finished(given(one.next(9)), { copies: 1 }, 9)
    one.finished(given(one.next(9)), { copies: 2 }, 9)
    expect([one.done, one.duplicate]).toEqual([1, 3])
    one.handBack()
    expect([one.done, one.duplicate]).toEqual([1, 3])
    const other = lane({}, { policy: [{ on: ["x"], retry: { baseMs: 9 }, then: "halt" }], concurrency: 2 })
    other.received(batch(0, [1, 2]))
    other.finished(given(other.next(0)), { tag: "x" }, 0)
    other.finished(given(other.next(0)), { copies: 1 }, 0)
    expect([other.done, other.duplicate]).toEqual([0, 1])
    other.handBack()
    expect([other.done, other.duplicate]).toEqual([0, 0])
  })
})
