/** What a breaker does for a destination that is away, and what it leaves alone. */
import { Effect, Exit, Logger, Metric, References, type Scope } from "effect"
import { MemoryBroker } from "leat"
import { type FaultPlan, seededRandom, simulate, waitUntil } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { openSpilling, spillPlaces, spillStory } from "./spillStory.js"
import { documentOf, legRow, note, openNotes, type Setting, stepsMax, story } from "./stories.js"

const partitions = 64
const strict = [{ on: ["passing"], retry: { base: "100 millis", factor: 2, maxDelay: "10 seconds" }, then: "halt" }]
const refuses = { kind: "fail", reason: "Unavailable" } as const

interface Sent {
  readonly partition: number
  readonly atMs: number
}

/** Sends to a destination of 64 partitions, which fail while `fails` says so. */
const openMany = Effect.fnUntraced(function* (
  breaker: object | undefined,
  fails: (sent: Sent) => ReturnType<NonNullable<FaultPlan["send"]>>,
  setting: Setting = {}
) {
  const clock = yield* Effect.clockWith(Effect.succeed)
  const failed: Array<Sent> = []
  const broker = new MemoryBroker({ partitions })
  const send: FaultPlan["send"] = ({ partition }) => {
    const sent = { partition, atMs: clock.currentTimeMillisUnsafe() }
    const outcome = fails(sent)
    if (outcome !== undefined) failed.push(sent)
    return outcome
  }
  const asked: Setting = {
    policy: strict,
    ...setting,
    broker,
    leg: { linger: "0 millis", ...(breaker === undefined ? {} : { breaker }), ...setting.leg },
    faults: { ...setting.faults, send }
  }
  const opened = yield* openNotes(asked, noteContract({ buckets: partitions }))
  return { ...opened, failed }
})

/** What each partition has stored, as (key, text). */
const storedIn = (broker: MemoryBroker) =>
  broker.topic("notes").partitions.map((log) => {
    const texts: Array<readonly [key: string, text: string]> = []
    for (let batch = log.read(log.start, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
      for (const { value } of batch.records) {
        const { key, text } = noteContract().decode(value ?? new Uint8Array())
        texts.push([key, text])
      }
    return texts
  })

/** Of each key the texts, in the order in which they are stored. */
function byKey(broker: MemoryBroker): Readonly<Record<string, ReadonlyArray<string>>> {
  const found: Record<string, Array<string>> = {}
  for (const [key, text] of storedIn(broker).flat()) (found[key] ??= []).push(text)
  return found
}

const keys = Array.from({ length: 300 }, (_, key) => `k${key}`)
const now = Effect.clockWith((clock) => clock.currentTimeMillis)

/** A cluster is away for a minute, from the second second on. */
const outage = (breaker: object | undefined) =>
  Effect.gen(function* () {
    let isAway = false
    const { broker, leat, notes, failed } = yield* openMany(breaker, () => (isAway ? refuses : undefined))
    for (let round = 0; round < 70; round++) {
      if (round === 2) isAway = true
      if (round === 62) isAway = false
      for (const key of keys) notes.offer(note(key, `${round}`))
      yield* Effect.sleep("1 second")
    }
    const since = yield* now
    const told = yield* leat.flush
    expect(leat.ledger.snapshot().balanced).toBe(true)
    return { stored: byKey(broker), failed, told, tookMs: (yield* now) - since }
  })

describe("a destination of 64 partitions that is away", () => {
  const rounds = Array.from({ length: 70 }, (_, round) => `${round}`)
  const expected = Object.fromEntries(keys.map((key) => [key, rounds]))

  it("is sent a probe at a time, and nothing is lost, doubled or out of order", () =>
    story(
      Effect.gen(function* () {
        const { stored, failed, told } = yield* outage({})
        expect(stored).toEqual(expected)
        expect(told.dropped).toEqual({})
        // Until it opens each partition has failed at most once or twice; then 1 + 2 + 4 + 8 + 10 + 10 + 10 + 10 seconds.
        const first = failed[0]?.atMs ?? 0
        const before = failed.filter(({ atMs }) => atMs <= first + 200)
        expect(before.length).toBeLessThanOrEqual(2 * partitions)
        expect(failed.length - before.length).toBeLessThanOrEqual(8)
        expect(failed.length - before.length).toBeGreaterThanOrEqual(7)
        // Partitions in turn.
        const probed = failed.slice(before.length).map(({ partition }) => partition)
        expect(new Set(probed).size).toBe(probed.length)
      })
    ))

  it("is sent hundreds without a breaker", () =>
    story(
      Effect.gen(function* () {
        const { stored, failed } = yield* outage(undefined)
        expect(stored).toEqual(expected)
        // 0.1 + 0.2 + ... + 6.4 + 10 + 10 + ... seconds, for each of them.
        expect(failed.length).toBeGreaterThan(11 * partitions)
      })
    ))

  it("has everything stored again at most a pause after it is back", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const { leat, notes } = yield* openMany({ maxWait: "4 seconds" }, () => (isAway ? refuses : undefined))
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("61 seconds")
        isAway = false
        const since = yield* now
        expect(yield* leat.flush).toMatchObject({ stored: keys.length })
        // Its own delay of the last failure may have been there without a breaker too: with few attempts it is short.
        expect((yield* now) - since).toBeLessThanOrEqual(4000)
      })
    ))
})

