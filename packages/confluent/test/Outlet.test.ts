import fc from "fast-check"
import { batchOf, type Run } from "leat/transport"
import { setImmediate as turn } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { Outlet } from "../src/produce/Outlet.ts"
import { FakeProducer } from "./FakeProducer.ts"

const codeOf = ({ code }: { readonly code: number }) => code

function pair(hasPositions: boolean, nowMs = () => 0) {
  const producer = new FakeProducer(hasPositions)
  return { producer, outlet: new Outlet(producer, { hasPositions, nowMs, codeOf }) }
}

const turns = async (count: number) => {
  for (let index = 0; index < count; index++) await turn()
}

const records = (values: ReadonlyArray<string>) => batchOf(values.map((value) => ({ key: "k", value })))

/** Of each record of a send the fate that was told. */
function fatesOf(runs: ReadonlyArray<Run>, count: number): ReadonlyArray<string> {
  const fates = Array.from({ length: count }, () => "not told")
  for (const { from, to, fate } of runs) fates.fill(fate, from, to)
  return fates
}

type Step =
  | { readonly send: { readonly partition: number; readonly count: number; readonly isUnique: boolean } }
  | { readonly answer: { readonly partition: number; readonly count: number; readonly code: number } }
  | { readonly wait: number }

const partition = fc.nat({ max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ send: fc.record({ partition, count: fc.integer({ min: 1, max: 6 }), isUnique: fc.boolean() }) }),
  fc.record({
    answer: fc.record({
      partition,
      count: fc.integer({ min: 1, max: 9 }),
      code: fc.constantFrom(0, 0, 0, 29, 10, -151)
    })
  }),
  fc.record({ wait: fc.integer({ min: 1, max: 4 }) })
)

describe.each([false, true])("what is told of records, positions: %s", (hasPositions) => {
  it("is what became of them, or that it is not known, whatever the brokers answer", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { producer, outlet } = pair(hasPositions)
        const sends: Array<{
          readonly values: ReadonlyArray<string>
          runs: ReadonlyArray<Run> | undefined
          told: number
        }> = []
        for (const [index, one] of steps.entries()) {
          if ("send" in one) {
            const { count, isUnique } = one.send
            const values = Array.from({ length: count }, (_, at) => (isUnique ? `${index}/${at}` : "same"))
            const sent: (typeof sends)[number] = { values, runs: undefined, told: 0 }
            sends.push(sent)
            outlet.send("t", one.send.partition, records(values), 0, count, (runs) => {
              sent.told++
              sent.runs = runs
            })
          } else if ("answer" in one) producer.answer(one.answer.partition, one.answer.count, one.answer.code)
          else await turns(one.wait)
        }
        // What came during a flush is handed over behind it.
        await turns(4)
        for (const at of [0, 1, 2]) producer.answer(at, 1000, 0)
        await turns(12)
        // What was sent to a partition was answered in that order.
        const answers = new Map([0, 1, 2].map((at) => [at, producer.answered.filter((one) => one.partition === at)]))
        let index = 0
        for (const one of steps) {
          if (!("send" in one)) continue
          const { runs = [], values, told: times } = sends[index++] ?? { values: [], told: 0 }
          const truth = answers.get(one.send.partition)?.splice(0, one.send.count) ?? []
          expect(times).toBe(1)
          const told = fatesOf(runs, values.length)
          for (const [at, { code, offset }] of truth.entries()) {
            const possible = code === 0 ? ["stored", "unknown"] : code === -151 ? ["unknown"] : ["notStored", "unknown"]
            expect(possible).toContain(told[at])
            // With a report for each nothing is in doubt, and positions are the broker's.
            const run = runs.find(({ from, to }) => from <= at && at < to)
            const position = run?.base === undefined ? undefined : run.base + BigInt(at - run.from)
            expect(told[at]).toBe(hasPositions ? possible[0] : told[at])
            expect(position).toBe(hasPositions && code === 0 ? BigInt(offset) : undefined)
          }
        }
        expect(outlet.isSettled).toBe(true)
        // A record alone may be handed over at any time.
        const singles = steps.filter((one) => "send" in one && one.send.count === 1).length
        expect(producer.cut).toBeLessThanOrEqual(singles)
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 200) }
    )
  })
})

