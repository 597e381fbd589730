/** Moves that give up the order of a stream: groups are given what stands in the new place beside what is left at the old one. */
import { Cause, Deferred, Effect, Exit, type Scope } from "effect"
import { ControlTools, Leat, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { grow } from "../publish/grownSpills.ts"

const fleet = (isCompacted: boolean) => {
  const brokers = { near: new MemoryBroker({ partitions: 2 }), far: new MemoryBroker({ partitions: 2 }) }
  const control = new MemoryBroker()
  const drivers = [
    { ...memoryDriver(brokers.near), name: "near" },
    { ...memoryDriver(brokers.far), name: "far" },
    { ...memoryDriver(control), name: "control" }
  ]
  const place = (version: number, cluster: "near" | "far", topic = "notes") =>
    JSON.stringify({
      version,
      clusters: { near: { transport: "near" }, far: { transport: "far" } },
      routes: [{ match: { stream: "*" }, to: [{ cluster, topic }] }]
    })
  const contract = { ...noteContract(), compacted: isCompacted }
  const tool = { author: "tool", reason: "another cluster", drivers }
  const move = (given: Partial<MoveTools.MoveAsked>) =>
    MoveTools.start(memoryTransport(control), {
      ...tool,
      document: place(2, "far"),
      streams: [contract.stream],
      foreignWritersStopped: true,
      withoutState: true,
      ...given
    })
  return { brokers, control, contract, drivers, place, tool, move }
}

function story(tell: Effect.Effect<void, unknown, Scope.Scope>): void {
  const { exit } = simulate(1, Effect.scoped(tell), { stepsMax: 5_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
}

/** Ten events are published before the move, and stand in their handlers; ten more after it. What is handled while they stand, and in the end. */
const moved = (order: MoveTools.MoveOrder | undefined, isCompacted = false) => {
  const texts: Array<string> = []
  let whileTheyStand: ReadonlyArray<string> = []
  story(
    Effect.gen(function* () {
      const { control, contract, drivers, place, tool, move } = fleet(isCompacted)
      yield* ControlTools.apply(memoryTransport(control), { ...tool, document: place(1, "near") })
      const opened = Leat.make({ source: "test", drivers, control: { cluster: { transport: "control" } } })
      const notes = yield* (yield* opened).stream(contract)
      const isOver = yield* Deferred.make<void>()
      yield* notes.handle("g", ({ text }) =>
        Effect.andThen(
          text.startsWith("before") ? Deferred.await(isOver) : Effect.void,
          Effect.sync(() => void texts.push(text))
        )
      )
      const publish = (what: string) =>
        Effect.forEach(Array.from({ length: 10 }).keys(), (at) =>
          notes.publish({ key: `k${at}`, text: `${what} ${at}` }, { level: "stored" })
        )
      yield* Effect.sleep("5 seconds")
      yield* publish("before")
      yield* Effect.sleep("5 seconds")
      yield* move(order === undefined ? {} : { order })
      yield* Effect.sleep("1 minute")
      yield* publish("after")
      yield* Effect.sleep("1 minute")
      whileTheyStand = [...texts]
      const [status] = yield* MoveTools.status(memoryTransport(control))
      expect(status?.epochs.map((one) => [one.phase, one.order])).toEqual([
        ["sealed", "keep"],
        ["open", order ?? "keep"]
      ])
      yield* Deferred.succeed(isOver, undefined)
      yield* Effect.sleep("3 minutes")
      const [atEnd] = yield* MoveTools.status(memoryTransport(control))
      expect(atEnd?.epochs.map(({ phase }) => phase)).toEqual(["retired", "open"])
    })
  )
  const count = (of: ReadonlyArray<string>, what: string) => of.filter((text) => text.startsWith(what)).length
  return { standing: count(whileTheyStand, "after"), before: count(texts, "before"), after: count(texts, "after") }
}

describe("a move that gives up order", () => {
  it("has groups read both places at the same time, and nothing is lost or comes twice", () => {
    expect(moved("relaxed")).toEqual({ standing: 10, before: 10, after: 10 })
  })

  it.each([undefined, "keep"] as const)("is another one than a move that keeps it: %s", (order) => {
    expect(moved(order)).toEqual({ standing: 0, before: 10, after: 10 })
  })

  it("is none for who knows that the contract is compacted: the last word counts", () => {
    expect(moved("relaxed", true)).toEqual({ standing: 0, before: 10, after: 10 })
  })

  it("waits for what is left in the same topic, which has got more partitions since: a group has one position there", () => {
    const texts: Array<string> = []
    story(
      Effect.gen(function* () {
        const { control, contract, drivers, brokers, place, tool, move } = fleet(false)
        yield* ControlTools.apply(memoryTransport(control), { ...tool, document: place(1, "near") })
        const leat = yield* Leat.make({ source: "test", drivers, control: { cluster: { transport: "control" } } })
        const notes = yield* leat.stream(contract)
        const isOver = yield* Deferred.make<void>()
        yield* notes.handle("g", ({ text }) =>
          Effect.andThen(
            text.startsWith("1") ? Deferred.await(isOver) : Effect.void,
            Effect.sync(() => void texts.push(text))
          )
        )
        // Of keys whose partition was there before: a group of the memory broker has those that there were when it came.
        const publish = (what: number) =>
          Effect.forEach(Array.from({ length: 8 }).keys(), (at) =>
            notes.publish({ key: `k${at}`, text: `${what} ${at}` }, { level: "stored" })
          )
        yield* Effect.sleep("5 seconds")
        yield* publish(1)
        yield* move({ document: place(2, "far") })
        yield* Effect.sleep("1 minute")
        yield* publish(2)
        yield* move({ document: place(3, "near", "other") })
        yield* Effect.sleep("1 minute")
        yield* publish(3)
        grow(brokers.far, 4)
        yield* move({ document: place(4, "far"), order: "relaxed" })
        yield* Effect.sleep("1 minute")
        yield* publish(4)
        yield* Effect.sleep("1 minute")
        expect(texts).toEqual([])
        yield* Deferred.succeed(isOver, undefined)
        yield* Effect.sleep("10 minutes")
      })
    )
    const count = (what: number) => texts.filter((text) => text.startsWith(`${what} `)).length
    expect([1, 2, 3, 4].map(count)).toEqual([8, 8, 8, 8])
  })

  it("is refused where the tool knows that the contract is compacted, and for a word that is none", () => {
    story(
      Effect.gen(function* () {
        const { control, contract, drivers, place, tool, move } = fleet(true)
        yield* ControlTools.apply(memoryTransport(control), { ...tool, document: place(1, "near") })
        const leat = yield* Leat.make({ source: "test", drivers, control: { cluster: { transport: "control" } } })
        yield* (yield* leat.stream(contract)).publish({ key: "k", text: "1" })
        const info = {
          stream: contract.stream,
          name: contract.name,
          buckets: contract.buckets,
          compacted: true,
          unordered: false
        }
        const refused = yield* Effect.flip(move({ order: "relaxed", contracts: [info as never] }))
        expect(refused.message).toContain(
          "stream test.notes is compacted: what counts is the last event of each key, so its move keeps order; leave --order out (order)"
        )
        const wrong = yield* Effect.flip(move({ order: "none" as never }))
        expect(wrong.message).toContain('order is keep or relaxed, and not "none"')
      })
    )
  })

  it("and one that does not, give all of the new place to a group of what is new that began where the stream was empty", () => {
    const texts: Array<string> = []
    story(
      Effect.gen(function* () {
        const { control, contract, drivers, place, tool, move } = fleet(false)
        yield* ControlTools.apply(memoryTransport(control), { ...tool, document: place(1, "near") })
        const opened = Effect.flatMap(
          Leat.make({ source: "test", drivers, control: { cluster: { transport: "control" } } }),
          (leat) => leat.stream(contract)
        )
        const notes = yield* opened
        const reading = Effect.flatMap(opened, (read) =>
          read.handle("g", ({ text }) => Effect.sync(() => void texts.push(text)), { from: "latest" })
        )
        yield* Effect.scoped(Effect.andThen(reading, Effect.sleep("30 seconds")))
        const publish = (text: string) => notes.publish({ key: "k", text }, { level: "stored" })
        yield* publish("one")
        yield* Effect.sleep("10 seconds")
        yield* move({})
        yield* Effect.sleep("1 minute")
        yield* publish("two")
        yield* Effect.sleep("1 minute")
        yield* reading
        yield* Effect.sleep("5 minutes")
        expect(texts).toEqual(["one", "two"])
      })
    )
  })
})
