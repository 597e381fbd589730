/** What a scrape of metrics says, against the rows of the ledger at the same moment. */
import { Cause, Context, Effect, Exit, Metric, References, type Scope } from "effect"
import fc from "fast-check"
import { Leat, type LedgerSnapshot, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { countReason, newCounts } from "../../src/ledger/Counts.js"
import { Ledger, type ReadRow } from "../../src/ledger/Ledger.js"
import { LedgerReport } from "../../src/metrics/LedgerReport.js"
import { noteContract } from "../contracts/Note.js"
import { apply, coordinate, documentAt, fleetOf, place, processOf, topicOf } from "../moves/moveKit.js"

/** A scrape: each series by its name and its attributes. */
type Scrape = Readonly<Record<string, number>>

const seriesName = (id: string, labels: Readonly<Record<string, string>>) =>
  `${id} ${JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1)))}`

const scrapeOf = (metrics: ReadonlyArray<Metric.Metric.Snapshot>): Scrape =>
  Object.fromEntries(
    metrics.map(({ id, attributes = {}, state }) => [
      seriesName(id, attributes as Record<string, string>),
      Number("count" in state ? state.count : "value" in state ? state.value : Number.NaN)
    ])
  )

/** But for what is asked of a cluster now and then, and counted by no ledger. */
const isOfLedger = (name: string) =>
  /^(leat\.(offered|rejected|admitted|dead|dropped|pending|spilled|recovered|group(?!\.waiting))|messaging\.client\.(sent|consumed))/.test(
    name
  )

/** What must be there, by the rows of the ledger. Reasons are few, and none of them is long. */
function expected({ streams, legs, lanes }: LedgerSnapshot): Scrape {
  const found: Record<string, number> = {}
  const add = (id: string, labels: Readonly<Record<string, string>>, value: number) => {
    const name = seriesName(id, labels)
    found[name] = (found[name] ?? 0) + value
  }
  const addAll = (id: string, labels: Readonly<Record<string, string>>, counts: Readonly<Record<string, number>>) => {
    for (const [reason, value] of Object.entries(counts)) add(id, { ...labels, "leat.reason": reason }, value)
  }
  for (const { stream, offered, rejected } of streams) {
    add("leat.offered", { "leat.stream": stream }, offered)
    addAll("leat.rejected", { "leat.stream": stream }, rejected)
  }
  for (const leg of legs) {
    const labels = { "leat.stream": leg.stream, "leat.sink": leg.sink }
    add("leat.admitted", labels, leg.admitted)
    add("messaging.client.sent.messages", labels, leg.stored)
    add("leat.pending", labels, leg.queued + leg.inFlight + leg.inDoubt + leg.deadLettering + leg.spilled)
    addAll("leat.dead.lettered", labels, leg.deadLettered)
    addAll("leat.dropped", labels, leg.dropped)
  }
  for (const lane of lanes) {
    const labels = { "leat.stream": lane.stream, "messaging.consumer.group.name": lane.group }
    add("messaging.client.consumed.messages", labels, lane.done)
    add("leat.group.duplicates", labels, lane.duplicate)
    add("leat.group.unchecked", labels, 0)
    add("leat.group.parked", labels, lane.parked)
    addAll("leat.group.moved", labels, lane.moved)
    addAll("leat.group.dead.lettered", labels, lane.deadLettered)
    addAll("leat.group.dropped", labels, lane.dropped)
  }
  return found
}

function story(program: Effect.Effect<void, unknown, Scope.Scope>): void {
  const quiet = program.pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )
  const { exit } = simulate(1, quiet)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
}

const policies = {
  leg: [
    { on: ["Rejected"], then: "deadLetter" },
    { on: ["*"], retry: { times: 1, base: "10 millis" }, then: "drop" }
  ],
  group: [
    { on: ["Late"], retry: { times: 1, base: "10 millis" }, then: "drop" },
    { on: ["Bug"], then: "deadLetter" },
    { on: ["*"], retry: { times: 0, base: "10 millis" }, then: "drop" }
  ]
}

const document = {
  version: 1,
  clusters: { main: { transport: "memory" } },
  policies,
  routes: [
    {
      match: { stream: "*" },
      to: [
        {
          cluster: "main",
          topic: "a",
          policy: "leg",
          linger: "1 millis",
          buffer: { bytes: 65_536, overflow: "dropOldest" }
        },
        { cluster: "main", topic: "b", policy: "leg", linger: "1 millis", required: false }
      ]
    }
  ],
  subscriptions: [
    { match: { stream: "*" }, policy: "group", retryTopics: { delays: ["1 second"] }, dedupe: { records: 100 } }
  ]
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("offer"),
      tag: fc.constantFrom("", "Late", "Bug", "Away"),
      times: fc.integer({ min: 1, max: 40 })
    })
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reject" } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("fault"),
      topic: fc.constantFrom("a", "b"),
      reason: fc.constantFrom(undefined, "Rejected", "Unavailable", "Timeout")
    })
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(1, 20, 500, 3000) }) }
)

