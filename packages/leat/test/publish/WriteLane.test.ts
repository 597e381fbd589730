import { describe, expect, it } from "vitest"
import { droppedHeader, readDropNotice } from "../../src/record/DropNotice.js"
import { Ledger } from "../../src/ledger/Ledger.js"
import { Waiter } from "../../src/ledger/Waiter.js"
import { strict, type Policy } from "../../src/Policy.js"
import { RecordBatch } from "../../src/record/RecordBatch.js"
import { type Run, TransportError } from "../../src/transport/index.js"
import type { Span } from "../../src/publish/Span.js"
import { WriteLane } from "../../src/publish/WriteLane.js"
import { WritePartition } from "../../src/publish/WritePartition.js"

const noLetters = { lettersMax: 100, deadLetters: "memory/t.undelivered", setAside: () => undefined }

describe("the notice of what was dropped", () => {
  function laneWithDrop(policy: Policy = strict) {
    const ledger = new Ledger()
    const account = ledger.account("s", "memory/t", 1)
    const rules = { policy, lingerMs: 0, batchBytes: 1, batchRecords: 100, retries: 0, outage: undefined }
    const partition = new WritePartition({ rules, pipeline: 1, canFence: true })
    const home = { ledger, rules, recordBytesMax: 1000, canFence: true, ...noLetters, recycle: () => undefined }
    const lane = new WriteLane(home, account)
    const append = (seq: number) => {
      const batch = new RecordBatch(4096)
      // No key, and a block of no headers: what the arena holds by itself is anything.
      batch.arena.fill(0)
      lane.begin(batch, 0)
      batch.place(3, seq, Float64Array.of(1))
      batch.commit(true, 0, 1, 2, "event")
      lane.appended()
      partition.ready(lane)
    }
    lane.refused(3, 0, "overflow")
    append(1)
    return { lane, partition, refuse: (seq: number) => lane.refused(3, seq, "overflow"), append }
  }

  /** Sends what is next, fencing first where the lane wants that; returns what the first record announces. */
  function send(partition: WritePartition, nowMs: number, fate: Run["fate"], error?: TransportError) {
    let command = partition.next(nowMs)
    if (command._tag === "Fence") {
      partition.fenced(undefined, nowMs, 0)
      command = partition.next(nowMs)
    }
    if (command._tag !== "Send") throw new Error(`the partition says ${command._tag}`)
    const { batch, from, to } = command
    expect(batch.recordBytes(from)).toBeLessThanOrEqual(1000)
    const said = batch.headers(from).find(([name]) => name === droppedHeader)?.[1]
    command.answer([error === undefined ? { from, to, fate } : { from, to, fate, error }])
    partition.settle(nowMs, 0)
    return said === undefined ? undefined : Buffer.from(said).toString()
  }

  it("is the same on a retry of what may be stored, and says nothing new", () => {
    const { lane, partition, refuse, append } = laneWithDrop()
    const first = send(partition, 1000, "unknown")
    expect(first).toBe("3:0-1:overflow")
    refuse(2)
    expect(send(partition, 100_000, "stored")).toBe(first)
    append(3)
    expect(send(partition, 200_000, "stored")).toBe("3:2-3:overflow")
    expect(lane.unannounced).toEqual([])
  })

  it("stays unsaid on a retry of what may be stored and said nothing", () => {
    const { lane, partition, refuse, append } = laneWithDrop()
    send(partition, 1000, "stored")
    append(1)
    expect(send(partition, 2000, "unknown")).toBeUndefined()
    refuse(2)
    expect(send(partition, 100_000, "unknown")).toBeUndefined()
    expect(send(partition, 900_000, "stored")).toBeUndefined()
    expect(lane.unannounced).toHaveLength(1)
  })

  it("is cut where the backend takes less than was said, and costs no record its place", () => {
    const { lane, partition, append } = laneWithDrop([{ on: ["TooLarge"], then: "drop" }])
    for (let bucket = 10; bucket < 40; bucket++) lane.refused(bucket, 0, "overflow")
    const told: Array<string> = []
    const error = new TransportError({ reason: "TooLarge", transport: "test", operation: "send", detail: "drawn" })
    for (let sends = 0, seq = 1; seq < 10 && sends < 100; sends++) {
      const command = partition.next(1000)
      if (command._tag !== "Send") throw new Error(`the partition says ${command._tag}`)
      const { batch, from, to } = command
      const said = batch.headers(from).find(([name]) => name === droppedHeader)?.[1]
      const isTaken = batch.recordBytes(from) <= 100
      command.answer([isTaken ? { from, to, fate: "stored" } : { from, to, fate: "notStored", error }])
      partition.settle(1000, 0)
      if (!isTaken) continue
      told.push(...(said === undefined ? [] : readDropNotice(said).map(({ bucket }) => String(bucket))))
      append(++seq)
    }
    expect(lane.account).toMatchObject({ stored: 9, dropped: { overflow: 31 } })
    expect(told).toEqual(["3", ...Array.from({ length: 30 }, (_, index) => String(10 + index))])
  })

  it("is not what a record without one is too large by, nor of what may be stored", () => {
    const { lane, partition, append } = laneWithDrop([{ on: ["TooLarge"], then: "drop" }])
    const error = new TransportError({ reason: "TooLarge", transport: "test", operation: "send", detail: "drawn" })
    expect(send(partition, 1000, "notStored", error)).toBe("3:0-1:overflow")
    expect(send(partition, 1000, "notStored", error)).toBeUndefined()
    expect(lane.account.dropped).toEqual({ overflow: 1, TooLarge: 1 })
    append(2)
    const told = send(partition, 1000, "unknown")
    expect(told).toBe("3:0-1:overflow;3:1-2:TooLarge")
  })

  it("is told in parts where no record has room for all of it", () => {
    const { lane, partition, append } = laneWithDrop()
    for (let bucket = 10; bucket < 210; bucket++) lane.refused(bucket, 0, "overflow")
    const told: Array<string> = []
    for (let seq = 1; lane.unannounced.length > 0 && seq < 10; seq++) {
      const said = send(partition, 1000 * seq, "stored") ?? ""
      expect(said.length).toBeLessThanOrEqual(1000)
      told.push(...said.split(";").filter((text) => text !== "..."))
      append(seq + 1)
    }
    expect(told.map((text) => text.split(":")[0])).toEqual([
      "3",
      ...Array.from({ length: 200 }, (_, at) => `${at + 10}`)
    ])
  })

  it("grows on a retry of what is known not to be stored", () => {
    const { lane, partition, refuse } = laneWithDrop()
    expect(send(partition, 1000, "notStored")).toBe("3:0-1:overflow")
    refuse(2)
    expect(send(partition, 100_000, "stored")).toBe("3:0-1:overflow;3:2-3")
    expect(lane.unannounced).toEqual([])
  })

  it("is for the next record to say where the policy gives one up that was to say it, and is said once", () => {
    const { lane, partition } = laneWithDrop([{ on: ["*"], then: "drop" }])
    expect(send(partition, 1000, "notStored")).toBe("3:0-1:overflow")
    expect(lane.unannounced.map(({ from, to }) => [from, to])).toEqual([
      [0, 1],
      [1, 2]
    ])
  })

  it("is for the next record to say where one that perhaps said it is given up", () => {
    const { lane, partition } = laneWithDrop()
    send(partition, 1000, "unknown")
    lane.abandon("closed")
    expect(lane.unannounced.map(({ from, to }) => [from, to])).toEqual([
      [0, 1],
      [1, 2]
    ])
  })
})

