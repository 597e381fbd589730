/** Windows and loss objectives at the front door, on virtual time. */
import { Clock, Effect, Exit, Logger, Metric, References, Scope } from "effect"
import fc from "fast-check"
import {
  type Announcement,
  type Journal,
  Leat,
  type LeatOptions,
  MemoryBroker,
  memoryDriver,
  type OpenLeat,
  WrongArgument
} from "leat"
import { PromiseLeat } from "leat/promise"
import { type FaultPlan, faultDriver, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"

const day = { loss: 0.0001, window: "1 day" }

/** Runs a story on virtual time; gives what was told. */
function told(program: Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const quiet = program.pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  const { exit } = simulate(1, quiet)
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  return lines
}

/** What was told of objectives; sinks that store nothing are told of too. */
const ofObjectives = (lines: ReadonlyArray<string>) => lines.filter((line) => line.includes("objective"))

interface Setting {
  readonly objective?: object | "none"
  readonly version?: number
  readonly legs?: ReadonlyArray<object>
}

const documentOf = ({ objective = day, version = 1, legs = [{}] }: Setting = {}) => ({
  version,
  clusters: { main: { transport: "memory" } },
  policies: { drop: [{ on: ["*"], then: "drop" }] },
  routes: [
    {
      match: { stream: "*" },
      ...(objective === "none" ? {} : { objective }),
      to: legs.map((leg, index) => ({
        cluster: "main",
        topic: `t${index}`,
        policy: "drop",
        linger: "0 millis",
        ...leg
      }))
    }
  ]
})

/** A leat whose legs drop what fails, and a switch that lets all fail. */
const openDropping = Effect.fnUntraced(function* (
  setting: Setting = {},
  document: object = documentOf(setting),
  more: Partial<LeatOptions> = {}
) {
  const broken = new Set<string>()
  const faults: FaultPlan = {
    send: ({ topic }) => (broken.has(topic) ? { kind: "fail", reason: "Rejected" } : undefined)
  }
  const scope = yield* Effect.scope
  const leat = yield* Leat.make({
    source: "test",
    routes: document,
    ...more,
    drivers: [faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), faults)]
  })
  const notes = yield* leat.stream(noteContract())
  const offer = (times: number) =>
    Effect.gen(function* () {
      for (let time = 0; time < times; time++) notes.offer({ key: "k", text: String(time) })
      yield* notes.flush
    })
  return { leat, notes, offer, broken, scope }
})

/** So many events in a second, for so many seconds. */
const steadily = (offer: (times: number) => Effect.Effect<void>, seconds: number, times = 100) =>
  Effect.repeat(Effect.andThen(offer(times), Effect.sleep("1 second")), { times: seconds - 1 })

const legOf = (leat: Pick<OpenLeat, "ledger">, length: string) => leat.ledger.window(length as "1 hour").legs[0]

