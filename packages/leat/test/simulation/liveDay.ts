// A day of a hundred publishers, on virtual time: `liveDay.ts [hours] [seed] [times as many faults] [mutant]`. Faults come at the rate of a cluster that
// is run well, and the policy is a few retries, then drop. Less than 0.001 % may be lost, or as many times more as there are faults; every drop is counted
// by its reason, and announced; the audit, which only reads the topic, misses nothing. The last line is a report. Exit code 0: so it was; 3: it was not.
import { Effect, Exit, References, Scope, Stream } from "effect"
import type { FaultPlan, SendFault } from "leat/testing"
import { mutantCalled, plantInProcess } from "../mutants/plant.ts"

const hours = Number(process.argv[2] ?? 1)
const seed = Number(process.argv[3] ?? 1)
const times = Number(process.argv[4] ?? 1)
const mutant = process.argv[5]
if (mutant !== undefined) plantInProcess(mutantCalled(mutant))

// After the hook: static imports would load the sources before it.
const { Audit, Leat, MemoryBroker, memoryDriver, memoryTransport } = await import("leat")
const { faultDriver, seededRandom, simulate } = await import("leat/testing")
const { noteContract } = await import("../contracts/Note.ts")

const hourMs = 3_600_000
const publishers = 100
/** Time between two events of a publisher, on average. */
const everyMs = 20_000
/** Share of the events that may be lost. */
const lossMax = 0.000_01 * times

/** Of the cluster, for all publishers: how often it is away, and how long at most. A leader moves in seconds. */
const outageEveryMs = (4 * hourMs) / times
const outageMsMax = 5000
/** One record that the cluster refuses for good. */
const refusalEveryMs = (8 * hourMs) / times
/** Chances, of each send. */
const sometimes: ReadonlyArray<readonly [number, (random: () => number) => SendFault]> = [
  [times / 20_000, () => ({ kind: "loseResponse" })],
  [times / 20_000, () => ({ kind: "cut" })],
  [times / 20_000, (random) => ({ kind: "lateWrite", ms: Math.floor(random() * 2000) })],
  [times / 10_000, () => ({ kind: "fail", reason: "Throttled" })],
  [times / 5000, (random) => ({ kind: "delay", ms: Math.floor(random() * 2000) })]
]
const retries = 6
const routes = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: {
    leg: [{ on: ["*"], retry: { times: retries, base: "100 millis", factor: 2, maxDelay: "5 seconds" }, then: "drop" }]
  },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "local", topic: "notes", policy: "leg", linger: "5 millis", timeout: "5 seconds" }]
    }
  ],
  subscriptions: [{ match: { stream: "*" }, from: "earliest", settleEvery: "1 second" }]
}

/** What happens to everybody. */
class Weather {
  isAway = false
  /** Whose next sends are refused, and how many. */
  refused: { readonly publisher: number; left: number } | undefined
  readonly counts: Record<string, number> = {}
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  planOf(publisher: number): FaultPlan {
    return {
      send: () => this.#sendFault(publisher),
      fence: () => (this.isAway ? "Unavailable" : undefined)
    }
  }