/** What a policy may lose, and how. */
const ends = {
  nothing: strict,
  "what waits": [{ on: ["BreakerOpen"], then: "drop" }, ...strict],
  "what is over its deadline": [
    { on: ["passing"], retry: { base: "100 millis", deadline: "3 seconds" }, then: "drop" }
  ],
  "what failed three times": [{ on: ["passing"], retry: { times: 2, base: "100 millis" }, then: "drop" }]
}

describe("a destination whose partitions come and go", () => {
  it.each(Object.entries(ends))("loses %s, and stores the rest once and in order", (lost, policy) => {
    const sum = { opened: 0, closed: 0, dropped: 0 }
    for (let seed = 1; seed <= 15; seed++) {
      const random = seededRandom(seed)
      const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
      const breaker = {
        failureRate: 0.3 + random() * 0.7,
        minSends: between(1, 20),
        window: "5 seconds",
        wait: `${between(10, 2000)} millis`,
        maxWait: "4 seconds"
      }
      /** Of each partition the part of its sends that fails. */
      let sick: (partition: number) => number = () => 0
      const program = Effect.gen(function* () {
        const outcome = () => (random() < 0.1 ? ({ kind: "silence" } as const) : refuses)
        const { broker, leat, notes } = yield* openMany(
          breaker,
          ({ partition }) => (random() < sick(partition) ? outcome() : undefined),
          {
            policy,
            leg: { timeout: "500 millis" },
            faults: { fence: () => (random() < sick(0) / 2 ? "Unavailable" : undefined) }
          }
        )
        const rounds = 40
        for (let round = 0; round < rounds; round++) {
          const share = random()
          const part = random() < 0.3 ? 1 : random()
          if (random() < 0.3) sick = (partition) => (partition % 10 < 10 * share ? part : 0)
          if (random() < 0.2) sick = () => 0
          for (const key of keys.slice(0, 100)) notes.offer(note(key, `${round}`))
          yield* Effect.sleep(between(1, 1500))
        }
        sick = () => 0
        const since = yield* now
        yield* leat.flush
        // The longest pause, the longest delay, and a time-out.
        expect((yield* now) - since).toBeLessThan(4000 + 10_000 + 2000)
        const stored = byKey(broker)
        for (const texts of Object.values(stored))
          expect(texts).toEqual([...new Set(texts)].toSorted((one, other) => Number(one) - Number(other)))
        const { dropped = {} } = legRow(leat) ?? {}
        const given = Object.values(dropped).reduce((total, count) => total + count, 0)
        sum.dropped += given
        expect(Object.values(stored).flat().length).toBe(100 * rounds - given)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
      const lines = warned(program, seed)
      sum.opened += lines.filter((line) => line.includes(" opens: ")).length
      sum.closed += lines.filter((line) => line.includes(" closes after ")).length
    }
    // What was not reached was not judged.
    expect(sum.opened).toBeGreaterThan(20)
    expect(sum.closed).toBeGreaterThan(20)
    expect(sum.dropped > 0).toBe(lost !== "nothing")
  })
})

describe("a neighbour of a destination whose breaker is open", () => {
  it("is stored as if there were none", () =>
    story(
      Effect.gen(function* () {
        const { leat } = yield* openNotes({
          broker: new MemoryBroker({ partitions: 8 }),
          policy: strict,
          leg: { topic: "{stream}", linger: "0 millis", breaker: {} },
          faults: { send: ({ topic }) => (topic === "test.notes" ? refuses : undefined) },
          drain: "1 second"
        })
        const notes = yield* leat.stream(noteContract())
        const others = yield* leat.stream(noteContract({ stream: "test.others" }))
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("5 seconds")
        for (const key of keys) {
          const since = yield* now
          yield* others.publish(note(key, "text"))
          expect((yield* now) - since).toBeLessThan(2)
        }
        expect(leat.sinks()).toMatchObject([
          { sink: "local/test.notes", breaker: { state: expect.stringMatching(/open|halfOpen/) } },
          { sink: "local/test.others", breaker: { state: "closed" } }
        ])
      })
    ))
})

describe("one sick partition of 64", () => {
  it("opens nothing: the others are stored as if it were well", () =>
    story(
      Effect.gen(function* () {
        const tookMs: Array<number> = []
        let sickPartition: number | undefined
        const isSick = (partition: number) => (sickPartition ??= partition) === partition
        const { leat, notes, broker } = yield* openMany(
          {},
          ({ partition }) => (isSick(partition) ? refuses : undefined),
          {
            policy: [{ on: ["passing"], retry: { base: "10 millis", maxDelay: "20 millis" }, then: "halt" }],
            drain: "1 second"
          }
        )
        const sick = new Set<string>()
        yield* Effect.forEach(
          Array.from({ length: 200 }, (_, index) => `k${index}`),
          (key) =>
            Effect.gen(function* () {
              const since = yield* now
              const published = yield* Effect.timeoutOption(notes.publish(note(key, "text")), "1 second")
              if (published._tag === "None") sick.add(key)
              else tookMs.push((yield* now) - since)
            })
        )
        expect(sick.size).toBeGreaterThan(0)
        expect(sick.size).toBeLessThan(20)
        expect(Math.max(...tookMs)).toBeLessThan(10)
        expect(leat.sinks()).toMatchObject([{ breaker: { state: "closed" } }])
        expect(storedIn(broker)[sickPartition ?? -1]).toEqual([])
      })
    ))

  it("does not keep the others waiting where all were away: a probe is of each in turn", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const { leat, notes } = yield* openMany(
          {},
          ({ partition }) => (isAway || partition === 7 ? refuses : undefined),
          { drain: "1 second" }
        )
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("30 seconds")
        expect(leat.sinks()).toMatchObject([{ breaker: { state: "open" } }])
        isAway = false
        // Two pauses: one probe may have been of the sick one.
        yield* Effect.sleep("20 seconds")
        expect(leat.sinks()).toMatchObject([{ breaker: { state: "closed" } }])
        expect(legRow(leat)?.stored).toBeGreaterThan(keys.length * 0.9)
      })
    ))
})

