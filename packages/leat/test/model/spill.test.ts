/** A sink that spills, and processes that follow each other, beside a model: two lists of texts. */
import { Effect, Exit, Scope, Stream } from "effect"
import fc from "fast-check"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { losing } from "./losing.ts"
import { commandsMax, Move, smallestOf, type Told } from "./Story.ts"

class Model {
  isAway = false
  count = 0
  readonly stored: Array<string> = []
  readonly spilled: Array<string> = []

  publish(): string {
    const text = `${this.count++}`
    this.spilled.push(text)
    this.#go()
    return text
  }

  turn(isAway: boolean): void {
    this.isAway = isAway
    this.#go()
  }

  #go(): void {
    if (!this.isAway) this.stored.push(...this.spilled.splice(0))
  }
}

const isAway: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
const leg = { cluster: "far", topic: "notes", policy: "leg", linger: "1 millis", spill: { cluster: "disk" } }
const routes = {
  version: 1,
  clusters: { far: { transport: "memory" }, disk: { transport: "powerLoss" } },
  policies: { leg: [{ on: ["passing"], then: "spill" }] },
  routes: [{ match: { stream: "*" }, to: [leg] }]
}

const open = (isLosing: boolean) =>
  Effect.gen(function* () {
    const far = new MemoryBroker({ partitions: 1 })
    const disk = new PowerLossBroker({ partitions: 1 })
    const weather: { now: FaultPlan } = { now: {} }
    const plan: FaultPlan = { send: (call) => weather.now.send?.(call), fence: (call) => weather.now.fence?.(call) }
    const near = isLosing ? losing(powerLossDriver(disk)) : powerLossDriver(disk)
    const begin = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const drivers = [faultDriver(memoryDriver(far), plan), near]
      const leat = yield* Scope.provide(Leat.make({ source: "test", routes, drivers }), scope)
      return { leat, scope, notes: yield* leat.stream(noteContract()) }
    })
    const process = yield* begin
    return { far, weather, begin, now: process }
  })
type Real = Effect.Success<ReturnType<typeof open>>

class Publish extends Move<Model, Real> {
  play(model: Model, { now }: Real) {
    return Effect.sync(() => void now.notes.offer({ key: "k", text: model.publish() }))
  }
  toString = () => "publish"
}

class Turn extends Move<Model, Real> {
  readonly #isAway: boolean
  constructor(away: boolean) {
    super()
    this.#isAway = away
  }
  play(model: Model, real: Real) {
    model.turn(this.#isAway)
    return Effect.sync(() => {
      real.weather.now = this.#isAway ? isAway : {}
    })
  }
  toString = () => (this.#isAway ? "the cluster is away" : "the cluster is there")
}

/** The process closes, and another one has its disk. */
class Restart extends Move<Model, Real> {
  play(_: Model, real: Real) {
    return Effect.gen(function* () {
      yield* Scope.close(real.now.scope, Exit.void)
      real.now = yield* real.begin
    })
  }
  toString = () => "another process"
}

const compare = ({ stored, spilled }: Model, { far, now }: Real) =>
  Effect.gen(function* () {
    // Longer than a pause between two attempts of an outage.
    yield* Effect.sleep("2 minutes")
    const bounds = yield* Effect.orElseSucceed(memoryTransport(far).bounds("notes"), () => [])
    const read = memoryTransport(far).read("notes", 0, { fromPosition: 0n })
    const records = bounds.length === 0 ? [] : (yield* Stream.runCollect(read)).flatMap((one) => [...one.records])
    expect(records.map(({ value }) => noteContract().decode(value ?? new Uint8Array()).text)).toEqual(stored)
    const [row] = now.leat.ledger.snapshot().legs
    expect(row?.balanced ?? true).toBe(true)
    expect(now.leat.halted()).toEqual([])
    if (row !== undefined) expect(row.queued + row.inFlight + row.inDoubt).toBe(0)
    // What an earlier process has left is counted when it is sent on.
    expect(row?.spilled ?? 0).toBeLessThanOrEqual(spilled.length)
  })

const told = (isLosing: boolean): Told<Model, Real> => ({
  moves: [
    fc.constant(new Publish()),
    fc.constant(new Publish()),
    fc.boolean().map((away) => new Turn(away)),
    fc.constant(new Restart())
  ],
  model: () => new Model(),
  open: open(isLosing),
  compare: (model, real) => compare(model, real)
})

describe("a sink that spills", () => {
  it("sends on what its model has, in order, whichever process has it", { timeout: 120_000 }, () => {
    expect(smallestOf(told(false))).toBeUndefined()
  })

  it("whose disk loses an event is told by a few commands", { timeout: 120_000 }, () => {
    const { commands = [], why } = smallestOf(told(true)) ?? {}
    expect(why).toMatch(/AssertionError/)
    expect(commands.length).toBeGreaterThan(losing.sends)
    expect(commands.length).toBeLessThanOrEqual(commandsMax)
  })
})
