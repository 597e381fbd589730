import { Clock, Context, Deferred, Effect, Fiber, Scope } from "effect"
import { MemoryBroker, memoryDriver } from "leat"
import { batchOf, type Run, type Writer } from "leat/transport"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Client, type Opened } from "../../src/routes/switch/Client.js"
import { answeredRuns } from "../../src/transport/answeredRuns.js"
import { SwitchedWriter } from "../../src/routes/switch/SwitchedWriter.js"
import { monotonicMs } from "../../src/Wake.js"
import { story } from "../publish/stories.js"

/** A client that keeps what it is handed until it is told what became of it. */
class Kept {
  readonly handed: Array<{ readonly at: number; readonly answer: (runs: ReadonlyArray<Run>) => void }> = []
  fence: Effect.Effect<bigint> = Effect.succeed(0n)
  /** What it answers in the call itself; undefined: it keeps what it is handed. */
  atOnce: Run["fate"] | undefined
  readonly opened: Opened

  constructor(transport: Client["transport"]) {
    const writer: Writer = {
      partitions: 1,
      send: (_partition, _batch, at, _to, _timeoutMs, answer) => {
        this.handed.push({ at, answer })
        if (this.atOnce !== undefined) this.answer(this.atOnce)
      },
      fence: () => Effect.suspend(() => this.fence)
    }
    const client = new Client(transport, Scope.makeUnsafe())
    client.hold()
    this.opened = { client, writer, scope: Scope.makeUnsafe() }
  }

  /** Answers the first that has no answer. */
  answer(fate: Run["fate"] = "stored"): void {
    const first = this.handed.shift()
    first?.answer([{ from: first.at, to: first.at + 1, fate }])
  }

  get all(): ReadonlyArray<number> {
    return this.handed.map(({ at }) => at)
  }
}

const begin = Effect.gen(function* () {
  const transport = yield* memoryDriver(new MemoryBroker({ partitions: 1 })).open("c", {})
  const context = yield* Effect.context<never>()
  const clock = Context.get(context, Clock.Clock)
  const fork = Effect.runForkWith(context)
  const home = {
    get nowMs() {
      return monotonicMs(clock)
    },
    fork,
    run: (closing: Effect.Effect<void>) => void fork(closing),
    forget: () => undefined
  }
  const [one, two, three] = [new Kept(transport), new Kept(transport), new Kept(transport)] as const
  const writer = new SwitchedWriter("notes", one.opened, home)
  const told: Array<string> = []
  const batch = batchOf([{ key: null, value: new Uint8Array(1) }])
  const send = (at: number, timeoutMs = 1000) =>
    writer.send(0, batch, at, at + 1, timeoutMs, (runs) => {
      told.push(
        ...answeredRuns(runs, at, at + 1).map(({ from, fate, error }) =>
          [from, fate, error?.reason].filter((word) => word !== undefined).join(" ")
        )
      )
    })
  return { writer, one, two, three, told, send }
})