describe("what was counted lately", () => {
  it("is asked for at both doors", () => {
    told(
      Effect.gen(function* () {
        const { leat, notes, offer, broken, scope } = yield* openDropping({ objective: "none" })
        const promises = new PromiseLeat(leat, scope as Scope.Closeable)
        yield* offer(10)
        notes.offer({ key: "", text: "no key" })
        yield* Effect.sleep("2 hours")
        broken.add("t0")
        yield* offer(4)
        yield* Effect.sleep("1 second")
        for (const { ledger } of [leat, promises]) {
          const hour = ledger.window("1 hour")
          expect(hour.coversMs).toBeGreaterThanOrEqual(3_600_000)
          // Nobody published for two hours: the last reading before is that of the opening, or of the first event of this turn.
          expect(ledger.window("1 second")).toEqual({
            lengthMs: 1000,
            coversMs: expect.any(Number),
            streams: [{ stream: "test.notes", admitted: 4, rejected: {} }],
            legs: [
              {
                stream: "test.notes",
                sink: "main/t0",
                epoch: 1,
                admitted: 4,
                recovered: 0,
                movedIn: 0,
                movedOut: 0,
                stored: 0,
                deadLettered: {},
                dropped: { Rejected: 4 },
                spilled: 0,
                fellBack: 0,
                spilledBefore: 0
              }
            ]
          })
          expect(ledger.window("1 second").coversMs).toBeLessThan(3000)
          expect(ledger.window("3 days")).toMatchObject({
            streams: [{ admitted: 14, rejected: { emptyKey: 1 } }],
            legs: [{ admitted: 14, stored: 10, dropped: { Rejected: 4 } }]
          })
        }
      })
    )
  })

  it.each([0, -1, "an hour", undefined, Number.NaN])("is not asked for %s", (length) => {
    told(
      Effect.gen(function* () {
        const { leat } = yield* openDropping()
        expect(() => leat.ledger.window(length as number)).toThrow(WrongArgument)
        expect(() => leat.ledger.window(length as number)).toThrow(
          /^ledger\.window: takes a duration above 0, as "1 hour", and not (a number|a text|undefined)$/
        )
      })
    )
  })

  it("is what a journal of every move says, in any story", () => {
    const step = fc.record({
      pauseMs: fc.oneof(fc.nat(3000), fc.nat(120_000), fc.nat(2 * 3_600_000)),
      events: fc.nat(20),
      isBroken: fc.boolean(),
      objective: fc.boolean()
    })
    const asked = ["1 second", "5 minutes", "1 hour", "6 hours", "1 day"] as const
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const moves: Array<{ readonly atMs: number; readonly to: string }> = []
        told(
          Effect.gen(function* () {
            const clock = yield* Clock.Clock
            const journal: Journal = {
              moved: (_account, _bucket, _seq, from, to) => {
                moves.push({ atMs: clock.currentTimeMillisUnsafe(), to: from === undefined ? "admitted" : to })
              }
            }
            const { leat, offer, broken } = yield* openDropping({}, documentOf({}), { journal })
            let version = 1
            for (const { pauseMs, events, isBroken, objective } of steps) {
              if (isBroken) broken.add("t0")
              else broken.clear()
              yield* leat.swapRoutes(documentOf({ version: ++version, objective: objective ? day : "none" }))
              yield* offer(events)
              yield* Effect.sleep(pauseMs)
              const nowMs = clock.currentTimeMillisUnsafe()
              for (const length of asked) {
                const { coversMs, legs } = leat.ledger.window(length)
                // What moved in the millisecond of the first reading may be on either side of it.
                const bounds = (to: string) => {
                  const times = moves.filter((move) => move.to === to).map(({ atMs }) => atMs - (nowMs - coversMs))
                  return [times.filter((atMs) => atMs > 0).length, times.filter((atMs) => atMs >= 0).length] as const
                }
                const [leg] = legs
                const counted = {
                  admitted: leg?.admitted ?? 0,
                  stored: leg?.stored ?? 0,
                  dropped: leg?.dropped["Rejected"] ?? 0
                }
                for (const [to, count] of Object.entries(counted)) {
                  const [least, most] = bounds(to)
                  expect({ length, to, isWithin: count >= least && count <= most }).toEqual({
                    length,
                    to,
                    isWithin: true
                  })
                }
              }
            }
          })
        )
      }),
      { numRuns: 40 }
    )
  })

  it("keeps no timer where nothing has an objective", () => {
    const program = Effect.gen(function* () {
      const { offer } = yield* openDropping({ objective: "none" })
      yield* offer(3)
      yield* Effect.sleep("1 minute")
    })
    const { exit, timers } = simulate(1, Effect.provideService(program, Scope.Scope, Scope.makeUnsafe()))
    expect(Exit.isSuccess(exit)).toBe(true)
    expect(timers).toBe(0)
  })

  it("is read every ten seconds where something has an objective, also while nobody publishes", () => {
    told(
      Effect.gen(function* () {
        const { leat, offer } = yield* openDropping()
        yield* offer(10)
        yield* Effect.sleep("1 hour")
        expect(leat.ledger.window("5 minutes").coversMs).toBeLessThanOrEqual(310_000)
        expect(legOf(leat, "5 minutes")).toMatchObject({ admitted: 0, stored: 0 })
        expect(legOf(leat, "2 hours")).toMatchObject({ admitted: 10, stored: 10 })
      })
    )
  })
})

