import { Effect } from "effect"
import fc from "fast-check"
import { MemoryBroker } from "leat"
import { describe, expect, it } from "vitest"
import { RetryBudget } from "../../src/publish/RetryBudget.js"
import { note, openNotes, story } from "./stories.js"

describe("a budget of retries", () => {
  it("is a share of first sends, and one retry in a second in any case", () => {
    const budget = new RetryBudget(0.2)
    // Of nothing that was sent there is no share: the first is the probe.
    expect([budget.spend(5000), budget.spend(5000), budget.spend(5400), budget.spend(5999)]).toEqual([
      5000, 6000, 6001, 6002
    ])
    expect([budget.spend(6000), budget.spend(6001)]).toEqual([6000, 7000])
    for (let sends = 0; sends < 9; sends++) budget.earn()
    expect([budget.spend(6010), budget.spend(6011)]).toEqual([6010, 7001])
    budget.earn()
    expect(budget.spend(6012)).toBe(6012)
  })

  it("saves up a hundred, and takes another share over", () => {
    const budget = new RetryBudget(1)
    for (let sends = 0; sends < 1000; sends++) budget.earn()
    let now = 0
    while (budget.spend(0) === 0) now++
    // And the probe.
    expect(now).toBe(101)
    budget.configure(0.5)
    for (let sends = 0; sends < 4; sends++) budget.earn()
    expect([budget.spend(1), budget.spend(1), budget.spend(1) > 1]).toEqual([1, 1, true])
  })

  it("holds over any stretch of time, and lets those that ask again take turns", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("earn" as const), ms: fc.nat(50) }),
      fc.record({ kind: fc.constant("spend" as const), ms: fc.nat(400) })
    )
    fc.assert(
      fc.property(fc.constantFrom(0, 0.1, 0.2, 1), fc.array(step, { maxLength: 300 }), (share, steps) => {
        const budget = new RetryBudget(share)
        const sent: Array<{ readonly atMs: number; readonly firsts: number }> = []
        const wrong: Array<unknown> = []
        let [nowMs, firsts, lastSpentMs] = [0, 0, -Infinity]
        for (const { kind, ms } of steps) {
          nowMs += ms
          if (kind === "earn") {
            firsts++
            budget.earn()
            continue
          }
          const mayMs = budget.spend(nowMs)
          if (mayMs > nowMs) {
            // Whoever waits asks again within a second, and somebody was let through within the last one.
            if (mayMs > lastSpentMs + 1000 + steps.length || nowMs >= lastSpentMs + 1000) wrong.push({ nowMs, mayMs })
            continue
          }
          lastSpentMs = nowMs
          sent.push({ atMs: nowMs, firsts })
          for (let from = 0; from < sent.length; from++) {
            const first = sent[from]
            if (first === undefined) continue
            const seconds = (nowMs - first.atMs) / 1000
            const savedBefore = Math.min(100, share * first.firsts)
            const most = share * (firsts - first.firsts) + seconds + savedBefore + 2
            if (sent.length - from > most + 1e-6) wrong.push({ from, most, sent: sent.length })
          }
        }
        expect(wrong).toEqual([])
      }),
      { seed: 3, numRuns: 200 }
    )
  })
})

const retry = { base: "10 millis", factor: 2, maxDelay: "50 millis" }

/** Sends to partitions that refuse, by partition; `sick` says which do. */
const openSick = Effect.fnUntraced(function* (
  budget: number | undefined,
  sick: (partition: number, failures: number) => boolean
) {
  const failed: Array<number> = []
  const asked = budget === undefined ? retry : { ...retry, budget }
  const { leat, notes } = yield* openNotes({
    broker: new MemoryBroker({ partitions: 8 }),
    policy: [{ on: ["passing"], retry: asked, then: "halt" }],
    leg: { linger: "0 millis" },
    faults: {
      send: ({ partition }) => {
        if (!sick(partition, failed.length)) return undefined
        failed.push(partition)
        return { kind: "fail", reason: "Unavailable" }
      }
    }
  })
  return { leat, notes, failed }
})

