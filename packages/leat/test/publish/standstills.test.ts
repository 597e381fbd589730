/** What is said while nothing is stored, and when it is over. */
import { Effect, Logger, References, type Scope } from "effect"
import { MemoryBroker } from "leat"
import { type FaultPlan, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import type { PartitionHome } from "../../src/publish/Pumped.js"
import { Standstills } from "../../src/publish/Standstills.js"
import { again, note, openNotes } from "./stories.js"

/** Runs a story on virtual time; gives what was warned of. */
function warned(program: Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const quiet = program.pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  const { exit } = simulate(1, quiet)
  expect(exit).toMatchObject({ _tag: "Success" })
  return lines
}

/** A cluster that is away while `isAway` says so: each send fails in the way that is told. */
const away = (isAway: () => boolean, outcome: ReturnType<NonNullable<FaultPlan["send"]>>): FaultPlan => ({
  send: () => (isAway() ? outcome : undefined)
})

const refuses = { kind: "fail", reason: "Unavailable" } as const
const silence = { kind: "silence" } as const

describe("a sink that stores nothing", () => {
  it("is told once after ten seconds, and once when it stores again", () => {
    let isAway = true
    const lines = warned(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ faults: away(() => isAway, refuses) })
        notes.offer(note("k", "one"))
        yield* Effect.sleep("9 seconds")
        expect(leat.sinks()).toEqual([
          { sink: "local/notes", bufferedBytes: expect.any(Number), bufferBytesMax: expect.any(Number) }
        ])
        yield* Effect.sleep("3 seconds")
        notes.offer(note("k", "two"))
        yield* Effect.sleep("48 seconds")
        expect(leat.sinks()).toMatchObject([
          { trouble: expect.stringMatching(/^has stored nothing on partition 0 for 60 seconds: Unavailable: /) }
        ])
        isAway = false
        yield* notes.flush
        expect(leat.sinks()[0]).not.toHaveProperty("trouble")
      })
    )
    expect(lines).toEqual([
      expect.stringMatching(
        /^local\/notes has stored nothing on partition 0 for 1[01] seconds: Unavailable: .*; what is sent there waits or is given up, as its policy says$/
      ),
      expect.stringMatching(/^local\/notes stores again, after 6[01] seconds$/)
    ])
  })

  it("is told too where the cluster does not answer at all, before its time is over", () => {
    let isAway = true
    const lines = warned(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({ faults: away(() => isAway, silence), leg: { timeout: "2 minutes" } })
        notes.offer(note("k", "one"))
        yield* Effect.sleep("15 seconds")
        isAway = false
        yield* notes.flush
      })
    )
    expect(lines).toEqual([
      expect.stringMatching(
        /^local\/notes has stored nothing on partition 0 for 1[01] seconds: the cluster gives no answer;/
      ),
      expect.stringMatching(/^local\/notes stores again, after 1\d\d seconds$/)
    ])
  })

  it("is told where one send is in doubt, and its partition cannot be fenced", () => {
    let isAway = true
    const lines = warned(
      Effect.gen(function* () {
        const faults: FaultPlan = { ...away(() => isAway, silence), fence: () => (isAway ? "Unavailable" : undefined) }
        const { notes } = yield* openNotes({ faults, leg: { timeout: "1 second" } })
        notes.offer(note("k", "one"))
        yield* Effect.sleep("20 seconds")
        isAway = false
        yield* notes.flush
      })
    )
    expect(lines).toEqual([
      expect.stringMatching(/^local\/notes has stored nothing on partition 0 for 1\d seconds: Unavailable: /),
      expect.stringMatching(/^local\/notes stores again, after \d\d seconds$/)
    ])
  })

  it("is told where its policy drops what fails, although no event waits for ten seconds", () => {
    const lines = warned(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({ faults: away(() => true, refuses), policy: [{ on: ["*"], then: "drop" }] })
        for (let second = 0; second < 30; second += 4) {
          notes.offer(note("k", `${second}`))
          yield* Effect.sleep("4 seconds")
        }
      })
    )
    expect(lines.filter((line) => line.includes("has stored nothing"))).toHaveLength(1)
  })

  it("names the partitions, and is not over before all of them store", () => {
    const down = new Set([1, 3])
    const lines = warned(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({
          broker: new MemoryBroker({ partitions: 4 }),
          faults: { send: ({ partition }) => (down.has(partition) ? refuses : undefined) }
        })
        const round = Effect.sync(() => {
          for (let key = 0; key < 40; key++) notes.offer(note(`k${key}`, "text"))
        })
        yield* round
        yield* Effect.sleep("20 seconds")
        yield* round
        down.delete(1)
        yield* Effect.sleep("20 seconds")
        down.clear()
        yield* notes.flush
      })
    )
    expect(lines).toEqual([
      expect.stringMatching(/^local\/notes has stored nothing on partitions? (1|3|1, 3) for 1\d seconds/),
      expect.stringMatching(/^local\/notes stores again, after 4\d seconds$/)
    ])
  })

  it("is not told where it is short, nor of a lane that halts, which has a line of its own", () => {
    let isAway = true
    const short = warned(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({ faults: away(() => isAway, refuses), policy: again })
        notes.offer(note("k", "one"))
        yield* Effect.sleep("8 seconds")
        isAway = false
        yield* notes.flush
        isAway = true
        notes.offer(note("k", "two"))
        yield* Effect.sleep("8 seconds")
        isAway = false
      })
    )
    expect(short).toEqual([])
    const halted = warned(
      Effect.gen(function* () {
        const faults = away(() => true, { kind: "fail", reason: "Rejected" })
        const { leat, notes } = yield* openNotes({
          faults,
          policy: [{ on: ["Timeout"], then: "drop" }],
          drain: "1 second"
        })
        notes.offer(note("k", "one"))
        yield* Effect.sleep("1 minute")
        expect(leat.sinks()[0]).not.toHaveProperty("trouble")
      })
    )
    expect(halted.filter((line) => line.includes("has stored nothing"))).toEqual([])
    expect(halted.some((line) => line.includes("stands on partition 0"))).toBe(true)
  })

  it("is not told of two events that were given up an hour apart, between which nothing was sent", () => {
    const lines = warned(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({
          faults: away(() => true, refuses),
          policy: [{ on: ["*"], then: "drop" }]
        })
        for (let hour = 0; hour < 3; hour++) {
          notes.offer(note("k", `${hour}`))
          yield* Effect.sleep("1 hour")
          expect(leat.sinks()[0]).not.toHaveProperty("trouble")
        }
      })
    )
    expect(lines.filter((line) => line.includes("has stored nothing"))).toEqual([])
  })

  it("is told once where its policy waits for minutes before it tries again, beside a partition that stores", () => {
    const lines = warned(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({
          broker: new MemoryBroker({ partitions: 2 }),
          faults: { send: ({ partition }) => (partition === 0 ? silence : undefined) },
          leg: { timeout: "15 seconds" },
          policy: [{ on: ["*"], retry: { base: "4 minutes" }, then: "halt" }]
        })
        const keys = Array.from({ length: 8 }, (_, at) => `k${at}`)
        for (const key of keys) notes.offer(note(key, "once"))
        for (let minute = 0; minute < 60; minute++) {
          for (const key of keys.slice(1)) notes.offer(note(key, "again"))
          yield* Effect.sleep("1 minute")
        }
      })
    )
    expect(lines.filter((line) => line.includes("has stored nothing"))).toHaveLength(1)
    expect(lines.filter((line) => line.includes("stores again"))).toEqual([])
  })
})