describe("while a breaker is open", () => {
  const dropping = [{ on: ["BreakerOpen"], then: "drop" }, ...strict]

  it("a rule that names it drops at once what is not on its way", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const { leat, notes, failed } = yield* openMany({}, () => (isAway ? refuses : undefined), { policy: dropping })
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("500 millis")
        const { dropped = {} } = legRow(leat) ?? {}
        expect(dropped).toEqual({ BreakerOpen: keys.length })
        expect(failed.length).toBeLessThanOrEqual(2 * partitions)
        const { outcome } = yield* notes.publish(note("k", "late"), { level: "queued" })
        expect(yield* outcome).toMatchObject({ stored: 0, dropped: { BreakerOpen: 1 }, mayBeStored: 0 })
        isAway = false
        yield* Effect.sleep("2 seconds")
        // Nobody waits, so the next event is the probe.
        yield* notes.publish(note("k", "probe"))
        expect(leat.sinks()).toMatchObject([{ breaker: { state: "closed" } }])
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("a rule for what passes, with so many retries, drops no more than without, and one for everything neither", () => {
    const run = (policy: ReadonlyArray<object>, breaker: object | undefined) => {
      let dropped = -1
      story(
        Effect.gen(function* () {
          let isAway = true
          const { leat, notes } = yield* openMany(breaker, () => (isAway ? refuses : undefined), { policy })
          for (const key of keys) notes.offer(note(key, "text"))
          yield* Effect.sleep("20 seconds")
          isAway = false
          const told = yield* leat.flush
          expect(leat.ledger.snapshot().balanced).toBe(true)
          dropped =
            Object.values(told.dropped).reduce((sum, count) => sum + count, 0) +
            (legRow(leat)?.dropped["Unavailable"] ?? 0)
          expect(legRow(leat)?.dropped["BreakerOpen"]).toBeUndefined()
        })
      )
      return dropped
    }
    for (const on of [["passing"], ["*"]]) {
      const policy = [{ on, retry: { times: 5, base: "50 millis", factor: 2 }, then: "drop" }]
      const without = run(policy, undefined)
      expect(without).toBe(keys.length)
      expect(run(policy, {})).toBeLessThan(without / 5)
    }
  })

  it("a deadline goes on to count for what was tried, and ends it when its time is over", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["passing"], retry: { base: "100 millis", deadline: "5 seconds" }, then: "drop" }]
        const { leat, notes, failed } = yield* openMany({ wait: "1 hour", maxWait: "1 hour" }, () => refuses, {
          policy,
          drain: "1 second"
        })
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("4900 millis")
        expect(legRow(leat)?.dropped).toEqual({})
        yield* Effect.sleep("300 millis")
        const { dropped = {} } = legRow(leat) ?? {}
        // Of each partition that was tried the range that was, and nothing else.
        const tried = new Set(failed.map(({ partition }) => partition)).size
        expect(tried).toBeGreaterThanOrEqual(20)
        expect(dropped["Unavailable"]).toBeGreaterThanOrEqual(tried)
        expect(dropped["Unavailable"]).toBeLessThan(tried * 15)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("a deadline after which the rule halts, halts, and is told", () => {
    const lines = warned(
      Effect.gen(function* () {
        const policy = [{ on: ["passing"], retry: { base: "100 millis", deadline: "5 seconds" }, then: "halt" }]
        const { leat, notes } = yield* openMany({ wait: "1 hour", maxWait: "1 hour" }, () => refuses, {
          policy,
          drain: "1 second"
        })
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("6 seconds")
        expect(leat.halted().length).toBeGreaterThanOrEqual(20)
      })
    )
    expect(
      lines.some((line) => /stands on partition \d+ until it is resumed: Unavailable after \d attempts?:/.test(line))
    ).toBe(true)
  })

  it("what had no answer is fenced, and is stored once", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const fences: Array<number> = []
        const { broker, leat, notes, failed } = yield* openMany({}, () => (isAway ? { kind: "silence" } : undefined), {
          leg: { timeout: "1 second" },
          faults: { fence: ({ partition }) => (fences.push(partition), undefined) }
        })
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("10 seconds")
        expect(leat.sinks()).toMatchObject([{ breaker: { state: expect.stringMatching(/open|halfOpen/) } }])
        // A fence is no send: each is fenced at once.
        expect(new Set(fences).size).toBe(new Set(failed.map(({ partition }) => partition)).size)
        isAway = false
        expect(yield* leat.flush).toMatchObject({ stored: keys.length })
        expect(byKey(broker)).toEqual(Object.fromEntries(keys.map((key) => [key, ["text"]])))
      })
    ))

  it("closing waits its time, and counts what was not stored", () =>
    story(
      Effect.gen(function* () {
        const since = yield* now
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { notes } = yield* openMany({}, () => refuses, { drain: "3 seconds" })
            for (const key of keys) notes.offer(note(key, "text"))
            yield* Effect.sleep("10 seconds")
          })
        )
        expect((yield* now) - since).toBeLessThan(13_100)
      })
    ))
})