describe("a destination that is sick", () => {
  it("is sent one retry in a second, its partitions in turn, and everything when it is well", () =>
    story(
      Effect.gen(function* () {
        let isSick = true
        const { leat, notes, failed } = yield* openSick(0.2, () => isSick)
        for (let key = 0; key < 100; key++) notes.offer(note(`k${key}`, "text"))
        yield* Effect.sleep("1 second")
        const first = failed.length
        yield* Effect.sleep("80 seconds")
        const probes = failed.slice(first)
        expect(probes.length).toBeGreaterThanOrEqual(79)
        expect(probes.length).toBeLessThanOrEqual(81)
        for (let partition = 0; partition < 8; partition++)
          expect(probes.filter((one) => one === partition).length).toBeGreaterThanOrEqual(9)
        isSick = false
        const since = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const told = yield* leat.flush
        const tookMs = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - since
        expect(told).toMatchObject({ stored: 100, dropped: {} })
        expect(tookMs).toBeLessThan(9000)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("is sent thousands without a budget", () =>
    story(
      Effect.gen(function* () {
        const { notes, failed } = yield* openSick(undefined, (_, failures) => failures < 5000)
        for (let key = 0; key < 100; key++) notes.offer(note(`k${key}`, "text"))
        yield* Effect.sleep("40 seconds")
        expect(failed.length).toBe(5000)
      })
    ))

  it("is sent a share of what goes to its other partitions", () =>
    story(
      Effect.gen(function* () {
        const sends = Array.from({ length: 8 }, () => 0)
        const { leat, notes, failed } = yield* openSick(0.1, (partition) => {
          sends[partition] = (sends[partition] ?? 0) + 1
          return partition === 3
        })
        for (let index = 0; index < 4000; index++) {
          notes.offer(note(`k${index % 40}`, `${index}`))
          yield* Effect.sleep(10)
        }
        const firsts = sends.reduce((sum, count, partition) => (partition === 3 ? sum : sum + count), 0)
        expect(firsts).toBeGreaterThan(3000)
        // Forty seconds, and a few that were on their way when the first failed.
        expect(failed.length).toBeLessThan(0.1 * firsts + 40 + 10)
        expect(failed.length).toBeGreaterThan(0.09 * firsts)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("has its events retried and not ended where the budget is used up: the ending is that of the rule", () =>
    story(
      Effect.gen(function* () {
        const failed: Array<number> = []
        const { leat, notes } = yield* openNotes({
          broker: new MemoryBroker({ partitions: 8 }),
          policy: [
            { on: ["passing"], retry: { times: 2, base: "10 millis", budget: 0, deadline: "1 minute" }, then: "drop" }
          ],
          leg: { linger: "0 millis" },
          faults: { send: ({ partition }) => (failed.push(partition), { kind: "fail", reason: "Unavailable" }) }
        })
        for (let key = 0; key < 100; key++) notes.offer(note(`k${key}`, "text"))
        const told = yield* leat.flush
        expect(told).toMatchObject({ stored: 0, dropped: { Unavailable: 100 } })
        // Each partition three times: none was given up for want of a retry.
        expect(failed.toSorted((one, other) => one - other)).toEqual(
          Array.from({ length: 24 }, (_, index) => Math.floor(index / 3))
        )
      })
    ))

  it("has another budget with another table", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, failed } = yield* openSick(0, () => true)
        notes.offer(note("k", "text"))
        yield* Effect.sleep("10 seconds")
        expect(failed.length).toBeLessThanOrEqual(12)
        const policies = { leg: [{ on: ["passing"], retry, then: "halt" }] }
        const to = [{ cluster: "local", topic: "notes", policy: "leg", linger: "0 millis" }]
        const routes = [{ match: { stream: "*" }, to }]
        yield* leat.swapRoutes({ version: 2, clusters: { local: { transport: "memory" } }, policies, routes })
        yield* Effect.sleep("10 seconds")
        expect(failed.length).toBeGreaterThan(150)
      })
    ))
})