describe("the metrics of a leat", () => {
  it("are the rows of its ledger at every moment", () => {
    let kinds = new Set<string>()
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => {
        story(
          Effect.gen(function* () {
            const broken = new Map<string, "Rejected" | "Unavailable" | "Timeout">()
            const faults: FaultPlan = {
              send: ({ topic }) => {
                const reason = broken.get(topic)
                return reason === undefined ? undefined : { kind: "fail", reason }
              }
            }
            const driver = faultDriver(memoryDriver(new MemoryBroker({ partitions: 2 })), faults)
            const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
            const notes = yield* leat.stream(noteContract())
            yield* notes.handle("g", ({ text }) => (text === "" ? Effect.void : Effect.fail({ _tag: text })))
            yield* notes.handle("h", () => Effect.sleep(30))
            for (const [index, one] of steps.entries()) {
              if (one.kind === "offer")
                for (let time = 0; time < one.times; time++)
                  notes.offer({ key: `k${index % 3}`.padEnd(3000, "-"), text: one.tag })
              else if (one.kind === "reject") notes.offer({ key: "", text: "no key" })
              else if (one.kind === "wait") yield* Effect.sleep(one.ms)
              else if (one.reason === undefined) broken.delete(one.topic)
              else broken.set(one.topic, one.reason)
              const scrape = scrapeOf(yield* Metric.snapshot)
              const rows = leat.ledger.snapshot()
              expect(rows.balanced).toBe(true)
              const found = Object.entries(scrape).filter(([name, value]) => isOfLedger(name) && value !== 0)
              const wanted = Object.entries(expected(rows)).filter(([, value]) => value !== 0)
              expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted))
              kinds = kinds.union(new Set(wanted.map(([name]) => name.split(" ")[0] ?? "")))
            }
          })
        )
      }),
      { numRuns: 40 }
    )
    for (const id of [
      "leat.rejected",
      "leat.dropped",
      "leat.dead.lettered",
      "leat.pending",
      "leat.group.moved",
      "leat.group.dropped",
      "leat.group.dead.lettered",
      "leat.group.parked"
    ])
      expect(kinds).toContain(id)
  })
})

const rowOf = (counts: Partial<ReadRow>): ReadRow => ({
  group: "g",
  stream: "s",
  lane: "t/0",
  start: 0n,
  end: 0n,
  positions: 0,
  done: 0,
  moved: {},
  deadLettered: {},
  dropped: {},
  duplicate: 0,
  skipped: {},
  parked: 0,
  inFlight: 0,
  unread: 0,
  balanced: true,
  ...counts
})

/** A ledger that is reported, and how it is scraped. */
const reported = (registry: Metric.MetricRegistry = new Map()) => {
  const context = Context.make(Metric.MetricRegistry, registry)
  const report = new LedgerReport(context)
  const scrape = () => scrapeOf(Metric.snapshotUnsafe(context))
  return { ledger: new Ledger(undefined, report), report, scrape }
}

const reason = fc.oneof(
  fc.nat({ max: 40 }).map((number) => `Tag${number}`),
  fc.constantFrom("__proto__", "constructor", "7", "", "_OTHER", "a".repeat(100), "a".repeat(101), "b".repeat(10_000)),
  fc.string()
)

describe("reasons", () => {
  it("have a bounded number of series, whose sum is the ledger's", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reason, fc.integer({ min: 1, max: 5 })), { maxLength: 120 }), (counted) => {
        const { ledger, scrape } = reported()
        const account = ledger.account("s", "main/t", 1)
        const lane = { moved: newCounts(), deadLettered: newCounts(), dropped: newCounts() }
        ledger.watchRead(() => rowOf({ dropped: { ...lane.dropped } }), lane)
        let total = 0
        const exact = new Map<string, number>()
        for (const [text, by] of counted) {
          countReason(account.dropped, text, by)
          countReason(lane.dropped, text, by)
          total += by
          exact.set(text, (exact.get(text) ?? 0) + by)
        }
        for (const [id, labels] of [
          ["leat.dropped", { "leat.stream": "s", "leat.sink": "main/t" }],
          ["leat.group.dropped", { "leat.stream": "s", "messaging.consumer.group.name": "g" }]
        ] as const) {
          const series = Object.entries(scrape()).filter(([name]) => name.startsWith(`${id} `))
          expect(series.length).toBeLessThanOrEqual(21)
          expect(series.reduce((sum, [, value]) => sum + value, 0)).toBe(total)
          const named = series.filter(([name]) => name !== seriesName(id, { ...labels, "leat.reason": "_OTHER" }))
          const values = new Map(
            Array.from(exact, ([text, value]) => [seriesName(id, { ...labels, "leat.reason": text }), value])
          )
          for (const [name, value] of named) {
            expect(name.length).toBeLessThan(300)
            expect(value).toBe(values.get(name))
          }
          const isAllNamed =
            exact.size <= 20 && !exact.has("_OTHER") && Array.from(exact.keys()).every((text) => text.length <= 100)
          expect(named.length).toBe(isAllNamed ? exact.size : named.length)
        }
      })
    )
  })

  it("that were counted before the account was looked at are there, and all go with their leat", () => {
    const { ledger, report, scrape } = reported()
    const lane = { moved: newCounts(), deadLettered: newCounts(), dropped: newCounts() }
    countReason(lane.moved, "Late", 2)
    ledger.watchRead(() => rowOf({ moved: { ...lane.moved } }), lane)
    ledger.stream("s")
    countReason(ledger.account("s", "main/t", 1).dropped, "overflow")
    const labels = { "leat.stream": "s", "messaging.consumer.group.name": "g", "leat.reason": "Late" }
    expect(scrape()[seriesName("leat.group.moved", labels)]).toBe(2)
    report.close()
    countReason(ledger.account("s", "main/t", 1).dropped, "closed")
    ledger.account("late", "main/t", 1)
    expect(scrape()).toEqual({})
  })
})