describe("a destination that answers nothing, beside a spill", () => {
  const frozen: FaultPlan = { send: () => ({ kind: "silence" }), fence: () => "Timeout" }
  const places = () => ({ ...spillPlaces(8), faults: frozen })
  const passing = [{ on: ["passing"], retry: { times: 3, base: "100 millis" }, then: "spill" }]
  const breaker = { failureRate: 0.5, minSends: 3, wait: "1 second" }

  /** How long until everything is in the spill, or stored, and what was sent meanwhile. */
  const spilled = (policy: ReadonlyArray<object>, leg: object) => {
    let tookMs = -1
    let sends = 0
    spillStory(
      Effect.gen(function* () {
        const place = places()
        place.faults = { ...frozen, send: () => (sends++, { kind: "silence" }) }
        const { leat, notes } = yield* openSpilling(place, { policy, leg, drain: "1 second" })
        const since = yield* now
        // A partition after the other is written to.
        for (const key of keys.slice(0, 100)) {
          notes.offer(note(key, "text"))
          yield* Effect.sleep(20)
        }
        yield* waitUntil(
          "all is on disk",
          Effect.sync(() => (legRow(leat)?.spilled ?? 0) === 100),
          { withinMs: 60_000 }
        )
        tookMs = (yield* now) - since
        place.faults = {}
        yield* leat.flush
        yield* waitUntil(
          "all is stored",
          Effect.sync(() => legRow(leat)?.stored === 100),
          { withinMs: 120_000 }
        )
        expect(leat.ledger.snapshot().balanced).toBe(true)
        yield* Effect.sleep("12 seconds")
        expect(leat.sinks()[0]?.breaker?.state).toBe("breaker" in leg ? "closed" : undefined)
      })
    )
    return { tookMs, sends }
  }

  it("has all partitions spilled once a few have failed, and what is sent on from there closes it", () => {
    const without = spilled(passing, {})
    const quick = spilled([{ on: ["BreakerOpen"], then: "spill" }, ...passing], { breaker })
    expect(quick.tookMs).toBeLessThan(without.tookMs)
    expect(quick.sends).toBeLessThan(without.sends)
  })
})