describe.each([false, true])("one range is one request, positions: %s", (hasPositions) => {
  it("hands nothing over while a flush runs: librdkafka would send half of it", async () => {
    const { producer, outlet } = pair(hasPositions)
    producer.isFlushHeld = true
    const told: Array<string> = []
    outlet.send("t", 0, records(["a", "b"]), 0, 2, () => told.push("ab"))
    expect(producer.outstanding).toBe(2)
    await turns(2)
    outlet.send("t", 1, records(["c", "d"]), 0, 2, () => told.push("cd"))
    outlet.whenSettled("t", 1, () => told.push("settled"))
    await turns(4)
    expect([producer.outstanding, outlet.isSettled]).toEqual([2, false])
    producer.answer(0, 2, 0)
    producer.isFlushHeld = false
    producer.endFlush()
    await turns(2)
    expect([producer.outstanding, producer.cut]).toEqual([2, 0])
    producer.answer(1, 2, 0)
    await turns(12)
    expect(told).toEqual(["ab", "cd", "settled"])
    expect([outlet.isSettled, producer.cut]).toEqual([true, 0])
  })

  it("hands a single record over at any time, behind what waits for its partition", async () => {
    const { producer, outlet } = pair(hasPositions)
    producer.isFlushHeld = true
    const send = (at: number, values: ReadonlyArray<string>) =>
      outlet.send("t", at, records(values), 0, values.length, () => {})
    send(0, ["a", "b"])
    await turns(2)
    send(1, ["c"])
    expect(producer.outstanding).toBe(3)
    send(0, ["d", "e"])
    send(0, ["f"])
    expect(producer.outstanding).toBe(3)
    producer.endFlush()
    await turns(3)
    producer.answer(0, 9, 0)
    expect(producer.answered.map(({ value }) => value?.toString())).toEqual(["a", "b", "d", "e", "f"])
  })

  it("flushes until all is settled: nothing else ends the linger", async () => {
    const { producer, outlet } = pair(hasPositions)
    outlet.send("t", 0, records(["a", "b"]), 0, 2, () => {})
    await turns(20)
    const early = producer.flushes
    await turns(20)
    expect(producer.flushes).toBeGreaterThan(early)
    producer.answer(0, 2, 0)
    await turns(12)
    const late = producer.flushes
    await turns(20)
    expect(producer.flushes).toBe(late)
  })

  it("tells what still waits when it is given up that it is not stored: it was never sent", async () => {
    const { producer, outlet } = pair(hasPositions)
    producer.isFlushHeld = true
    const told: Array<ReadonlyArray<Run>> = []
    for (const at of [0, 1]) {
      outlet.send("t", at, records(["a", "b"]), 0, 2, (runs) => told.push(runs))
      await turns(2)
    }
    outlet.whenSettled("t", 1, () => told.push([]))
    outlet.giveUp("closed")
    const fates = told.flatMap((runs) => runs.map(({ from, to, fate, error }) => [from, to, fate, error?.reason]))
    expect(fates).toEqual([
      [0, 2, "notStored", "Unavailable"],
      [0, 2, "unknown", "Timeout"]
    ])
    expect([told.length, outlet.isSettled]).toEqual([3, true])
  })
})