describe("what was told of a sink", () => {
  /** Fails and stores of its partitions, at seconds, and whether nothing waits there any more; gives what was warned of. */
  const told = (
    ...steps: ReadonlyArray<readonly [second: number, does: "fails" | "stores" | "empties", partition: number]>
  ) =>
    warned(
      Effect.gen(function* () {
        let nowMs = 0
        const context = yield* Effect.context<never>()
        const standstills = new Standstills(context, () => nowMs)
        const waiting = new Set<number>()
        const home = { leg: { sink: "a/b" }, isIdle: (partition) => !waiting.has(partition) } as PartitionHome
        for (const [second, does, partition] of steps) {
          nowMs = second * 1000
          if (does === "fails") waiting.add(partition)
          else waiting.delete(partition)
          if (does === "fails") standstills.fails(home, partition, nowMs, "away")
          else if (does === "stores") standstills.stores(home, partition)
        }
        yield* Effect.sleep(1)
      })
    ).map((line) => line.replace(/:.*/, ""))

  const stands = (partition: number, seconds = 11) =>
    `a/b has stored nothing on partition ${partition} for ${seconds} seconds`

  it("is over when another partition stores, and nothing of the one that stood is sent any more", () => {
    expect(
      told(
        [0, "fails", 0],
        [11, "fails", 0],
        [60, "stores", 1],
        [920, "stores", 1],
        [1000, "fails", 1],
        [1011, "fails", 1]
      )
    ).toEqual([stands(0), "a/b stores again, after 920 seconds", stands(1)])
  })

  it("is told again when it begins again after a while in which nothing was sent", () => {
    for (const partition of [0, 1])
      expect(
        told(
          [0, "fails", 0],
          [11, "fails", 0],
          [1000, "fails", partition],
          [1011, "fails", partition],
          [1012, "stores", partition]
        )
      ).toEqual([stands(0), stands(partition), "a/b stores again, after 12 seconds"])
  })

  it("is told once where it is tried again after pauses of minutes, beside a partition that stores", () => {
    const steps = Array.from({ length: 30 }, (_, index) => {
      const [at, stored] = [[index * 300, "fails", 0] as const, [index * 300 + 150, "stores", 1] as const]
      return [at, [index * 300 + 12, "fails", 0] as const, stored]
    })
    expect(told(...steps.flat())).toEqual([stands(0, 12)])
  })

  it("is over two minutes after what stood was given up, and so another partition is told when it stands", () => {
    expect(
      told(
        [0, "fails", 0],
        [11, "fails", 0],
        [20, "empties", 0],
        [100, "stores", 1],
        [132, "stores", 1],
        [300, "fails", 1],
        [311, "fails", 1],
        [330, "stores", 1]
      )
    ).toEqual([stands(0), "a/b stores again, after 132 seconds", stands(1), "a/b stores again, after 30 seconds"])
  })

  it("is told at most each ten minutes where little is sent, and given up each time", () => {
    const steps = Array.from({ length: 20 }, (_, index) => {
      const atS = index * 180
      const given = [
        [atS, "fails", 0],
        [atS + 11, "fails", 0],
        [atS + 12, "empties", 0],
        [atS + 140, "stores", 1]
      ] as const
      return given
    })
    const lines = told(...steps.flat())
    expect(lines.filter((line) => line.includes("has stored nothing")).length).toBeLessThanOrEqual(7)
    expect(lines.filter((line) => line.includes("stores again")).length).toBeLessThanOrEqual(7)
    expect(lines.length).toBeGreaterThan(8)
  })

  it("is told once while one of its partitions fails all the time", () => {
    const steps = Array.from({ length: 60 }, (_, index) => [index * 10, "fails", 0] as const)
    expect(told(...steps, [250, "fails", 1], [261, "fails", 1])).toEqual([stands(0, 10)])
  })
})
