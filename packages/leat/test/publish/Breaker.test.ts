import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Breaker } from "../../src/publish/Breaker.js"

const settings = { failureRate: 0.8, windowMs: 10_000, minSends: 20, waitMs: 1000, maxWaitMs: 8000 }

/** One that has just opened at a time, all of its partitions being sick. */
function opened(partitions: number, nowMs: number): Breaker {
  const breaker = new Breaker(partitions, settings)
  for (let send = 0; breaker.state === "closed"; send++) {
    if (send > 1000) throw new Error("it does not open")
    breaker.answered(send % partitions, true, nowMs)
  }
  return breaker
}

/** Has the next probe of whoever is in front sent and failed; returns when, and of which partition. */
function failedProbe(breaker: Breaker, partitions: number): { readonly atMs: number; readonly partition: number } {
  const atMs = breaker.probeAtMs
  for (let partition = 0; partition < partitions; partition++) breaker.admits(partition, atMs - 1)
  const partition = breaker.first ?? -1
  expect(breaker.admits(partition, atMs)).toBe(true)
  expect(breaker.probed(true, atMs + 100)).toBe(false)
  return { atMs, partition }
}

describe("a breaker", () => {
  it("opens when the share of the latest sends has failed, and not with one fewer", () => {
    const breaker = new Breaker(4, settings)
    for (let send = 0; send < 4; send++) breaker.answered(send, false, send)
    const told = Array.from({ length: 16 }, (_, send) => breaker.answered(send % 4, true, 100 + send))
    expect(told).toEqual([...Array.from({ length: 15 }, () => false), true])
    expect(breaker.state).toBe("open")
    expect(breaker.counts).toEqual({ sends: 20, failed: 16, partitions: 4, sick: 4 })
    expect(breaker.probeAtMs).toBe(100 + 15 + 1000)
  })

  it("of a destination with one partition opens for that one", () => {
    expect(opened(1, 5).counts).toEqual({ sends: 20, failed: 20, partitions: 1, sick: 1 })
  })

  it("counts nothing that was answered before its window", () => {
    const breaker = new Breaker(4, settings)
    for (let send = 0; send < 19; send++) breaker.answered(send % 4, true, 0)
    for (let send = 0; send < 19; send++) expect(breaker.answered(send % 4, true, 10_000)).toBe(false)
    expect(breaker.answered(3, true, 10_000)).toBe(true)
  })

  it("has longer and longer pauses, up to the longest, and probes partitions in turn", () => {
    const breaker = opened(4, 0)
    const probes = Array.from({ length: 8 }, () => failedProbe(breaker, 4))
    expect(probes.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 0, 1, 2, 3])
    const pauses = probes.map(({ atMs }, index) => atMs - (index === 0 ? 0 : (probes[index - 1]?.atMs ?? 0) + 100))
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000])
    expect(breaker.probes).toBe(8)
  })

  it("lets one probe out at a time, and none before its time", () => {
    const breaker = opened(4, 0)
    expect([breaker.admits(2, 999), breaker.admits(1, 1000), breaker.admits(2, 1000), breaker.admits(2, 1001)]).toEqual(
      [false, false, true, false]
    )
    expect([breaker.state, breaker.first, breaker.admits(1, 1002)]).toEqual(["halfOpen", 1, false])
  })

  it("gives the place of one that has nothing to send to the next", () => {
    const breaker = opened(4, 0)
    for (const partition of [3, 1, 2]) breaker.admits(partition, 500)
    breaker.leave(3)
    expect(breaker.first).toBe(1)
    expect(breaker.admits(1, 1000)).toBe(true)
    breaker.probed(true, 1100)
    // Whoever comes when nobody waits is the probe.
    breaker.leave(2)
    expect([breaker.first, breaker.admits(0, 3100)]).toEqual([undefined, true])
  })

  it("closes after a probe that was answered, and what failed before does not open it again", () => {
    const breaker = opened(4, 0)
    breaker.admits(0, 1000)
    expect(breaker.probed(false, 1010)).toBe(true)
    expect([breaker.state, breaker.first, breaker.admits(3, 1010)]).toEqual(["closed", undefined, true])
    for (let send = 0; send < 19; send++) expect(breaker.answered(send % 4, true, 1020)).toBe(false)
    expect(breaker.answered(3, true, 1020)).toBe(true)
    // Its pauses begin anew.
    expect(breaker.probeAtMs).toBe(2020)
  })

  it("closes where the destination is known to answer otherwise", () => {
    const breaker = opened(4, 0)
    expect([breaker.close(), breaker.state, breaker.close()]).toEqual([true, "closed", false])
  })

  it("has a shorter pause at once with other settings, and counts anew where another number of sends is looked at", () => {
    const breaker = opened(4, 0)
    for (let probe = 0; probe < 5; probe++) failedProbe(breaker, 4)
    const { probeAtMs } = breaker
    breaker.configure({ ...settings, maxWaitMs: 500, minSends: 4 })
    expect(breaker.probeAtMs).toBe(probeAtMs - 8000 + 500)
    breaker.close()
    expect([0, 1, 2, 3].map((partition) => breaker.answered(partition, true, 0))).toEqual([false, false, false, true])
  })
})