describe("another table", () => {
  const swapped = (setting: Setting, leg: object) => ({
    ...documentOf({ policy: strict, ...setting, leg }),
    version: 2
  })

  it("without a breaker lets everything go, and with one holds it again", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, failed } = yield* openMany({ wait: "1 hour", maxWait: "1 hour" }, () => refuses, {
          drain: "1 second"
        })
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("10 seconds")
        const held = failed.length
        expect(held).toBeLessThanOrEqual(2 * partitions)
        yield* leat.swapRoutes(swapped({}, { linger: "0 millis" }))
        yield* Effect.sleep("2 seconds")
        expect(failed.length).toBeGreaterThan(held + 2 * partitions)
        expect(leat.sinks()[0]).not.toHaveProperty("breaker")
        yield* leat.swapRoutes({
          ...swapped({}, { linger: "0 millis", breaker: { wait: "1 hour", maxWait: "1 hour" } }),
          version: 3
        })
        yield* Effect.sleep("20 seconds")
        const again = failed.length
        yield* Effect.sleep("20 seconds")
        expect(failed.length).toBe(again)
      })
    ))

  it("with a rule for it judges what waits", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openMany({}, () => refuses)
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("1 second")
        expect(legRow(leat)?.dropped).toEqual({})
        const policy = [{ on: ["BreakerOpen"], then: "drop" }, ...strict]
        yield* leat.swapRoutes(swapped({ policy }, { linger: "0 millis", breaker: {} }))
        yield* Effect.sleep("1 second")
        expect(legRow(leat)?.dropped["BreakerOpen"]).toBeGreaterThan(keys.length - partitions)
      })
    ))
})

/** Runs a story on virtual time; gives what was warned of. */
function warned(program: Effect.Effect<void, unknown, Scope.Scope>, seed = 1): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const quiet = program.pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Warn"),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )
  const { exit } = simulate(seed, quiet, { stepsMax })
  if (Exit.isFailure(exit)) throw new Error(`the story of seed ${seed} failed`, { cause: exit.cause })
  return lines
}

/** What the metric of the breakers says. */
const metric = Effect.map(Metric.snapshot, (metrics) =>
  metrics.flatMap((one) => (one.id === "leat.breaker.state" && one.type === "Gauge" ? [one.state.value] : []))
)

describe("a breaker is seen", () => {
  it("by a line when it opens and one when it closes, and in the sinks", () => {
    const lines = warned(
      Effect.gen(function* () {
        let isAway = true
        const { leat, notes } = yield* openMany({}, () => (isAway ? refuses : undefined))
        const begun = yield* now
        expect(leat.sinks()).toMatchObject([{ breaker: { state: "closed", sinceMs: begun } }])
        for (const key of keys) notes.offer(note(key, "text"))
        yield* Effect.sleep("6 seconds")
        const [fill] = leat.sinks()
        expect([fill?.breaker?.state, yield* metric]).toEqual(["open", [2]])
        expect((fill?.breaker?.sinceMs ?? 0) - begun).toBeLessThan(200)
        isAway = false
        yield* notes.flush
        expect(yield* metric).toEqual([0])
        const [after] = leat.sinks()
        expect(after?.breaker).toEqual({
          state: "closed",
          sinceMs: begun + 7000 + ((fill?.breaker?.sinceMs ?? 0) - begun)
        })
      })
    )
    expect(lines).toEqual([
      expect.stringMatching(
        /^the breaker of local\/notes opens: \d+ of the last 20 sends have failed, and so has the last one to \d+ of \d+ partitions: Unavailable: .*; one probe at a time is sent until one is answered, and what is published waits or is given up, as its policy says$/
      ),
      "the breaker of local/notes closes after 7 seconds and 3 probes: 300 events have waited, and 0 of them were given up, or went elsewhere, because it was open"
    ])
  })
})
