import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/ledger/Ledger.js"
import type { Policy } from "../../src/Policy.js"
import { RecordBatch } from "../../src/record/RecordBatch.js"
import { type Run, TransportError, type TransportReason } from "../../src/transport/index.js"
import type { Queued, Span } from "../../src/publish/Span.js"
import { RetryBudget } from "../../src/publish/RetryBudget.js"
import { retryDelayMs } from "../../src/publish/retryDelayMs.js"
import type { Halted } from "../../src/publish/LaneHome.js"
import type { LaneBreaker } from "../../src/publish/LaneRules.js"
import { WriteLane } from "../../src/publish/WriteLane.js"
import { type Sending, WritePartition } from "../../src/publish/WritePartition.js"

const again: Policy = [{ on: ["*"], retry: { baseMs: 0, jitter: 0 }, then: "halt" }]

function given<A>(value: A | undefined): A {
  if (value === undefined) throw new Error("there is none")
  return value
}

/** A partition with lanes, each record a batch of its own unless told otherwise. */
function partitionWith({
  pipeline = 3,
  policy = again,
  recordsPerBatch = 1,
  lanes = 1,
  budget = undefined as RetryBudget | undefined,
  breaker = undefined as LaneBreaker | undefined
} = {}) {
  const ledger = new Ledger()
  const rules = {
    policy,
    lingerMs: 5,
    batchBytes: 1 << 20,
    batchRecords: recordsPerBatch,
    retries: 0,
    outage: undefined,
    budget,
    breaker
  }
  const partition = new WritePartition({ rules, pipeline, canFence: true })
  const recycled: Array<boolean> = []
  const begun: Array<Queued> = []
  const aside: Array<{ readonly span: Span; readonly failure: Halted }> = []
  const all = Array.from({ length: lanes }, (_, index) => {
    const account = ledger.account(`s${index}`, "memory/t", 1)
    const recycle = (_lane: WriteLane, { isReusable }: Queued) => void recycled.push(isReusable)
    return new WriteLane(
      {
        ledger,
        rules,
        recordBytesMax: 1000,
        canFence: true,
        lettersMax: 100,
        deadLetters: "memory/t.undelivered",
        setAside: (_lane, span, failure) => void aside.push({ span, failure }),
        recycle
      },
      account
    )
  })
  let seq = 0
  const append = (lane = given(all[0]), nowMs = 0) => {
    if (lane.open === undefined) begun.push(lane.begin(new RecordBatch(4096), nowMs))
    const batch = given(lane.open)
    const at = batch.bytes
    batch.place(0, seq++, Float64Array.of(1))
    batch.commit(true, at + 1, at + 1, at + 2, "event")
    lane.appended()
    partition.ready(lane)
    return batch
  }
  const sends = (nowMs = 0) => {
    const result: Array<Sending> = []
    for (let one = partition.next(nowMs); one._tag === "Send" || one._tag === "Wait"; one = partition.next(nowMs)) {
      if (one._tag === "Send") result.push(one)
      else if (one.lane === undefined) break
    }
    return result
  }
  const answer = (sending: Sending, fate: Run["fate"], reason: TransportReason = "Unavailable", nowMs = 0) => {
    const error = new TransportError({ reason, transport: "test", operation: "send", detail: "drawn" })
    const { from, to } = sending
    sending.answer([fate === "stored" ? { from, to, fate } : { from, to, fate, error }])
    partition.settle(nowMs, 0)
  }
  const seqs = (list: ReadonlyArray<Sending>) =>
    list.map(({ batch, from, to }) => Array.from(batch.seq.subarray(from, to)))
  const lane = given(all[0])
  return { partition, lane, lanes: all, append, sends, answer, seqs, begun, recycled, rules, aside }
}