describe("an outlet without positions", () => {
  it("tells exactly which records failed, where their bytes tell", async () => {
    const { producer, outlet } = pair(false)
    let told: ReadonlyArray<Run> = []
    outlet.send("t", 0, records(["a", "b", "c", "d", "e"]), 0, 5, (runs) => (told = runs))
    producer.answer(0, 2, 0)
    producer.answer(0, 2, 29)
    producer.answer(0, 1, 0)
    await turns(6)
    expect(told.map(({ from, to, fate, error }) => [from, to, fate, error?.reason])).toEqual([
      [0, 2, "stored", undefined],
      [2, 4, "notStored", "Unauthorized"],
      [4, 5, "stored", undefined]
    ])
  })

  it("gives what was refused together with others no error of its own", async () => {
    for (const hasPositions of [false, true]) {
      const { producer, outlet } = pair(hasPositions)
      let told: ReadonlyArray<Run> = []
      outlet.send("t", 0, records(["a", "b", "c", "d"]), 0, 4, (runs) => (told = runs))
      producer.answer(0, 2, -138)
      producer.answer(0, 1, 32)
      producer.answer(0, 1, -138)
      await turns(6)
      expect(told.map(({ from, to, fate, error }) => [from, to, fate, error?.reason])).toEqual([
        [0, 2, "notStored", undefined],
        [2, 3, "notStored", "Rejected"],
        [3, 4, "notStored", undefined]
      ])
    }
  })

  it("tells what failed together as one range, so that leat halves it: librdkafka does not always say which record is refused", async () => {
    const { producer, outlet } = pair(true)
    let told: ReadonlyArray<Run> = []
    outlet.send("t", 0, records(["a", "b", "c"]), 0, 3, (runs) => (told = runs))
    producer.answer(0, 3, 32)
    await turns(6)
    expect(told.map(({ from, to, error }) => [from, to, error?.reason])).toEqual([[0, 3, "Rejected"]])
  })

  it("says that it does not know, where the bytes do not tell", async () => {
    const { producer, outlet } = pair(false)
    let told: ReadonlyArray<Run> = []
    outlet.send("t", 0, records(["a", "a", "a"]), 0, 3, (runs) => (told = runs))
    producer.answer(0, 1, 0)
    producer.answer(0, 1, 29)
    producer.answer(0, 1, 0)
    await turns(6)
    expect(told.map(({ from, to, fate }) => [from, to, fate])).toEqual([[0, 3, "unknown"]])
  })

  it("T12 tells of what was refused in the middle of a range, and of what was handed over, when that is known", async () => {
    const { producer, outlet } = pair(false)
    producer.refusal = { after: 2, code: -184 }
    let told: ReadonlyArray<Run> = []
    outlet.send("t", 0, records(["a", "b", "c", "d"]), 0, 4, (runs) => (told = runs))
    producer.answer(0, 9, 0)
    await turns(6)
    expect(told.map(({ from, to, fate, error }) => [from, to, fate, error?.reason])).toEqual([
      [0, 2, "stored", undefined],
      [2, 4, "notStored", "Full"]
    ])
  })

  it("tells of one partition while another one gives no answer", async () => {
    let nowMs = 0
    const { producer, outlet } = pair(false, () => nowMs)
    const told = new Map<number, ReadonlyArray<Run>>()
    for (const at of [0, 1]) outlet.send("t", at, records(["a", "b"]), 0, 2, (runs) => told.set(at, runs))
    producer.answer(1, 2, 0)
    await turns(4)
    producer.statistics()
    await turns(4)
    expect([...told.keys()]).toEqual([])
    nowMs = 150
    producer.statistics()
    await turns(4)
    expect([...told.keys()]).toEqual([1])
    producer.answer(0, 2, 0)
    await expect.poll(() => [...told.keys()]).toEqual([1, 0])
  })

  it("T17 waits for failures that are still on their way when nothing is outstanding any more", async () => {
    const { producer, outlet } = pair(false)
    let told: ReadonlyArray<Run> = []
    outlet.send("t", 0, records(["a", "b", "c"]), 0, 3, (runs) => (told = runs))
    producer.answer(0, 3, 10)
    await turns(8)
    expect(told.map(({ from, to, error }) => [from, to, error?.reason])).toEqual([[0, 3, "TooLarge"]])
  })

  it("hands nothing over while no broker is there, and looks again at each send", async () => {
    const { producer, outlet } = pair(false)
    expect(outlet.reachable).toBe(true)
    producer.emit("event.error", { code: -187, message: "" })
    producer.isAway = true
    expect(await outlet.reachable).toBe(false)
    producer.isAway = false
    expect(await outlet.reachable).toBe(true)
    expect(outlet.reachable).toBe(true)
    expect(producer.probes).toBe(2)
  })

  it("is broken once librdkafka has given its session up", async () => {
    const { producer, outlet } = pair(false)
    let told: ReadonlyArray<Run> = []
    outlet.send("t", 0, records(["a", "b"]), 0, 2, (runs) => (told = runs))
    producer.answer(0, 2, -152)
    await turns(6)
    expect(outlet.isBroken).toBe(true)
    expect(told.map(({ from, to, fate }) => [from, to, fate])).toEqual([[0, 2, "unknown"]])
  })
})
