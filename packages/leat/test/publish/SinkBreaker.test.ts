/** A breaker between its sink and its pump, without both. */
import { Context, References } from "effect"
import { describe, expect, it } from "vitest"
import type { Pump } from "../../src/publish/Pump.js"
import type { PumpedLane } from "../../src/publish/Pumped.js"
import { SinkBreaker } from "../../src/publish/SinkBreaker.js"
import type { Span } from "../../src/publish/Span.js"
import type { Sending } from "../../src/publish/WritePartition.js"
import { type Run, TransportError, type TransportReason } from "../../src/transport/index.js"

const settings = { failureRate: 0.5, windowMs: 10_000, minSends: 4, waitMs: 1000, maxWaitMs: 8000 }

const failing = (reason: TransportReason, fate: Run["fate"] = "notStored"): Run => ({
  from: 0,
  to: 1,
  fate,
  error: new TransportError({ reason, transport: "memory", operation: "send", detail: "no" })
})

function breakerOf(gone: ReadonlyArray<number> = []) {
  const woken: Array<number | undefined> = []
  const alarms: Array<number> = []
  const clock = { nowMs: 0 }
  const pump = {
    get nowMs() {
      return clock.nowMs
    },
    wallMs: 5,
    context: Context.make(References.MinimumLogLevel, "None"),
    alarm: (_: unknown, atMs: number) => void alarms.push(atMs),
    forget: () => undefined
  } as unknown as Pump
  const wake = (partition: number | undefined) => {
    woken.push(partition)
    return partition === undefined || !gone.includes(partition)
  }
  const leg = { sink: "far/notes" } as never
  const breaker = new SinkBreaker({ leg, partitions: 4, wake, pending: 0 }, pump, settings)
  const spans = Array.from({ length: 4 }, () => ({}) as Span)
  const answered = (partition: number, runs: ReadonlyArray<Run>, more: object = {}, nowMs = 0) =>
    breaker.answered(partition, { span: {}, runs, isBehind: false, ...more } as Sending, nowMs)
  const asks = (partition: number, nowMs: number) =>
    breaker.admits({ partition: { partition } } as PumpedLane, spans[partition] as Span, nowMs)
  const opens = () => {
    for (let partition = 0; partition < 4; partition++) answered(partition, [failing("Unavailable")])
    expect(breaker.isOpen).toBe(true)
  }
  return { breaker, woken, alarms, answered, asks, opens, spans, clock }
}

describe("what opens a breaker", () => {
  it.each<[TransportReason, Run["fate"], boolean]>([
    ["Unavailable", "notStored", true],
    ["Throttled", "notStored", true],
    ["Timeout", "unknown", true],
    ["Corrupt", "unknown", true],
    ["Rejected", "notStored", false],
    ["TooLarge", "notStored", false],
    ["Unauthorized", "notStored", false]
  ])("%s (%s): %s", (reason, fate, isOne) => {
    const { breaker, answered } = breakerOf()
    for (let send = 0; send < 40; send++) answered(send % 4, [failing(reason, fate)])
    expect(breaker.isOpen).toBe(isOne)
  })

  it("is an answer that says of nothing what became of it, and why", () => {
    const { breaker, answered } = breakerOf()
    for (let send = 0; send < 40; send++) answered(send % 4, [{ from: 0, to: 1, fate: "unknown" }])
    expect(breaker.isOpen).toBe(true)
  })

  it("is no range of which something was stored, nor one that failed because of another, nor one without a reason", () => {
    const { breaker, answered } = breakerOf()
    for (let send = 0; send < 40; send++) {
      answered(send % 4, [{ from: 0, to: 1, fate: "stored" }, failing("Unavailable")])
      answered(send % 4, [failing("Unavailable")], { isBehind: true })
      answered(send % 4, [{ from: 0, to: 1, fate: "notStored" }])
    }
    expect(breaker.isOpen).toBe(false)
  })
})

describe("the next probe", () => {
  it("is that of the first partition that has something to send: who has nothing gives its place up", () => {
    const { breaker, woken, alarms, asks, opens } = breakerOf([2])
    opens()
    expect(alarms).toEqual([1000])
    for (const partition of [1, 2, 3]) asks(partition, 500)
    breaker.ring()
    expect(woken).toEqual([1])
    // It was driven, and has not asked: its events were dropped meanwhile. Nobody writes to 2.
    breaker.driven(1)
    expect(woken).toEqual([1, 2, 3])
    expect(asks(3, 1001)).toBe(true)
    breaker.driven(3)
    expect(woken).toEqual([1, 2, 3])
  })

  it("has its own answer: those of sends from before say nothing", () => {
    const { breaker, woken, alarms, asks, answered, opens, spans } = breakerOf()
    opens()
    expect(asks(1, 1000)).toBe(true)
    answered(1, [{ from: 0, to: 1, fate: "stored" }], {}, 1100)
    answered(1, [failing("Unavailable")], {}, 1100)
    expect([breaker.view, alarms]).toEqual([{ state: "halfOpen", sinceMs: 5 }, [1000]])
    answered(1, [failing("Unavailable")], { span: spans[1] }, 1200)
    expect([breaker.view.state, alarms.at(-1)]).toEqual(["open", 3200])
    expect(asks(2, 3200)).toBe(true)
    // It is refused: the cluster has answered.
    answered(2, [failing("Rejected")], { span: spans[2] }, 3300)
    expect([breaker.view.state, woken.at(-1)]).toEqual(["closed", undefined])
    expect(woken).toHaveLength(1)
  })

  it("is not waited for where what is sent on from a spill is stored", () => {
    const { breaker, woken, opens } = breakerOf()
    opens()
    const told: Array<unknown> = []
    const answer = breaker.watched(3, 0, 1, (runs) => void told.push(runs))
    answer([failing("Unavailable")])
    expect(breaker.view.state).toBe("open")
    answer([{ from: 0, to: 1, fate: "stored" }])
    expect([breaker.view.state, woken, told.length]).toEqual(["closed", [undefined], 2])
  })
})