describe("ranges on their way to one partition", () => {
  it("are at most as many as the transport keeps in order", () => {
    const { append, sends, answer, seqs } = partitionWith({ pipeline: 2 })
    for (let index = 0; index < 4; index++) append()
    const first = sends()
    expect(seqs(first)).toEqual([[0], [1]])
    expect(sends()).toEqual([])
    answer(given(first[0]), "stored")
    expect(seqs(sends())).toEqual([[2]])
  })

  it("count in the order of the sends, whatever order the answers come in", () => {
    const { lane, append, sends, answer } = partitionWith()
    for (let index = 0; index < 3; index++) append()
    const [one, two, three] = sends()
    answer(given(three), "stored")
    answer(given(two), "stored")
    expect(lane.account.stored).toBe(0)
    answer(given(one), "stored")
    expect(lane.account.stored).toBe(3)
  })

  it("behind one that failed are waited for, and then sent again in order; their failure is no attempt of theirs", () => {
    const policy: Policy = [{ on: ["*"], retry: { times: 1, baseMs: 0, jitter: 0 }, then: "drop" }]
    const { lane, append, sends, answer, seqs } = partitionWith({ policy })
    for (let index = 0; index < 3; index++) append()
    const [one, two, three] = sends()
    answer(given(one), "notStored")
    expect(sends()).toEqual([])
    answer(given(two), "notStored")
    answer(given(three), "notStored")
    const retried = sends()
    expect(seqs(retried)).toEqual([[0], [1], [2]])
    // The first one has had its two attempts, those behind it none that counted.
    for (const sending of retried) answer(sending, "notStored")
    expect(lane.account.dropped).toEqual({ Unavailable: 1 })
    expect(seqs(sends())).toEqual([[1], [2]])
  })

  it("are not sent behind a retry where retries have a budget: they would fail with it", () => {
    const { append, sends, answer, seqs } = partitionWith({ budget: new RetryBudget(1) })
    for (let index = 0; index < 3; index++) append()
    const first = sends(1)
    for (const sending of first) answer(sending, "notStored", "Unavailable", 1)
    const [retried, ...behind] = sends(1000)
    expect([seqs([given(retried)]), behind]).toEqual([[[0]], []])
    answer(given(retried), "stored", "Unavailable", 1000)
    expect(seqs(sends(1000))).toEqual([[1], [2]])
  })

  it("behind those on their way are judged when these are answered, where a breaker has opened", () => {
    const breaker = { isOpen: false, admits: () => false, ended: (count: number) => void (ended += count) }
    let ended = 0
    const policy: Policy = [{ on: ["BreakerOpen"], then: "drop" }, ...again]
    const { partition, append, sends, answer, lanes } = partitionWith({ breaker, policy, lanes: 2 })
    append()
    const [first] = sends(100)
    breaker.isOpen = true
    append()
    append(given(lanes[1]))
    // That of another lane has nothing before it.
    expect([sends(200), ended, given(lanes[0]).pending, given(lanes[1]).pending]).toEqual([[], 1, 2, 0])
    answer(given(first), "stored")
    partition.settle(200, 0)
    expect([sends(200), ended, given(lanes[0]).pending]).toEqual([[], 2, 0])
    // What is published later is judged at once too, one after the other.
    for (let more = 0; more < 3; more++) append()
    expect([sends(300), ended, given(lanes[0]).account.dropped]).toEqual([[], 5, { BreakerOpen: 4 }])
  })

  it("are not counted in the budget of the destination when they go to its spill, nor are those that go again", () => {
    const budget = new RetryBudget(1)
    const { partition, append, sends, answer } = partitionWith({ budget })
    partition.trip()
    for (let index = 0; index < 3; index++) append()
    // The pause of the spill is between them, and nothing else.
    for (const nowMs of [0, 250, 500, 750]) answer(given(sends(nowMs)[0]), "notStored", "Unavailable", nowMs)
    for (let index = 0; index < 3; index++) {
      given(sends(1000)[0]).answer([{ from: 0, to: 1, fate: "stored", base: BigInt(index) }])
      partition.settle(1000, 0)
    }
    expect(partition.isQuiet).toBe(true)
    // Nothing was earned: there is the probe, and no more.
    expect([budget.spend(1000), budget.spend(1000)]).toEqual([1000, 2000])
  })

  it("are all answered before a fence is asked for, and nothing is sent before it returns", () => {
    const { partition, lane, append, sends, answer, seqs } = partitionWith()
    for (let index = 0; index < 3; index++) append()
    const [one, two, three] = sends()
    answer(given(one), "unknown", "Timeout")
    expect(partition.next(0)._tag).toBe("Idle")
    answer(given(two), "stored")
    answer(given(three), "unknown", "Timeout")
    expect(lane.account.stored).toBe(1)
    expect(partition.next(0)._tag).toBe("Fence")
    append()
    expect(partition.next(0)._tag).toBe("Idle")
    partition.fenced(undefined, 0, 0)
    expect(seqs(sends())).toEqual([[0], [2], [3]])
  })

  it("are not followed by others once one of them is known to have failed, although its turn has not come", () => {
    const { append, sends, answer } = partitionWith()
    append()
    append()
    const [one, two] = sends()
    answer(given(two), "notStored")
    append()
    expect(sends()).toEqual([])
    answer(given(one), "stored")
    expect(sends()).toHaveLength(2)
  })

  it("that are too large for one request are halved, which is no attempt of the halves", () => {
    const policy: Policy = [{ on: ["*"], retry: { times: 1, baseMs: 0, jitter: 0 }, then: "drop" }]
    const { lane, append, sends, answer, seqs } = partitionWith({ policy, recordsPerBatch: 4 })
    for (let index = 0; index < 4; index++) append()
    answer(given(sends()[0]), "notStored", "TooLarge")
    answer(given(sends()[0]), "notStored", "TooLarge")
    answer(given(sends()[0]), "notStored", "Unavailable")
    expect(lane.account.dropped).toEqual({})
    expect(seqs(sends())).toEqual([[0]])
  })

  it("that are refused for good are halved until the one record is found: the policy judges that one alone", () => {
    const policy: Policy = [{ on: ["Rejected"], then: "drop" }]
    const { lane, append, sends, answer, seqs } = partitionWith({ policy, recordsPerBatch: 4 })
    for (let index = 0; index < 4; index++) append()
    const sent: Array<ReadonlyArray<number>> = []
    for (let [one] = sends(); one !== undefined; [one] = sends()) {
      const [range] = seqs([one])
      sent.push(given(range))
      // Of the four it is the third that no backend will ever take.
      if (given(range).includes(2)) answer(one, "notStored", "Rejected")
      else answer(one, "stored")
    }
    expect(sent).toEqual([[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]])
    expect(lane.account).toMatchObject({ stored: 3, dropped: { Rejected: 1 }, droppedMayBeStored: 0 })
  })

  it("that are refused for good are tried again together, as often as the policy says, and not once more one by one", () => {
    const policy: Policy = [{ on: ["*"], retry: { times: 2, baseMs: 0, jitter: 0 }, then: "drop" }]
    const { lane, append, sends, answer, seqs } = partitionWith({ policy, recordsPerBatch: 2 })
    for (let index = 0; index < 2; index++) append()
    const sent: Array<ReadonlyArray<number>> = []
    for (let [one] = sends(); one !== undefined; [one] = sends()) {
      sent.push(given(seqs([one])[0]))
      answer(one, "notStored", "Rejected")
    }
    expect(sent).toEqual([[0, 1], [0, 1], [0, 1], [0], [1]])
    expect(lane.account.dropped).toEqual({ Rejected: 2 })
  })

  it("that failed only because of others in the range are sent again in order, which is no attempt of theirs", () => {
    const policy: Policy = [{ on: ["*"], then: "drop" }]
    const { partition, lane, append, sends, answer, seqs } = partitionWith({ policy, recordsPerBatch: 4 })
    for (let index = 0; index < 4; index++) append()
    const error = new TransportError({ reason: "Rejected", transport: "test", operation: "send", detail: "drawn" })
    given(sends()[0]).answer([
      { from: 0, to: 2, fate: "notStored" },
      { from: 2, to: 3, fate: "notStored", error },
      { from: 3, to: 4, fate: "notStored" }
    ])
    partition.settle(0, 0)
    expect(lane.account.dropped).toEqual({ Rejected: 1 })
    for (const expected of [[0, 1], [3]]) {
      const [one] = sends()
      expect(seqs([given(one)])).toEqual([expected])
      answer(given(one), "stored")
    }
    expect(lane.account.stored).toBe(3)
  })

  it("that failed, and of which no driver says why, have had an attempt", () => {
    const policy: Policy = [{ on: ["Unknown"], then: "drop" }]
    const { partition, lane, append, sends } = partitionWith({ policy, recordsPerBatch: 2 })
    for (let index = 0; index < 2; index++) append()
    given(sends()[0]).answer([
      { from: 0, to: 1, fate: "stored" },
      { from: 1, to: 2, fate: "notStored" }
    ])
    partition.settle(0, 0)
    expect(lane.account).toMatchObject({ stored: 1, dropped: { Unknown: 1 } })
  })

  it("that wait for a person to resume them lose times that lie ahead of the clock by then", () => {
    const { lane, append, sends, answer } = partitionWith({ policy: [], recordsPerBatch: 2 })
    const [batch] = [append(), append()]
    batch.time.set([2000, 7_202_000])
    answer(given(sends()[0]), "notStored", "Rejected")
    answer(given(sends()[0]), "stored")
    answer(given(sends()[0]), "notStored", "Rejected")
    expect(lane.halted).toMatchObject({ tag: "Rejected", attempts: 1 })
    lane.resume(0, 5000)
    expect(Array.from(batch.time.subarray(0, 2))).toEqual([2000, 5000])
    answer(given(sends()[0]), "stored")
    expect(lane.account.stored).toBe(2)
  })

  it("that are in doubt keep their times when they are resumed: the driver may still hold them", () => {
    const { partition, lane, append, sends, answer } = partitionWith({ policy: [] })
    const batch = append()
    batch.time.set([9000])
    answer(given(sends()[0]), "unknown", "Timeout")
    expect(lane.halted).toMatchObject({ tag: "Timeout" })
    lane.resume(0, 5000)
    expect(batch.time[0]).toBe(9000)
    expect(partition.next(0)._tag).toBe("Fence")
  })

  it("that are in doubt are fenced also where they are set aside", () => {
    const policy: Policy = [{ on: ["Timeout"], then: "deadLetter" }]
    const { partition, append, sends, answer, aside } = partitionWith({ policy })
    append()
    answer(given(sends()[0]), "unknown", "Timeout")
    append()
    expect([aside.length, partition.next(0)._tag]).toEqual([1, "Fence"])
  })

  it("are tried for as long as the policy says, from the first attempt on", () => {
    const policy: Policy = [{ on: ["*"], retry: { deadlineMs: 100, baseMs: 40, jitter: 0 }, then: "drop" }]
    const { lane, append, sends, answer } = partitionWith({ policy })
    append(lane, 0)
    for (const nowMs of [0, 40, 80]) {
      expect(lane.account.dropped).toEqual({})
      answer(given(sends(nowMs)[0]), "notStored", "Unavailable", nowMs)
    }
    expect(lane.account.dropped).toEqual({ Unavailable: 1 })
  })

  it("that are given up leave arenas that nobody uses again: the driver may still hold views of them", () => {
    const { lane, append, sends, recycled } = partitionWith({ pipeline: 1 })
    append()
    append()
    expect(sends()).toHaveLength(1)
    lane.abandon("closed")
    expect(recycled).toEqual([false, true])
    expect(lane.account).toMatchObject({ dropped: { closed: 2 }, droppedMayBeStored: 1 })
  })

  it("are never two of one batch", () => {
    const { append, sends, answer, seqs } = partitionWith({ recordsPerBatch: 4 })
    for (let index = 0; index < 8; index++) append()
    const [one, two] = sends()
    answer(given(one), "notStored", "TooLarge")
    answer(given(two), "notStored")
    const half = sends()
    expect(seqs(half)).toEqual([[0, 1]])
    answer(given(half[0]), "stored")
    expect(seqs(sends())).toEqual([
      [2, 3],
      [4, 5, 6, 7]
    ])
  })

  it("are answered once: what a driver says later counts for nothing", () => {
    const { lane, append, sends, answer } = partitionWith()
    append()
    append()
    const [one, two] = sends()
    answer(given(two), "stored")
    answer(given(two), "notStored")
    answer(given(one), "stored")
    answer(given(one), "unknown")
    expect(lane.account.stored).toBe(2)
    expect(lane.pending).toBe(0)
  })
})