describe("a writer that goes over", () => {
  it("answers what it holds within the time that it was given, as not stored", () =>
    story(
      Effect.gen(function* () {
        const { writer, one, two, told, send } = yield* begin
        send(0, 60_000)
        writer.switch(two.opened)
        send(1, 3000)
        send(2, 3000)
        yield* Effect.sleep("5 seconds")
        expect(told).toEqual(["1 notStored Timeout", "2 notStored"])
        one.answer()
        send(3)
        expect(two.all).toEqual([3])
      })
    ))

  it("answers what has no answer after its time, fences it, and sends nothing that stood behind it", () =>
    story(
      Effect.gen(function* () {
        const { writer, two, told, send } = yield* begin
        send(0)
        writer.switch(two.opened)
        yield* Effect.sleep("5 seconds")
        send(1, 60_000)
        yield* Effect.sleep("5 seconds")
        expect(told).toEqual(["1 notStored", "0 unknown Timeout"])
        expect(writer.isGoingOver).toBe(false)
        send(2)
        expect(two.all).toEqual([2])
      })
    ))

  it("counts no fence of the client before for what is on its way by the next one", () =>
    story(
      Effect.gen(function* () {
        const { writer, one, two, three, send } = yield* begin
        const slow = Deferred.makeUnsafe<bigint>()
        one.fence = Deferred.await(slow)
        send(0)
        one.answer("unknown")
        const fencing = yield* Effect.forkChild(writer.fence(0), { startImmediately: true })
        one.fence = Effect.succeed(0n)
        writer.switch(two.opened)
        yield* Effect.sleep("2 seconds")
        send(1)
        expect(two.all).toEqual([1])
        yield* Deferred.succeed(slow, 0n)
        yield* Fiber.join(fencing)
        writer.switch(three.opened)
        send(2)
        expect(three.all).toEqual([])
        two.answer()
        expect(three.all).toEqual([2])
      })
    ))

  it.each(["unknown", "notStored"] as const)("answers each once where the next client answers at once: %s", (fate) =>
    story(
      Effect.gen(function* () {
        const { writer, one, two, told, send } = yield* begin
        two.atOnce = fate
        send(0)
        writer.switch(two.opened)
        for (const at of [1, 2, 3]) send(at)
        one.answer()
        expect(told.toSorted()).toEqual(["0 stored", `1 ${fate}`, "2 notStored", "3 notStored"])
      })
    )
  )

  it("takes an answer that makes no sense for none, and breaks nobody's callback", () =>
    story(
      Effect.gen(function* () {
        const { writer, one, two, send } = yield* begin
        for (const at of [0, 1]) send(at)
        const [first, second] = one.handed
        for (const runs of [[null], undefined, [{ from: 7, to: Number.NaN, fate: "perhaps" }]])
          expect(() => first?.answer(runs as never)).not.toThrow()
        second?.answer([{ from: 1, to: 2, fate: "stored" }])
        writer.switch(two.opened)
        send(2, 10_000)
        // What had no answer that anybody understands is fenced first.
        expect(two.all).toEqual([])
        yield* Effect.sleep("3 seconds")
        expect(two.all).toEqual([2])
      })
    ))

  it("keeps the order of what is sent while what it held is handed over", () =>
    story(
      Effect.gen(function* () {
        const { writer, one, two, send } = yield* begin
        send(0)
        writer.switch(two.opened)
        send(1)
        send(2)
        const { handed } = two
        handed.push = (...items) => {
          const length = Array.prototype.push.apply(handed, items)
          if (items[0]?.at === 1) send(3)
          return length
        }
        one.answer()
        expect(two.all).toEqual([1, 2, 3])
      })
    ))

  it("stores nothing behind what has failed, and nothing twice or out of order, whatever comes when", () => {
    const step = fc.constantFrom("send", "stored", "stored", "notStored", "unknown", "switch", "wait")
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) =>
        story(
          Effect.gen(function* () {
            const { writer, one, two, three, told, send } = yield* begin
            const spares = [two, three]
            const clients = [one, two, three]
            const stored: Array<number> = []
            let next = 0
            for (const what of steps) {
              if (what === "send") send(next++, 1_000_000)
              else if (what === "wait") yield* Effect.sleep("3 seconds")
              else if (what === "switch") {
                const to = writer.isGoingOver ? undefined : spares.shift()
                if (to !== undefined) writer.switch(to.opened)
              } else {
                // One after the other: a driver stores nothing behind what has failed.
                const client = clients.find(({ handed }) => handed.length > 0)
                if (client === undefined) continue
                const [first] = client.handed
                if (what === "stored" && first !== undefined) stored.push(first.at)
                const behind = what === "stored" ? [] : client.handed.splice(1)
                client.answer(what)
                for (const { at, answer } of behind) answer([{ from: at, to: at + 1, fate: "notStored" }])
                if (what === "unknown") yield* writer.fence(0)
              }
              expect(clients.filter(({ handed }) => handed.length > 0).length).toBeLessThan(2)
            }
            expect(stored).toEqual(stored.toSorted((a, b) => a - b))
            expect(new Set(stored).size).toBe(stored.length)
            expect(new Set(told.map((words) => words.split(" ")[0])).size).toBe(told.length)
          })
        )
      )
    )
  })
})