describe("the records of one batch", () => {
  const policy: Policy = [{ on: ["*"], retry: { baseMs: 0 }, then: "halt" }]
  const facts = { nowMs: 0, random: 0, isBehind: false }
  const away = new TransportError({ reason: "Unavailable", transport: "test", operation: "send", detail: "drawn" })

  /** Four records, on their way together. */
  function sent(rule = policy, lettersMax = 100) {
    const ledger = new Ledger()
    const rules = { policy: rule, lingerMs: 0, batchBytes: 1 << 20, batchRecords: 4, retries: 0, outage: undefined }
    const aside: Array<Span> = []
    const setAside = (_: WriteLane, span: Span) => void aside.push(span)
    const limits = { recordBytesMax: 1000, canFence: true, ...noLetters, lettersMax, setAside }
    const home = { ledger, rules, ...limits, recycle: () => undefined }
    const lane = new WriteLane(home, ledger.account("s", "memory/t", 1))
    const append = (first: number) => {
      const batch = new RecordBatch(4096)
      batch.arena.fill(0)
      const queued = lane.begin(batch, 0)
      for (let seq = first; seq < first + 4; seq++) {
        const at = batch.bytes
        batch.place(0, seq, Float64Array.of(1))
        batch.commit(true, at, at + 1, at + 2, "event")
        lane.appended()
      }
      return queued
    }
    return { aside, home, lane, queued: append(0), append, take: (nowMs = 0) => given(lane.take(nowMs)) }
  }

  it("are all given up that are in doubt, although they came to be so in parts", () => {
    const { lane, take } = sent()
    const parts = [0, 1, 2, 3].map((from) => ({ from, to: from + 1, fate: "unknown" as const }))
    expect(lane.settled(take(), parts, facts)).toBe("unknown")
    lane.dropDoubt("gone")
    expect(lane.account).toMatchObject({ dropped: { gone: 4 }, droppedMayBeStored: 4 })
    expect([lane.pending, lane.isEmpty]).toEqual([0, true])
  })

  it("are followed by the next batch when one of them waits for its letter and the others are on their way", () => {
    const error = new TransportError({ reason: "Rejected", transport: "test", operation: "send", detail: "drawn" })
    const { lane, append, take } = sent([
      { on: ["Rejected"], then: "deadLetter" },
      { on: ["*"], retry: { baseMs: 0 }, then: "halt" }
    ])
    const next = append(4)
    const refused = { from: 0, to: 1, fate: "notStored" as const, error }
    lane.settled(take(), [refused, { from: 1, to: 4, fate: "notStored", error: away }], facts)
    expect([take(1000), take(1000)].map(({ queued, from, to }) => [queued === next, from, to])).toEqual([
      [false, 1, 4],
      [true, 0, 4]
    ])
  })

  it("say little of what was dropped while the refused one among them is looked for, and all of it afterwards", () => {
    const { lane, append, take } = sent([{ on: ["*"], then: "drop" }])
    const dropped = 200
    for (let bucket = 0; bucket < dropped; bucket++) lane.refused(bucket, 9, "overflow")
    append(4)
    const error = new TransportError({ reason: "Rejected", transport: "test", operation: "send", detail: "drawn" })
    const noticed = (index: number, { queued }: ReturnType<typeof take>) =>
      readDropNotice(queued.batch.headers(index).find(([name]) => name === droppedHeader)?.[1] ?? new Uint8Array(0))
    const said: Array<number> = []
    const told = new Set<number>()
    for (let turn = 0; turn < 6; turn++) {
      const span = take()
      const ranges = noticed(span.from, span)
      said.push(ranges.length)
      const isRefused = span.queued.batch.seq[span.from] === 0
      if (!isRefused) for (const { bucket, reason } of ranges) if (reason === "overflow") told.add(bucket)
      const { from, to } = span
      lane.settled(span, [isRefused ? { from, to, fate: "notStored", error } : { from, to, fate: "stored" }], facts)
      if (lane.isEmpty) break
    }
    // The four, two of them, the refused one; then the others of the halves, and the second batch with all that is left.
    const [first = 0, ...others] = said
    expect(first).toBeGreaterThan(64)
    expect(others).toEqual([64, 64, 64, 64, 73])
    expect(told.size).toBe(dropped)
  })

  it("say on a retry what they said, although another of them was sent in between", () => {
    const { aside, lane, take } = sent([
      { on: ["Rejected"], then: "deadLetter" },
      { on: ["*"], retry: { baseMs: 0 }, then: "halt" }
    ])
    lane.refused(3, 9, "overflow")
    const error = new TransportError({ reason: "Rejected", transport: "test", operation: "send", detail: "drawn" })
    const noticeOf = ({ queued, from }: Span) =>
      Buffer.from(queued.batch.headers(from).find(([name]) => name === droppedHeader)?.[1] ?? []).toString()
    const refused = { from: 0, to: 1, fate: "notStored" as const, error }
    lane.settled(take(), [refused, { from: 1, to: 4, fate: "notStored", error: away }], facts)
    const first = take(1000)
    expect(first.from).toBe(1)
    const said = noticeOf(first)
    expect(said).toBe("3:9-10:overflow")
    lane.settled(first, [{ from: 1, to: 4, fate: "unknown", error: away }], { ...facts, nowMs: 1000 })
    lane.clearDoubt()
    // The letter of the one before is refused, and it is sent again: it has nothing to say.
    lane.letterAnswered(given(aside[0]), { tag: "Rejected", attempts: 1, detail: "drawn" }, ["too large"])
    lane.resume(2000, 0)
    const before = take(3000)
    expect([before.from, noticeOf(before)]).toEqual([0, ""])
    lane.settled(before, [{ from: 0, to: 1, fate: "stored" }], { ...facts, nowMs: 3000 })
    const again = take(9000)
    expect([again.from, noticeOf(again)]).toEqual([1, said])
  })

  it("are all dropped with it, although they were halved", () => {
    const { lane, queued, take } = sent()
    const error = new TransportError({ reason: "TooLarge", transport: "test", operation: "send", detail: "drawn" })
    for (let turn = 0; turn < 2; turn++) {
      const span = take()
      lane.settled(span, [{ from: span.from, to: span.to, fate: "notStored", error }], facts)
    }
    expect(queued.spans).toHaveLength(3)
    expect(lane.dropBatch(queued, "overflow")).toBe(4)
    expect(lane.account).toMatchObject({ dropped: { overflow: 4 }, droppedMayBeStored: 0 })
    expect([lane.pending, lane.isEmpty]).toEqual([0, true])
  })

  it("of which letters were given up serves another stream, as one of which none were", () => {
    const { home, lane, append, take } = sent([{ on: ["*"], then: "deadLetter" }], 4)
    const error = new TransportError({ reason: "Corrupt", transport: "test", operation: "send", detail: "drawn" })
    lane.settled(take(), [{ from: 0, to: 4, fate: "notStored", error }], facts)
    append(4)
    expect(lane.take(0)).toBeUndefined()
    lane.abandon("closed")
    lane.serve(home, lane.account)
    append(8)
    expect(lane.take(0)).toBeDefined()
  })

  it("are counted once, although a letter of them is answered that nobody waits for any more", () => {
    const { aside, lane, take } = sent([{ on: ["*"], then: "deadLetter" }])
    const error = new TransportError({ reason: "Corrupt", transport: "test", operation: "send", detail: "drawn" })
    lane.settled(take(), [{ from: 0, to: 4, fate: "notStored", error }], facts)
    lane.abandon("closed")
    for (const span of aside) lane.letterAnswered(span, { tag: "Corrupt", attempts: 1, detail: "drawn" }, [])
    expect(aside).toHaveLength(1)
    const { deadLettered, dropped } = lane.account
    expect({ deadLettered, dropped }).toEqual({ deadLettered: {}, dropped: { closed: 4 } })
  })

  it("are pending no more when those who wait for them are told", () => {
    const { lane, take } = sent()
    const waiter = new Waiter()
    lane.await(waiter)
    const pending: Array<number> = []
    waiter.whenDone(() => pending.push(lane.pending))
    lane.settled(take(), [{ from: 0, to: 4, fate: "stored" }], facts)
    expect(pending).toEqual([0])
  })
})