describe("the lanes of one partition", () => {
  it("take turns, a range each", () => {
    const { lanes, append, sends } = partitionWith({ pipeline: 4, lanes: 2 })
    const [left, right] = lanes
    for (let index = 0; index < 3; index++) append(left)
    append(right)
    expect(sends().map(({ lane }) => lane.account.stream)).toEqual(["s0", "s1", "s0", "s0"])
  })

  it("do not halt each other, and a failure of one is no attempt of another", () => {
    const policy: Policy = [{ on: ["Rejected"], then: "halt" }, ...again]
    const { lanes, append, sends, answer } = partitionWith({ policy, lanes: 2 })
    const [left, right] = lanes
    append(left)
    append(right)
    const [one, two] = sends()
    answer(given(one), "notStored", "Rejected")
    answer(given(two), "notStored", "Rejected")
    expect([left?.halted?.tag, right?.halted]).toEqual(["Rejected", undefined])
    expect(sends().map(({ lane }) => lane)).toEqual([right])
  })

  it("are told of once when they halt, however many of their ranges were on their way", () => {
    const { lane, partition, append, sends, answer } = partitionWith({ policy: [{ on: ["Rejected"], then: "halt" }] })
    const halt = () => {
      for (const one of sends()) answer(one, "notStored", "Rejected")
      return partition.haltedLanes.splice(0)
    }
    for (let index = 0; index < 3; index++) append()
    expect(halt()).toEqual([lane])
    lane.resume(0, 1)
    partition.ready(lane)
    expect(halt()).toEqual([lane])
  })

  it("wait for what may stand in the spill: it goes there again before all else, and not while another process has it", () => {
    const { lanes, partition, append, sends, answer, seqs } = partitionWith({ lanes: 2 })
    partition.trip()
    for (const lane of lanes) append(lane)
    const [lost] = sends()
    answer(given(lost), "unknown", "Timeout")
    expect(partition.next(0)._tag).toBe("Fence")
    partition.fenced(undefined, 0, 0)
    partition.isHeldBack = true
    expect(partition.isQuiet).toBe(false)
    expect(partition.next(249)).toEqual({ _tag: "Wait", lane: undefined, untilMs: 250 })
    partition.isBarred = true
    expect(partition.next(250)._tag).toBe("Idle")
    partition.isBarred = false
    const second = sends(250)
    expect(seqs(second)).toEqual([[0]])
    given(second[0]).answer([{ from: 0, to: 1, fate: "stored", base: 7n }])
    partition.settle(250, 0)
    expect([partition.isQuiet, partition.next(250)._tag]).toEqual([true, "Idle"])
    partition.isHeldBack = false
    expect(seqs(sends(250))).toEqual([[1]])
  })

  it("that are gated fill, and nothing of them is sent", () => {
    const { lane, partition, append, sends, seqs } = partitionWith()
    lane.isGated = true
    append()
    append()
    expect(sends(1_000_000)).toEqual([])
    expect(lane.pending).toBe(2)
    lane.isGated = false
    partition.ready(lane)
    expect(seqs(sends())).toEqual([[0], [1]])
  })

  it("wait for linger unless they are sealed or flushed", () => {
    const { lane, partition, append, sends } = partitionWith({ recordsPerBatch: 10 })
    append(lane, 100)
    expect(partition.next(104)).toEqual({ _tag: "Wait", lane, untilMs: 105 })
    expect(sends(104)).toEqual([])
    partition.ready(lane)
    lane.seal()
    expect(sends(104)).toHaveLength(1)
  })

  it("are dropped of only what is not on its way and cannot be stored", () => {
    const { lane, append, sends, answer, begun, recycled } = partitionWith({ pipeline: 2 })
    for (let index = 0; index < 3; index++) append()
    const [first, second] = begun
    const [one, two] = sends()
    expect(begun.map(({ isDroppable }) => isDroppable)).toEqual([false, false, true])
    expect(lane.dropBatch(given(first), "overflow")).toBe(0)
    answer(given(one), "unknown")
    answer(given(two), "notStored")
    expect(begun.map(({ isDroppable }) => isDroppable)).toEqual([false, true, true])
    expect(lane.dropBatch(given(second), "overflow")).toBe(1)
    expect(lane.account).toMatchObject({ dropped: { overflow: 1 }, droppedMayBeStored: 0 })
    lane.abandon("closed")
    expect(lane.account).toMatchObject({ dropped: { overflow: 1, closed: 2 }, droppedMayBeStored: 1 })
    // What may be stored leaves an arena that the driver may still hold views of.
    expect(recycled).toEqual([true, false, true])
  })

  it("do not take records into a batch that was dropped while it lingered", () => {
    const { lane, append, begun } = partitionWith({ recordsPerBatch: 10 })
    const lingering = append()
    expect(lane.open).toBe(lingering)
    expect(lane.dropBatch(given(begun[0]), "overflow")).toBe(1)
    expect(lane.open).toBeUndefined()
    expect(append()).not.toBe(lingering)
    expect(lane.pending).toBe(1)
  })
})