  note(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  #sendFault(publisher: number): SendFault | undefined {
    if (this.isAway) return { kind: "fail", reason: "Unavailable" }
    if (this.refused?.publisher === publisher) {
      if (--this.refused.left === 0) this.refused = undefined
      this.note("refused")
      return { kind: "fail", reason: "Rejected" }
    }
    let drawn = this.#random()
    for (const [chance, fault] of sometimes) {
      if (drawn < chance) {
        const found = fault(this.#random)
        this.note(found.kind)
        return found
      }
      drawn -= chance
    }
    return undefined
  }
}

const day = Effect.gen(function* () {
  const random = seededRandom(seed)
  const broker = new MemoryBroker({ partitions: 8 })
  const weather = new Weather(random)
  const expected = (hours * hourMs * publishers) / everyMs
  const handled = new Uint8Array(Math.ceil(expected * 1.5) + 1000)
  const readers = yield* Leat.make({ source: "reader", routes, drivers: [memoryDriver(broker)] })
  const read = yield* readers.stream(noteContract())
  yield* read.handle("g", ({ text }) => Effect.sync(() => void (handled[Number(text)] = 1)))
  const ends = yield* Scope.make()
  const leats = yield* Effect.forEach(Array.from({ length: publishers }).keys(), (publisher) =>
    Scope.provide(
      Leat.make({
        source: `publisher-${publisher}`,
        routes,
        drivers: [faultDriver(memoryDriver(broker), weather.planOf(publisher))]
      }),
      ends
    )
  )
  let serial = 0
  const publish = (leat: (typeof leats)[number]) =>
    Effect.gen(function* () {
      const notes = yield* leat.stream(noteContract())
      for (let nowMs = 0; ;) {
        const waitMs = Math.floor(random() * 2 * everyMs)
        nowMs += waitMs
        if (nowMs >= hours * hourMs) return
        yield* Effect.sleep(waitMs)
        notes.offer({ key: `k${Math.floor(random() * 1000)}`, text: `${serial++}` })
      }
    })
  const outage = Effect.gen(function* () {
    weather.note("outage")
    weather.isAway = true
    yield* Effect.sleep(1000 + Math.floor(random() * (outageMsMax - 1000)))
    weather.isAway = false
  })
  const refusal = Effect.sync(() => {
    weather.refused = { publisher: Math.floor(random() * publishers), left: retries + 1 }
  })
  yield* Effect.forkScoped(Effect.forever(Effect.delay(outage, outageEveryMs)))
  yield* Effect.forkScoped(Effect.forever(Effect.delay(refusal, refusalEveryMs - 60_000)))
  yield* Effect.forEach(leats, publish, { concurrency: "unbounded", discard: true })
  yield* Effect.forEach(leats, ({ flush }) => flush, { concurrency: "unbounded", discard: true })
  yield* Scope.close(ends, Exit.void)
  yield* Effect.sleep("1 minute")

  const transport = memoryTransport(broker)
  const stored = new Uint8Array(serial)
  for (const { partition, start, end } of yield* transport.bounds("notes"))
    yield* Stream.runForEach(
      transport.read("notes", partition, { fromPosition: start, toPosition: end }),
      ({ records }) =>
        Effect.sync(() => {
          for (const { value } of records)
            if (value !== null && value.length > 0) stored[Number(noteContract().decode(value).text)] = 1
        })
    )
  const audit = yield* Audit.topic(transport, "notes", { streams: ["test.notes"] })
  const rows = leats.flatMap(({ ledger }) => ledger.snapshot().legs)
  return { offered: serial, stored, handled, audit, rows, counts: weather.counts }
}).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

function total(all: Iterable<number>): number {
  let sum = 0
  for (const one of all) sum += one
  return sum
}

const beganAtMs = performance.now()
const { exit } = simulate(seed, day, { stepsMax: Number.MAX_SAFE_INTEGER })
if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
const { offered, stored, handled, audit, rows, counts } = exit.value
const there = total(stored)
const dropped: Record<string, number> = {}
for (const row of rows)
  for (const [reason, count] of Object.entries(row.dropped)) dropped[reason] = (dropped[reason] ?? 0) + count
const droppedAll = total(Object.values(dropped))
const mayBeStored = total(rows.map((row) => row.droppedMayBeStored))
const lost = offered - there
const unhandled = stored.reduce((sum, one, serial) => (one === 1 && handled[serial] !== 1 ? sum + 1 : sum), 0)
const announced = total(Object.values(audit.dropped))
const faults: ReadonlyArray<readonly [boolean, string]> = [
  [rows.some(({ balanced }) => !balanced), "a ledger does not balance"],
  [total(rows.map(({ admitted }) => admitted)) !== offered, "not every event was admitted"],
  [lost > lossMax * offered && lost > 0, `${lost} of ${offered} events are lost`],
  [lost > droppedAll || lost < droppedAll - mayBeStored, `${lost} are lost, and ${droppedAll} are counted as dropped`],
  [audit.missing > 0, `the audit misses ${audit.missing}`],
  [announced !== lost, `the audit finds ${announced} dropped, and ${lost} are lost`],
  [audit.events !== there, `the audit finds ${audit.events} events, and ${there} are there`],
  [unhandled > 0, `${unhandled} events were stored and not handled`]
]
const violation = faults.find(([isSo]) => isSo)?.[1]
const report = {
  hours,
  seed,
  publishers,
  offered,
  lost,
  lossRatio: lost / offered,
  dropped,
  copies: audit.copies,
  faults: counts,
  seconds: Math.round((performance.now() - beganAtMs) / 1000)
}
process.stdout.write(`${JSON.stringify(violation === undefined ? report : { ...report, violation })}\n`)
process.exitCode = violation === undefined ? 0 : 3
