/** A sink with two lanes, beside a model: lists of texts. */
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type FaultPlan, faultDriver } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { losing } from "./losing.ts"
import { commandsMax, Move, smallestOf, type Told } from "./Story.ts"

const names = ["a", "b"] as const
type Name = (typeof names)[number]
type Weather = "fine" | "refuses" | "away"

interface Lane {
  readonly queued: Array<string>
  readonly stored: Array<string>
  dropped: number
  isHalted: boolean
}

class Model {
  weather: Weather = "fine"
  count = 0
  readonly lanes: Readonly<Record<Name, Lane>> = { a: lane(), b: lane() }

  publish(name: Name): string {
    const text = `${this.count++}`
    const own = this.lanes[name]
    own.queued.push(text)
    this.#go(own)
    return text
  }

  resume(): void {
    for (const own of Object.values(this.lanes)) {
      own.isHalted = false
      this.#go(own)
    }
  }

  #go(own: Lane): void {
    while (!own.isHalted && own.queued.length > 0) {
      if (this.weather === "away") own.isHalted = true
      else {
        const [text = ""] = own.queued.splice(0, 1)
        if (this.weather === "fine") own.stored.push(text)
        else own.dropped++
      }
    }
  }
}

function lane(): Lane {
  return { queued: [], stored: [], dropped: 0, isHalted: false }
}

const faults: Readonly<Record<Weather, FaultPlan>> = {
  fine: {},
  refuses: { send: () => ({ kind: "fail", reason: "Rejected" }) },
  away: { send: () => ({ kind: "fail", reason: "Unavailable" }) }
}

const policy = [
  { on: ["Rejected"], then: "drop" },
  { on: ["*"], retry: { times: 1, base: "5 millis" }, then: "halt" }
]
const routes = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: { leg: policy },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "local", topic: "notes", policy: "leg", linger: "1 millis", wire: "cloudevents" }]
    }
  ]
}

const open = (isLosing: boolean) =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions: 1 })
    const weather = { now: "fine" as Weather }
    const plan: FaultPlan = { send: (call) => faults[weather.now].send?.(call) }
    const inner = isLosing ? losing(memoryDriver(broker)) : memoryDriver(broker)
    const leat = yield* Leat.make({ source: "test", routes, drivers: [faultDriver(inner, plan)] })
    const streams = {
      a: yield* leat.stream(noteContract({ name: "test.A", stream: "test.a" })),
      b: yield* leat.stream(noteContract({ name: "test.B", stream: "test.b" }))
    }
    return { broker, weather, leat, streams }
  })
type Real = Effect.Success<ReturnType<typeof open>>

class Publish extends Move<Model, Real> {
  readonly #name: Name
  constructor(name: Name) {
    super()
    this.#name = name
  }
  play(model: Model, { streams }: Real) {
    return Effect.sync(() => void streams[this.#name].offer({ key: "k", text: model.publish(this.#name) }))
  }
  toString = () => `publish ${this.#name}`
}

class Turn extends Move<Model, Real> {
  readonly #weather: Weather
  constructor(weather: Weather) {
    super()
    this.#weather = weather
  }
  play(model: Model, real: Real) {
    model.weather = this.#weather
    return Effect.sync(() => {
      real.weather.now = this.#weather
    })
  }
  toString = () => `the cluster ${this.#weather}`
}

class Resume extends Move<Model, Real> {
  play(model: Model, { leat }: Real) {
    model.resume()
    return leat.resume
  }
  toString = () => "resume"
}

const compare = ({ lanes }: Model, { broker, leat }: Real) =>
  Effect.gen(function* () {
    yield* Effect.sleep(1000)
    const read = memoryTransport(broker).read("notes", 0, { fromPosition: 0n })
    const records = (yield* Stream.runCollect(read)).flatMap((batch) => [...batch.records])
    const texts = records.map(({ value }) => noteContract().decode(value ?? new Uint8Array()).text)
    const { legs } = leat.ledger.snapshot()
    for (const name of names) {
      const { queued, stored, dropped, isHalted } = lanes[name]
      const row = legs.find(({ stream }) => stream === `test.${name}`)
      expect(texts.filter((text) => stored.includes(text))).toEqual(stored)
      expect(row).toMatchObject({ queued: queued.length, stored: stored.length, balanced: true })
      expect(row?.dropped["Rejected"] ?? 0).toBe(dropped)
      expect(leat.halted().some(({ stream }) => stream === `test.${name}`)).toBe(isHalted)
    }
    expect(texts).toHaveLength(lanes.a.stored.length + lanes.b.stored.length)
  })

const told = (isLosing: boolean): Told<Model, Real> => ({
  moves: [
    fc.constantFrom(...names).map((name) => new Publish(name)),
    fc.constantFrom<Weather>("fine", "refuses", "away").map((weather) => new Turn(weather)),
    fc.constant(new Resume())
  ],
  model: () => new Model(),
  open: open(isLosing),
  compare
})

describe("a sink with lanes", () => {
  it("stores, drops, halts and resumes as its model does", { timeout: 60_000 }, () => {
    expect(smallestOf(told(false))).toBeUndefined()
  })

  it("that loses an event is told by a few commands", { timeout: 60_000 }, () => {
    const { commands = [], why } = smallestOf(told(true)) ?? {}
    expect(why).toMatch(/AssertionError/)
    expect(commands.length).toBeGreaterThanOrEqual(losing.sends)
    expect(commands.length).toBeLessThanOrEqual(commandsMax)
  })
})