function given<A>(value: A | undefined): A {
  if (value === undefined) throw new Error("there is none")
  return value
}

describe("batches that are on their way to the dead letters", () => {
  const policy: Policy = [{ on: ["*"], then: "deadLetter" }]
  const error = new TransportError({ reason: "Rejected", transport: "t", operation: "send", detail: "planted" })

  /** A lane of batches of one record each; `looks` counts how often one of them is looked at while there is something to send. */
  function laneOfOnes(count: number) {
    const ledger = new Ledger()
    const account = ledger.account("s", "memory/t", 1)
    const rules = { policy, lingerMs: 0, batchBytes: 1, batchRecords: 1, retries: 0, outage: undefined }
    const spans: Array<Span> = []
    const setAside = (_: WriteLane, span: Span) => void spans.push(span)
    const home = {
      ledger,
      rules,
      recordBytesMax: 1000,
      canFence: true,
      ...noLetters,
      lettersMax: 10_000,
      setAside,
      recycle: () => undefined
    }
    const lane = new WriteLane(home, account)
    const told = { looks: 0 }
    const append = (seq: number) => {
      const batch = new RecordBatch(64)
      const queued = lane.begin(batch, 0)
      Object.defineProperty(queued, "batch", { get: () => (told.looks++, batch) })
      batch.arena.fill(0)
      batch.place(3, seq, Float64Array.of(1))
      batch.commit(true, 0, 1, 2, "event")
      lane.appended()
    }
    for (let seq = 0; seq < count; seq++) append(seq)
    const settle = (span: Span, run: Pick<Run, "fate" | "error">) =>
      lane.settled(span, [{ from: 0, to: 1, ...run }], { nowMs: 0, random: 0, isBehind: false })
    const refuse = () => {
      const span = lane.take(0)
      if (span !== undefined) settle(span, { fate: "notStored", error })
      return span
    }
    const answer = (span: Span, fault?: string) =>
      lane.letterAnswered(span, { tag: "Rejected", attempts: 1, detail: "planted" }, [fault])
    return { lane, account, append, refuse, settle, answer, spans, told }
  }

  it("are passed over without a look at each of them for each range", () => {
    const { lane, refuse, append, told, answer, spans } = laneOfOnes(1000)
    while (refuse() !== undefined);
    expect(spans).toHaveLength(1000)
    expect(told.looks).toBeLessThan(20_000)
    told.looks = 0
    for (let seq = 1000; seq < 1100; seq++) {
      append(seq)
      refuse()
    }
    expect(told.looks).toBeLessThan(2000)
    for (const span of spans) answer(span)
    expect(lane.isEmpty).toBe(true)
    append(1100)
    expect(refuse()).toBeDefined()
  })

  it("are sent in their turn when they are refused, whatever of them has been answered", () => {
    const { lane, account, append, refuse, settle, answer, spans } = laneOfOnes(6)
    while (refuse() !== undefined);
    const [first, second, third, fourth, fifth, sixth] = spans
    if (!first || !second || !third || !fourth || !fifth || !sixth) throw new Error("six are set aside")
    answer(second)
    answer(fourth, "refused")
    answer(first)
    answer(fifth, "refused")
    append(6)
    expect(lane.take(0)).toBeUndefined()
    lane.resume(0, 0)
    const sent: Array<number> = []
    for (let span = lane.take(0); span !== undefined; span = lane.take(0)) {
      sent.push(span.queued.batch.seq[0] ?? -1)
      settle(span, { fate: "stored" })
    }
    expect(sent).toEqual([3, 4, 6])
    answer(sixth)
    answer(third)
    expect(lane.isEmpty).toBe(true)
    expect(account).toMatchObject({ admitted: 7, stored: 3, deadLettered: { Rejected: 4 } })
  })
})