describe("a loss objective", () => {
  it("pages at the next look when everything is dropped, and is told once when that is over", () => {
    const lines = told(
      Effect.gen(function* () {
        const { leat, offer, broken } = yield* openDropping()
        yield* steadily(offer, 600)
        expect(leat.ledger.objectives()).toMatchObject([{ state: "ok", loss: 0.0001, windowMs: 86_400_000 }])
        broken.add("t0")
        yield* steadily(offer, 11)
        broken.clear()
        expect(leat.ledger.objectives()).toMatchObject([{ stream: "test.notes", sink: "main/t0", state: "page" }])
        // The hour remembers it; five minutes later the short window does not.
        yield* steadily(offer, 280)
        expect(leat.ledger.objectives()).toMatchObject([{ state: "page" }])
        yield* steadily(offer, 60)
        const [row] = leat.ledger.objectives()
        expect(row?.state).toBe("ticket")
        expect(row?.burns.map(({ windowMs }) => windowMs)).toEqual([300_000, 720_000, 3_600_000, 8_640_000])
        expect(row?.burns.map(({ lost }) => lost)).toEqual([0, 1100, 1100, 1100])
        yield* steadily(offer, 600)
        expect(leat.ledger.objectives()).toMatchObject([{ state: "ok" }])
      })
    )
    expect(ofObjectives(lines)).toEqual([
      expect.stringMatching(
        /^main\/t0 loses events of test\.notes \d+ times as fast as the objective of 0\.01 % in 1d allows \(page\): \d+ of 6\d+ were dropped in 10m \d+s since the opening \(Rejected \d+\)$/
      ),
      expect.stringMatching(
        /^main\/t0 loses events of test\.notes \d+ times as fast .* \(ticket\): 1100 of 9\d+ were dropped in 15m \d+s since the opening \(Rejected 1100\)$/
      ),
      expect.stringMatching(
        /^main\/t0 no longer loses events of test\.notes faster than the objective allows, after 1[2-5]m/
      )
    ])
  })

  it("asks for a ticket where a little is lost all the time, and for nothing below", () => {
    const lossOf = (permille: number) =>
      told(
        Effect.gen(function* () {
          const { offer, broken } = yield* openDropping({ objective: { loss: 0.001, window: "1 day" } })
          for (let round = 0; round < 60; round++) {
            broken.add("t0")
            yield* offer(permille)
            broken.clear()
            yield* offer(1000 - permille)
            yield* Effect.sleep("1 minute")
          }
        })
      )
    expect(ofObjectives(lossOf(1))).toEqual([])
    expect(ofObjectives(lossOf(3))).toEqual([expect.stringMatching(/ 3 times as fast .*\(ticket\): /)])
    expect(ofObjectives(lossOf(8))).toEqual([expect.stringMatching(/ 8 times as fast .*\(page\): /)])
  })

  it("is about what is given up on required legs, and about nothing else", () => {
    const lines = told(
      Effect.gen(function* () {
        const { leat, notes, offer, broken } = yield* openDropping({ legs: [{}, { required: false }, {}] })
        broken.add("t1")
        for (let time = 0; time < 100; time++) notes.offer({ key: "", text: "rejected" })
        yield* steadily(offer, 100, 10)
        expect(legOf(leat, "1 minute")).toMatchObject({ sink: "main/t0", dropped: {} })
        expect(leat.ledger.window("1 hour").legs.find(({ sink }) => sink === "main/t1")?.dropped).toEqual({
          Rejected: 1000
        })
        expect(leat.ledger.objectives().map(({ sink, state }) => [sink, state])).toEqual([
          ["main/t0", "ok"],
          ["main/t2", "ok"]
        ])
        broken.add("t2")
        yield* steadily(offer, 20, 10)
        expect(leat.ledger.objectives().map(({ sink, state }) => [sink, state])).toEqual([
          ["main/t0", "ok"],
          ["main/t2", "page"]
        ])
      })
    )
    expect(ofObjectives(lines)).toEqual([expect.stringMatching(/^main\/t2 loses .*\(page\)/)])
  })

  it("does not count what is set aside as lost", () => {
    const lines = told(
      Effect.gen(function* () {
        const document = {
          ...documentOf(),
          policies: {
            drop: [
              { on: ["Rejected"], then: "deadLetter" },
              { on: ["*"], then: "drop" }
            ]
          }
        }
        const { leat, offer, broken } = yield* openDropping({}, document)
        yield* steadily(offer, 100, 10)
        broken.add("t0")
        yield* steadily(offer, 20, 1)
        expect(legOf(leat, "1 hour")).toMatchObject({ stored: 1000, dropped: {}, deadLettered: { Rejected: 20 } })
        const [row] = leat.ledger.objectives()
        expect(row).toMatchObject({ state: "ok" })
        expect(row?.burns.at(-1)).toMatchObject({ ended: 1020, lost: 0, burn: 0 })
      })
    )
    expect(ofObjectives(lines)).toEqual([])
  })

  it("comes and goes with tables, and is told to be over with its stream's", () => {
    const lines = told(
      Effect.gen(function* () {
        const { leat, offer, broken } = yield* openDropping({ objective: "none" })
        broken.add("t0")
        yield* steadily(offer, 30, 10)
        expect(leat.ledger.objectives()).toEqual([])
        yield* leat.swapRoutes(documentOf({ version: 2 }))
        yield* Effect.sleep("11 seconds")
        expect(leat.ledger.objectives()).toMatchObject([{ state: "page", loss: 0.0001 }])
        // Another objective that it misses as much is no news.
        yield* leat.swapRoutes(documentOf({ version: 3, objective: { loss: 0.001, window: "7 days" } }))
        yield* Effect.sleep("11 seconds")
        expect(leat.ledger.objectives()).toMatchObject([{ state: "page", loss: 0.001, windowMs: 604_800_000 }])
        yield* leat.swapRoutes(documentOf({ version: 4, objective: "none" }))
        yield* Effect.sleep("11 seconds")
        expect(leat.ledger.objectives()).toEqual([])
      })
    )
    expect(ofObjectives(lines)).toEqual([
      expect.stringMatching(/\(page\): 300 of 300 were dropped/),
      expect.stringMatching(
        /^main\/t0 no longer loses events of test\.notes faster than the objective allows, after \d+s$/
      )
    ])
  })

  it("tells what is given up when the leat closes", () => {
    const lines = told(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const never: FaultPlan = { send: () => ({ kind: "delay", ms: 10_000_000 }) }
        const leat = yield* Scope.provide(
          Leat.make({
            source: "test",
            routes: documentOf(),
            drain: "1 second",
            drivers: [faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), never)]
          }),
          scope
        )
        const notes = yield* leat.stream(noteContract())
        notes.offer({ key: "k", text: "one" })
        yield* Scope.close(scope, Exit.void)
        expect(leat.ledger.snapshot().legs).toMatchObject([{ dropped: { closed: 1 } }])
      })
    )
    expect(ofObjectives(lines)).toEqual([
      expect.stringMatching(/\(page\): 1 of 1 were dropped in \ds since the opening \(closed 1\)$/)
    ])
  })

  it("is announced with the ledger, also for the last time", () => {
    const saved: Array<Announcement> = []
    const store = { save: (announcement: Announcement) => Effect.sync(() => void saved.push(announcement)) }
    const open = (setting: Setting) =>
      Effect.gen(function* () {
        const { offer, broken } = yield* openDropping(setting, documentOf(setting), { ledger: { store } })
        broken.add("t0")
        yield* steadily(offer, 5)
      }).pipe(Effect.scoped)
    told(open({}))
    expect(saved[0]).not.toHaveProperty("objectives")
    for (const last of saved.slice(-2))
      expect(last.objectives).toMatchObject([
        {
          sink: "main/t0",
          state: "page",
          burns: [{ lost: 500, ended: 500 }, expect.anything(), expect.anything(), expect.anything()]
        }
      ])
    expect(saved.at(-1)?.isClosed).toBe(true)
    saved.length = 0
    told(open({ objective: "none" }))
    expect(saved.length).toBeGreaterThan(5)
    for (const announced of saved) expect(announced).not.toHaveProperty("objectives")
  })

  it("has a metric for each of its windows, and one for its state", () => {
    const valuesOf = (id: string) =>
      Effect.map(Metric.snapshot, (metrics) =>
        metrics
          .filter((metric) => metric.id === id && metric.attributes?.["leat.sink"] === "main/t0")
          .map(({ attributes, state }) => [attributes?.["leat.window"], "value" in state ? state.value : undefined])
      )
    told(
      Effect.gen(function* () {
        const { offer, broken } = yield* openDropping()
        yield* offer(999)
        broken.add("t0")
        yield* offer(1)
        yield* Effect.sleep("11 seconds")
        const burns = yield* valuesOf("leat.loss.burn")
        expect(burns.map(([window]) => window)).toEqual(["5m", "12m", "1h", "2h 24m"])
        for (const [, burn] of burns) expect(burn).toBeCloseTo(10, 6)
        // Of two leats of one process the worse one shows.
        const other = yield* openDropping()
        other.broken.add("t0")
        yield* other.offer(1)
        other.broken.clear()
        yield* other.offer(499)
        yield* Effect.sleep("11 seconds")
        for (const [, burn] of yield* valuesOf("leat.loss.burn")) expect(burn).toBeCloseTo(20, 6)
        expect(yield* valuesOf("leat.loss.state")).toEqual([[undefined, 2]])
      }).pipe(
        Effect.scoped,
        Effect.tap(() =>
          Effect.gen(function* () {
            expect(yield* valuesOf("leat.loss.burn")).toEqual([])
            expect(yield* valuesOf("leat.loss.state")).toEqual([])
          })
        ),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
    )
  })
})
