/** Processes that move a stream, spill, are killed and close: what an audit of all places says of their losses, against what is not there. */
import { Effect } from "effect"
import { Audit, memoryTransport } from "leat"
import { type FaultPlan, seededRandom } from "leat/testing"
import type { Announcement } from "leat/transport"
import { describe, expect, it } from "vitest"
import { Gate } from "../../src/testing/story/Gate.ts"
import { away, documentAt, handledBy, type SpillingFleet, spillingStory, stream } from "../moves/spillingFleet.ts"

/** All that processes have announced, the last of each; one that was killed announces nothing more. */
class Announced {
  readonly #last = new Map<string, Announcement>()

  readonly process = Effect.fnUntraced(function* (this: Announced, fleet: SpillingFleet) {
    let isAlive = true
    const save = (one: Announcement) => Effect.sync(() => void (isAlive && this.#last.set(one.incarnation, one)))
    const started = yield* fleet.process({ ledger: { store: { save }, every: "50 millis" } })
    const kill = Effect.suspend(() => {
      isAlive = false
      return started.kill
    })
    return { ...started, kill }
  })

  get ledgers() {
    return Array.from(this.#last.values(), (one) => ({ ...one, state: one.isClosed ? "closed" : "gone" }) as const)
  }
}

const auditOf = (fleet: SpillingFleet, { ledgers }: Announced) =>
  Audit.streamOfFleet(
    memoryTransport(fleet.control),
    stream,
    { drivers: fleet.drivers(new Gate(), fleet.disk) },
    { ledgers }
  )

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, one) => all + one, 0)

/** What was numbered and stands nowhere, less what its process counts as surely dropped: of those that were killed, and of those that closed. */
const missingOf = Effect.fnUntraced(function* (fleet: SpillingFleet, { ledgers }: Announced) {
  const there = (yield* Effect.forEach(["a", "b", "c"] as const, (at) => fleet.stored(at))).flat()
  const missing = { gone: 0, closed: 0 }
  for (const { incarnation, state, streams, legs } of ledgers) {
    const own = new Set(there.filter((one) => one.incarnation === incarnation).map(({ seq }) => seq))
    const numbered = streams[0]?.sequences[0]?.[1] ?? 0
    const dropped = legs.reduce((all, leg) => all + sum(leg.dropped) - leg.droppedMayBeStored, 0)
    missing[state] += Math.max(0, Array.from({ length: numbered }).filter((_, seq) => !own.has(seq)).length - dropped)
  }
  return missing
})

const slow = (random: () => number): FaultPlan => ({
  send: () => (random() < 0.5 ? { kind: "delay", ms: 3000 } : random() < 0.3 ? { kind: "loseResponse" } : undefined)
})

/** Rounds of outages, moves, kills and closings, with bursts of events between them, all of one key. */
const lived = Effect.fnUntraced(function* (fleet: SpillingFleet, announced: Announced, random: () => number) {
  const upTo = (max: number) => Math.floor(random() * max)
  const left = ["b", "c"] as Array<"b" | "c">
  let number = 0
  let version = 1
  let one = yield* announced.process(fleet)
  const reader = yield* fleet.process({ disk: fleet.otherDisk })
  yield* handledBy(reader, "group")
  yield* Effect.sleep("6 seconds")
  yield* fleet.place
  yield* Effect.sleep("6 seconds")
  for (let round = 0; round < 6; round++) {
    const what = random()
    if (what < 0.25) fleet.faults.near = random() < 0.5 ? away : random() < 0.6 ? slow(random) : {}
    else if (what < 0.4) fleet.faults.far = random() < 0.3 ? away : random() < 0.7 ? slow(random) : {}
    else if (what < 0.6) {
      const at = left.shift()
      if (at !== undefined) yield* fleet.apply(documentAt(++version, at), at)
    } else if (what < 0.85) {
      yield* random() < 0.7 ? one.kill : one.close
      yield* Effect.sleep(upTo(3000))
      one = yield* announced.process(fleet)
    }
    for (let event = upTo(30); event > 0; event--) {
      one.notes.offer({ key: "k", text: String(number++) })
      if (random() < 0.3) yield* Effect.sleep(upTo(50))
    }
    yield* Effect.sleep(upTo(random() < 0.5 ? 1500 : 20_000))
  }
  Object.assign(fleet.faults, { near: {}, far: {} })
  for (let event = 0; event < 10; event++) one.notes.offer({ key: "k", text: String(number++) })
  yield* random() < 0.6 ? one.kill : one.close
  const next = yield* announced.process(fleet)
  yield* Effect.timeoutOption(next.notes.publish({ key: "k", text: "next" }, { level: "stored" }), "2 minutes")
  yield* Effect.sleep("4 minutes")
  yield* next.close
  yield* Effect.sleep("1 minute")
})

describe("an audit of a stream that was moved, against what is there", () => {
  it("finds as many lost as were, whatever they died in", { timeout: 120_000 }, () => {
    let lost = 0
    for (let seed = 1010; seed < 1022; seed++)
      spillingStory(
        (fleet) =>
          Effect.gen(function* () {
            const announced = new Announced()
            yield* lived(fleet, announced, seededRandom(seed))
            const missing = yield* missingOf(fleet, announced)
            const report = yield* auditOf(fleet, announced)
            const found = { seed, lost: report.crashLost, missing: report.missing, outOfOrder: report.outOfOrder }
            expect(found).toEqual({ seed, lost: missing.gone, missing: missing.closed, outOfOrder: 0 })
            expect(report.gone.map(({ excess }) => excess)).toEqual(report.gone.map(() => 0))
            lost += missing.gone
          }),
        seed
      )
    // Else nothing was tried.
    expect(lost).toBeGreaterThan(5)
  })

  it.each([
    ["killed", "sent elsewhere", "c"],
    ["killed", "called off", "a"],
    ["killed", "ended", undefined],
    ["closed", "sent elsewhere", "c"],
    ["closed", "called off", "a"],
    ["closed", "ended", undefined]
  ] as const)("finds what waited for a move in a process that was %s, where that is %s", (how, _, then) => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const announced = new Announced()
        const one = yield* announced.process(fleet)
        yield* Effect.sleep("6 seconds")
        yield* fleet.place
        yield* Effect.sleep("6 seconds")
        for (let event = 0; event < 10; event++)
          yield* one.notes.publish({ key: "k", text: `stored ${event}` }, { level: "stored" })
        fleet.faults.near = away
        for (let event = 0; event < 5; event++)
          yield* one.notes.publish({ key: "k", text: `spilled ${event}` }, { level: "durable" })
        yield* fleet.apply(documentAt(2, "b"), "b")
        yield* Effect.sleep("4 seconds")
        for (let event = 0; event < 18; event++) one.notes.offer({ key: "k", text: `waits ${event}` })
        yield* Effect.sleep("200 millis")
        yield* how === "killed" ? one.kill : one.close
        if (then !== undefined) yield* fleet.apply(documentAt(3, then), then)
        yield* Effect.sleep("1 second")
        fleet.faults.near = {}
        const next = yield* fleet.process()
        yield* Effect.forkScoped(next.notes.publish({ key: "k", text: "next" }, { level: "stored" }))
        yield* Effect.sleep("5 minutes")
        const { events, missing, crashLost, pending, unauditable, dropped } = yield* auditOf(fleet, announced)
        expect({ events, missing, crashLost, pending, unauditable, dropped: sum(dropped) }).toEqual({
          events: 16,
          missing: 0,
          crashLost: how === "killed" ? 18 : 0,
          pending: 0,
          unauditable: 0,
          dropped: how === "killed" ? 0 : 18
        })
      })
    )
  })
})