describe("a policy without a delay", () => {
  it("is given one after some attempts, so that the thread is not kept busy", () => {
    const { partition, lane, append, sends, answer } = partitionWith()
    append()
    for (let attempt = 1; attempt <= 3; attempt++) answer(given(sends()[0]), "notStored")
    answer(given(sends()[0]), "notStored")
    expect(partition.next(0)).toEqual({ _tag: "Wait", lane, untilMs: 10 })
  })

  it("is given one between fences too", () => {
    const { partition, append, sends, answer } = partitionWith()
    append()
    answer(given(sends()[0]), "unknown")
    for (let attempt = 1; attempt <= 4; attempt++) {
      expect(partition.next(0)._tag).toBe("Fence")
      partition.fenced({ tag: "Unavailable", detail: "" }, 0, 0)
    }
    expect(partition.next(0)).toEqual({ _tag: "Wait", lane: undefined, untilMs: 10 })
  })
})

describe("a fence", () => {
  const unavailable = { tag: "Unavailable", detail: "" }

  it.for(["Timeout", "Unavailable"])(
    "that failed (%s) is asked for again, and nothing is sent before it returns",
    (tag) => {
      const { partition, lane, append, sends, answer } = partitionWith()
      append()
      answer(given(sends()[0]), "unknown", "Timeout")
      for (let attempt = 1; attempt <= 3; attempt++) {
        expect(partition.next(0)._tag).toBe("Fence")
        partition.fenced({ tag, detail: "" }, 0, 0)
      }
      expect(lane.pending).toBe(1)
      expect(partition.next(0)._tag).toBe("Fence")
      partition.fenced(undefined, 0, 0)
      expect(sends()).toHaveLength(1)
    }
  )

  it("is not given up with the records in doubt: what comes later waits for it", () => {
    const policy: Policy = [{ on: ["Unavailable"], then: "drop" }, ...again]
    const { partition, lane, append, sends, answer, seqs } = partitionWith({ policy })
    append()
    answer(given(sends()[0]), "unknown", "Timeout")
    append()
    expect(partition.next(0)._tag).toBe("Fence")
    partition.fenced(unavailable, 0, 0)
    expect(lane.account).toMatchObject({ dropped: { Unavailable: 1 }, droppedMayBeStored: 1 })
    expect(partition.next(999)).toEqual({ _tag: "Wait", lane: undefined, untilMs: 1000 })
    expect(partition.next(1000)._tag).toBe("Fence")
    partition.fenced(undefined, 1000, 0)
    expect(seqs(sends(1000))).toEqual([[1]])
  })

  it("has its own attempts: those of the one before do not count", () => {
    const policy: Policy = [{ on: ["Unavailable"], retry: { times: 1, baseMs: 0, jitter: 0 }, then: "halt" }, ...again]
    const { partition, append, sends, answer } = partitionWith({ policy })
    append()
    for (let fence = 1; fence <= 3; fence++) {
      answer(given(sends()[0]), "unknown", "Timeout")
      expect(partition.next(0)._tag).toBe("Fence")
      partition.fenced(unavailable, 0, 0)
      expect(partition.halted).toBeUndefined()
      expect(partition.next(0)._tag).toBe("Fence")
      partition.fenced(undefined, 0, 0)
    }
  })
})

describe("the delay of a retry", () => {
  it("is what the policy says, also after many attempts, and never too short for then", () => {
    expect([retryDelayMs(0, 3), retryDelayMs(0, 4), retryDelayMs(7, 4), retryDelayMs(30_000, 40)]).toEqual([
      0, 10, 10, 30_000
    ])
  })
})