it("what was counted by reason stays with the leats that stay, and goes with the last of them", () => {
  const registry: Metric.MetricRegistry = new Map()
  const first = reported(registry)
  const second = reported(registry)
  const name = seriesName("leat.dropped", { "leat.stream": "s", "leat.sink": "main/t", "leat.reason": "closed" })
  second.ledger.account("s", "main/t", 1)
  countReason(first.ledger.account("s", "main/t", 1).dropped, "closed", 3)
  countReason(first.ledger.account("s", "main/t", 1).dropped, "overflow", 1)
  first.report.close()
  first.report.close()
  expect(second.scrape()[name]).toBe(3)
  countReason(second.ledger.account("s", "main/t", 1).dropped, "closed", 2)
  expect(second.scrape()[name]).toBe(5)
  second.report.close()
  expect(second.scrape()).toEqual({})
})

describe("what a spill holds", () => {
  it("is told where there is one, and what earlier processes left is not pending", () => {
    const { ledger, scrape } = reported()
    ledger.account("s", "main/none", 1)
    const account = ledger.spillingAccount("s", "main/t", 1)
    ledger.spillingAccount("s", "main/t", 1)
    account.admitted = 5
    account.spilled = 3
    account.recovered = 4
    account.stored = 6
    const of = (id: string, sink: string) => scrape()[seriesName(id, { "leat.stream": "s", "leat.sink": sink })]
    expect(of("leat.spilled", "main/t")).toBe(3)
    expect(of("leat.recovered", "main/t")).toBe(4)
    // Of 5 admitted ones 2 are stored; the other 4 that are stored were admitted by another process.
    expect(of("leat.pending", "main/t")).toBe(3)
    expect(of("leat.spilled", "main/none")).toBeUndefined()
  })
})

it("events that a move has taken along are told from the first one on", () => {
  story(
    Effect.gen(function* () {
      const fleet = yield* fleetOf
      yield* apply(fleet, documentAt(1, "a"))
      const at = (name: string) => ({ cluster: "local", topic: topicOf(name), partitions: 4 })
      yield* fleet.transport.ensure({ topic: topicOf("a"), partitions: 4 })
      yield* Effect.forkScoped(coordinate(fleet, "test.notes"))
      let isAway = false
      const plan: FaultPlan = {
        send: ({ topic }) => (topic === topicOf("a") && isAway ? { kind: "fail", reason: "Unavailable" } : undefined)
      }
      const leat = yield* processOf(fleet, { drivers: [faultDriver(fleet.driver, plan)] })
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "k", text: "0" })
      const moved = Effect.map(Metric.snapshot, (all) =>
        Object.fromEntries(Object.entries(scrapeOf(all)).filter(([name]) => name.startsWith("leat.moved")))
      )
      yield* place(fleet, "test.notes", at("a"))
      yield* Effect.sleep("2 seconds")
      expect(yield* moved).toEqual({})
      isAway = true
      for (let text = 1; text <= 9; text++) notes.offer({ key: `k${text}`, text: String(text) })
      yield* apply(fleet, documentAt(2, "b"), { "test.notes": at("b") })
      yield* Effect.sleep("30 seconds")
      const series = (name: string, topic: string) =>
        seriesName(name, { "leat.stream": "test.notes", "leat.sink": `local/${topicOf(topic)}` })
      expect(yield* moved).toEqual({
        [series("leat.moved.in", "a")]: 0,
        [series("leat.moved.out", "a")]: 9,
        [series("leat.moved.in", "b")]: 9,
        [series("leat.moved.out", "b")]: 0
      })
    })
  )
})
