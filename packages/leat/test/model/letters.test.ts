/** A group with dead letters that people mend, replay and drop, beside a model: who is where. */
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { DeadLetters, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { failure } from "../consume/RetryCalls.ts"
import { losing } from "./losing.ts"
import { commandsMax, Move, smallestOf, type Told } from "./Story.ts"

const kinds = ["good", "bad", "worse"] as const
type Kind = (typeof kinds)[number]
const replaysMax = 3

interface Open {
  readonly text: string
  readonly replays: number
}

class Model {
  count = 0
  readonly mended = new Set<Kind>(["good"])
  readonly handled: Array<string> = []
  open: Array<Open> = []

  publish(kind: Kind): string {
    const text = `${kind} ${this.count++}`
    this.handle({ text, replays: 0 })
    return text
  }

  handle({ text, replays }: Open): void {
    if (kinds.some((kind) => this.mended.has(kind) && text.startsWith(`${kind} `))) this.handled.push(text)
    else this.open.push({ text, replays })
  }

  replay(): void {
    const [again, guarded] = [
      this.open.filter(({ replays }) => replays < replaysMax),
      this.open.filter(({ replays }) => replays >= replaysMax)
    ]
    this.open = guarded
    for (const { text, replays } of again) this.handle({ text, replays: replays + 1 })
  }
}

const which = { topic: "notes", group: "g" }
const routes = {
  version: 1,
  clusters: { local: { transport: "memory", partitions: 1 } },
  policies: { group: [{ on: ["*"], then: "deadLetter" }] },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes", linger: "1 millis" }] }],
  subscriptions: [{ match: { stream: "*" }, policy: "group", settleEvery: "5 millis" }]
}

const open = (isLosing: boolean) =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions: 1 })
    const driver = isLosing ? losing(memoryDriver(broker)) : memoryDriver(broker)
    const leat = yield* Leat.make({ source: "test", routes, drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const mended = new Set<string>(["good"])
    const handled: Array<string> = []
    yield* notes.handle("g", ({ text }) =>
      Effect.suspend(() => {
        const [kind = ""] = text.split(" ")
        if (!mended.has(kind)) return Effect.fail(failure("Bug"))
        handled.push(text)
        return Effect.void
      })
    )
    // Few of what a group handles here fail, so that none of it is taken for an outage.
    for (let index = 0; index < 50; index++) notes.offer({ key: "calm", text: "good calm" })
    return { broker, leat, notes, mended, handled }
  })
type Real = Effect.Success<ReturnType<typeof open>>

class Publish extends Move<Model, Real> {
  readonly #kind: Kind
  constructor(kind: Kind) {
    super()
    this.#kind = kind
  }
  play(model: Model, { notes }: Real) {
    return Effect.sync(() => {
      notes.offer({ key: this.#kind, text: model.publish(this.#kind) })
      for (let index = 0; index < 5; index++) notes.offer({ key: "calm", text: "good calm" })
    })
  }
  toString = () => `publish ${this.#kind}`
}

class Mend extends Move<Model, Real> {
  readonly #kind: Kind
  constructor(kind: Kind) {
    super()
    this.#kind = kind
  }
  play({ mended }: Model, real: Real) {
    mended.add(this.#kind)
    return Effect.sync(() => void real.mended.add(this.#kind))
  }
  toString = () => `mend ${this.#kind}`
}

class Replay extends Move<Model, Real> {
  override check({ open: letters }: Model): boolean {
    return letters.length > 0
  }
  play(model: Model, { broker }: Real) {
    model.replay()
    return Effect.andThen(DeadLetters.replay(memoryTransport(broker), which), Effect.sleep("1 minute"))
  }
  toString = () => "replay"
}

class DropAll extends Move<Model, Real> {
  override check({ open: letters }: Model): boolean {
    return letters.length > 0
  }
  play(model: Model, { broker }: Real) {
    model.open = []
    return DeadLetters.drop(memoryTransport(broker), which, { reason: "tested" })
  }
  toString = () => "drop the letters"
}

const compare = (model: Model, { broker, leat, handled }: Real) =>
  Effect.gen(function* () {
    yield* Effect.sleep("1 minute")
    const transport = memoryTransport(broker)
    const isThere = yield* Effect.isSuccess(transport.bounds("notes.g.dlq"))
    const letters = isThere ? yield* Stream.runCollect(DeadLetters.list(transport, which)) : []
    const found = letters.map(({ value, letter }) => ({
      text: noteContract().decode(value ?? new Uint8Array()).text,
      replays: letter.replays
    }))
    const inOrder = (all: ReadonlyArray<Open>) => all.toSorted((one, other) => one.text.localeCompare(other.text))
    expect(inOrder(found)).toEqual(inOrder(model.open))
    expect(handled.filter((text) => text !== "good calm").toSorted()).toEqual(model.handled.toSorted())
    expect(leat.ledger.snapshot().lanes.every(({ balanced }) => balanced)).toBe(true)
  })

const told = (isLosing: boolean): Told<Model, Real> => ({
  moves: [
    fc.constantFrom(...kinds).map((kind) => new Publish(kind)),
    fc.constantFrom(...kinds).map((kind) => new Mend(kind)),
    fc.constant(new Replay()),
    fc.constant(new DropAll())
  ],
  model: () => new Model(),
  open: open(isLosing),
  compare
})

describe("dead letters that are replayed", () => {
  it("are open, handled or dropped as their model says", { timeout: 120_000 }, () => {
    expect(smallestOf(told(false))).toBeUndefined()
  })

  it("of which one is lost are told by a few commands", { timeout: 120_000 }, () => {
    const { commands = [], why } = smallestOf(told(true)) ?? {}
    expect(why).toMatch(/AssertionError/)
    expect(commands.length).toBeLessThanOrEqual(commandsMax)
  })
})