const partitionsMax = 64
const answer = fc.record({
  partition: fc.nat(partitionsMax - 1),
  hasFailed: fc.boolean(),
  ms: fc.integer({ min: 0, max: 700 })
})

describe("whatever is answered, a breaker", () => {
  it("opens only when it may, by what was answered in its window", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 3, 64),
        fc.constantFrom(0.01, 0.5, 0.8, 1),
        fc.constantFrom(1, 5, 20),
        fc.array(answer, { maxLength: 200 }),
        (partitions, failureRate, minSends, answers) => {
          const breaker = new Breaker(partitions, { ...settings, failureRate, minSends })
          const all: Array<{ readonly partition: number; readonly hasFailed: boolean; readonly atMs: number }> = []
          let nowMs = 0
          for (const { partition: any, hasFailed, ms } of answers) {
            nowMs += ms
            const partition = any % partitions
            all.push({ partition, hasFailed, atMs: nowMs })
            const latest = all.filter(({ atMs }) => atMs > nowMs - settings.windowMs)
            const looked = latest.slice(-minSends)
            const last = new Map(latest.map((one) => [one.partition, one.hasFailed]))
            const sick = [...last.values()].filter(Boolean).length
            const isDue =
              hasFailed &&
              looked.length >= minSends &&
              looked.filter((one) => one.hasFailed).length >= failureRate * minSends &&
              sick >= failureRate * last.size &&
              (partitions === 1 || sick >= 2)
            expect(breaker.answered(partition, hasFailed, nowMs)).toBe(isDue)
            if (isDue) return
          }
          expect(breaker.state).toBe("closed")
        }
      ),
      { seed: 11, numRuns: 400 }
    )
  })

  it("never opens for one sick partition, however often that is tried, beside others that are well", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 64 }),
        fc.constantFrom(0.5, 0.8, 1),
        fc.array(fc.tuple(fc.nat(63), fc.nat(50), fc.nat(3000)), { maxLength: 100 }),
        (partitions, failureRate, rounds) => {
          const breaker = new Breaker(partitions, { ...settings, failureRate })
          let nowMs = 0
          for (const [healthy, failures, ms] of rounds) {
            nowMs += ms
            for (let failure = 0; failure < failures; failure++) breaker.answered(0, true, nowMs)
            breaker.answered(1 + (healthy % (partitions - 1)), false, nowMs)
          }
          expect(breaker.state).toBe("closed")
        }
      ),
      { seed: 12, numRuns: 200 }
    )
  })

  it("always probes again within the longest pause, each that waits in its turn, and closes with the first that is answered", () => {
    const ask = fc.record({ partition: fc.nat(7), ms: fc.nat(900), isAnswered: fc.boolean(), isWell: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 300 }), (asks) => {
        const breaker = opened(8, 0)
        const wrong: Array<unknown> = []
        let nowMs = 0
        let pausedAtMs = 0
        let line: Array<number> = []
        let isProbed = false
        for (const { partition, ms, isAnswered, isWell } of asks) {
          nowMs += ms
          if (isProbed && isAnswered) {
            isProbed = false
            pausedAtMs = nowMs
            const hasClosed = breaker.probed(isWell > 0, nowMs)
            if (hasClosed !== (isWell === 0)) wrong.push({ nowMs, hasClosed })
            if (isWell === 0) {
              if (breaker.state !== "closed" || !breaker.admits(partition, nowMs)) wrong.push({ nowMs, why: "closed" })
              break
            }
          }
          const isLet = breaker.admits(partition, nowMs)
          const isNext = line.length === 0 || line[0] === partition
          const isEarly = isProbed || !isNext || nowMs < pausedAtMs + settings.waitMs
          // Nobody who is next waits longer than the longest pause.
          const isLate = !isProbed && isNext && nowMs >= pausedAtMs + settings.maxWaitMs
          if (isLet ? isEarly : isLate) wrong.push({ nowMs, partition, isLet })
          if (!isLet && !line.includes(partition)) line.push(partition)
          if (isLet) line = line.filter((one) => one !== partition)
          isProbed ||= isLet
          if (breaker.first !== line[0]) wrong.push({ nowMs, first: breaker.first })
        }
        expect(wrong).toEqual([])
      }),
      { seed: 13, numRuns: 300 }
    )
  })
})
