import { Clock, Deferred, type Duration, Effect, Exit, Fiber, Logger, References, Result, Scope, Stream } from "effect"
import fc from "fast-check"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, type OpenLeat } from "leat"
import { faultDriver, randomFaults, seededRandom, simulate } from "leat/testing"
import { TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"
import { bent, routes, withLanes } from "./support.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")
const run = <A>(program: Effect.Effect<A, unknown, Scope.Scope>, seed = 1): A => {
  const { exit } = simulate(seed, quiet(Effect.scoped(program)), { stepsMax: 100_000 })
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

const document = (partitions: number, subscription: object = {}) => ({
  ...routes(
    { settleEvery: "10 minutes", policy: "again", ...subscription },
    { again: [{ on: ["*"], retry: { base: "5 millis" }, then: "halt" }] }
  ),
  clusters: { local: { transport: "memory", partitions } }
})
const open = (broker: MemoryBroker, subscription: object = {}) =>
  Leat.make({
    source: "test",
    routes: document(broker.options.partitions, subscription),
    drivers: [memoryDriver(broker)]
  })
const streamOf = (leat: OpenLeat) => leat.stream(noteContract())
const notesOf = (count: number): ReadonlyArray<Note> =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index}`, text: `${index}` }))
const nowMs = Clock.currentTimeMillis

describe("caughtUp", () => {
  it("completes when every lane has handled and settled what was stored, without waiting for settleEvery", () => {
    const told = run(
      Effect.gen(function* () {
        const leat = yield* open(new MemoryBroker({ partitions: 4 }))
        const notes = yield* streamOf(leat)
        const seen: Array<string> = []
        const subscription = yield* notes.handle("g", ({ text }) =>
          Effect.andThen(
            Effect.sleep(10),
            Effect.sync(() => void seen.push(text))
          )
        )
        yield* notes.publishAll(notesOf(100))
        const startMs = yield* nowMs
        yield* subscription.caughtUp
        return { seen: seen.length, lag: yield* subscription.lag, ms: (yield* nowMs) - startMs }
      })
    )
    expect(told).toMatchObject({ seen: 100, lag: 0n })
    expect(told.ms).toBeLessThan(2000)
  })

  it("completes where lanes that another member holds begin at the end and have nothing to do", () => {
    expect(
      run(
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 2 })
          const [one, other] = [yield* streamOf(yield* open(broker)), yield* streamOf(yield* open(broker))]
          yield* one.publishAll(notesOf(20))
          const first = yield* one.handle("g", () => Effect.void, { from: "latest" })
          const second = yield* other.handle("g", () => Effect.void, { from: "latest" })
          yield* Effect.sleep("1 minute")
          yield* Effect.all([first.caughtUp, second.caughtUp]).pipe(Effect.timeout("1 minute"))
          return [yield* first.lag, yield* second.lag]
        })
      )
    ).toEqual([0n, 0n])
  })

  it("completes at once where nothing is stored, and where all is settled already", () => {
    expect(
      run(
        Effect.gen(function* () {
          const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 2 })))
          const subscription = yield* notes.handle("g", () => Effect.void)
          const startMs = yield* nowMs
          yield* subscription.caughtUp
          yield* notes.publishAll(notesOf(9))
          yield* subscription.caughtUp
          yield* subscription.caughtUp
          return (yield* nowMs) - startMs
        })
      )
    ).toBeLessThan(200)
  })

  it("is not kept waiting for settleEvery by a settle that failed", () => {
    expect(
      run(
        Effect.gen(function* () {
          let settles = 0
          const lost = new TransportError({
            reason: "Unavailable",
            transport: "memory",
            operation: "settle",
            detail: "planted"
          })
          const driver = withLanes((lane) => ({
            ...lane,
            settle: (position) => (settles++ < 3 ? Effect.fail(lost) : lane.settle(position))
          }))
          const leat = yield* Leat.make({ source: "test", routes: document(1), drivers: [driver] })
          const notes = yield* streamOf(leat)
          yield* notes.publish({ key: "a", text: "1" })
          const subscription = yield* notes.handle("g", () => Effect.void)
          const startMs = yield* nowMs
          yield* subscription.caughtUp
          return [settles, (yield* nowMs) - startMs]
        })
      )
      // After 100, 200 and 400 ms.
    ).toEqual([4, 700])
  })

  it("does not wait for what is stored later", () => {
    expect(
      run(
        Effect.gen(function* () {
          const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 1 })))
          const seen: Array<string> = []
          const subscription = yield* notes.handle("g", ({ text }) =>
            Effect.andThen(
              Effect.sleep(10),
              Effect.sync(() => void seen.push(text))
            )
          )
          yield* notes.publishAll(Array.from({ length: 5 }, (_, index) => ({ key: "k", text: `${index}` })))
          // One more with every millisecond: it is never done with everything.
          yield* Effect.forkScoped(Effect.forever(Effect.delay(notes.publish({ key: "k", text: "later" }), 1)))
          yield* subscription.caughtUp
          return seen.slice(0, 5)
        })
      )
    ).toEqual(["0", "1", "2", "3", "4"])
  })

  it("does not wait for what other members have got since, however often the transport is asked", () => {
    expect(
      run(
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 2 })
          const member = Effect.flatMap(open(broker, { settleEvery: "20 millis" }), streamOf)
          const [notes, others] = [yield* member, yield* member]
          const subscription = yield* notes.handle("g", () => Effect.void)
          yield* others.handle("g", () => Effect.sleep(200), { concurrency: 1 })
          yield* Effect.sleep(100)
          yield* notes.publishAll(notesOf(20))
          // Each of the keys, ten times as fast as they are handled.
          yield* Effect.forkScoped(Effect.forever(Effect.delay(notes.publishAll(notesOf(20)), 20)))
          return yield* Effect.timeoutOption(subscription.caughtUp, "1 minute")
        })
      )
    ).toMatchObject({ _tag: "Some" })
  })

  it("waits for the lanes of other members too, and over a rebalance", () => {
    expect(
      run(
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 4 })
          const [one, two] = [yield* open(broker), yield* open(broker)]
          const [notes, others] = [yield* streamOf(one), yield* streamOf(two)]
          const seen = new Set<string>()
          const handler =
            (ms: number) =>
            ({ text }: Note) =>
              Effect.andThen(
                Effect.sleep(ms),
                Effect.sync(() => void seen.add(text))
              )
          const first = yield* notes.handle("g", handler(10))
          const second = yield* others.handle("g", handler(300))
          yield* Effect.sleep(100)
          yield* notes.publishAll(notesOf(60))
          yield* first.caughtUp
          const all = seen.size
          yield* notes.publishAll(notesOf(60).map(({ key, text }) => ({ key, text: `again ${text}` })))
          const waiting = yield* Effect.forkScoped(first.caughtUp)
          yield* Effect.sleep(150)
          yield* second.stop
          yield* Fiber.join(waiting)
          return [all, seen.size]
        })
      )
    ).toEqual([60, 120])
  })

  it("does not count as to do what stands before where a new group begins", () => {
    expect(
      run(
        Effect.gen(function* () {
          const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 2 })))
          yield* notes.publishAll(notesOf(20))
          const seen: Array<string> = []
          const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), {
            from: "latest"
          })
          yield* subscription.caughtUp
          yield* notes.publish({ key: "k", text: "new" })
          yield* subscription.caughtUp
          return seen
        })
      )
    ).toEqual(["new"])
  })

  it("nor what stands before where the lane of another member began, though the group has settled nothing there", () => {
    expect(
      run(
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 2 })
          const [notes, others] = [yield* streamOf(yield* open(broker)), yield* streamOf(yield* open(broker))]
          yield* notes.publishAll(notesOf(20))
          const subscription = yield* notes.handle("g", () => Effect.void, { from: "latest" })
          yield* others.handle("g", () => Effect.void, { from: "latest" })
          yield* Effect.sleep(100)
          return yield* Effect.timeoutOption(subscription.caughtUp, "1 minute")
        })
      )
    ).toMatchObject({ _tag: "Some" })
  })

  it("fails when a lane halts, says which and why, and can be asked for again after resume", () => {
    const halted = run(
      Effect.gen(function* () {
        const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 2 })))
        let isMended = false
        const subscription = yield* notes.handle(
          "g",
          ({ text }) =>
            text === "3" && !isMended
              ? Effect.fail(Object.assign(new Error("no tariff"), { _tag: "Tariff" }))
              : Effect.void,
          { policy: [] }
        )
        yield* notes.publishAll(notesOf(10))
        const before = yield* Effect.flip(subscription.caughtUp)
        isMended = true
        yield* subscription.resume
        yield* subscription.caughtUp
        return { before, lag: yield* subscription.lag }
      })
    )
    expect(halted.lag).toBe(0n)
    expect(halted.before).toMatchObject({ _tag: "NotCaughtUp", reason: "Halted", halted: [{ tag: "Tariff" }] })
    expect(halted.before.message).toMatch(
      /^the group g of test\.notes has not caught up.* partition \d stands .*Tariff: no tariff/
    )
  })

  it("does not mind a halt behind what it waits for, once what runs before it has ended", () => {
    expect(
      run(
        Effect.gen(function* () {
          const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 1 })))
          const subscription = yield* notes.handle(
            "g",
            ({ text }) => (text === "bad" ? Effect.fail("bad") : Effect.sleep(100)),
            { policy: [], concurrency: 2 }
          )
          yield* notes.publish({ key: "a", text: "slow" })
          const waiting = yield* Effect.forkScoped(subscription.caughtUp)
          yield* Effect.sleep(20)
          yield* notes.publish({ key: "b", text: "bad" })
          yield* Effect.sleep(20)
          const isHalted = subscription.halted().length === 1
          yield* Fiber.join(waiting)
          return [isHalted, yield* Effect.result(subscription.caughtUp)]
        })
      )
    ).toMatchObject([true, { failure: { reason: "Halted" } }])
  })

  it("fails when the subscription is stopped, or its leat closed, before", () => {
    const stuck = (end: "stop" | "close") =>
      run(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const leat = yield* Scope.provide(open(new MemoryBroker({ partitions: 1 }), { drain: "10 millis" }), scope)
          const notes = yield* streamOf(leat)
          const subscription = yield* notes.handle("g", () => Effect.never)
          yield* notes.publish({ key: "a", text: "1" })
          const waiting = yield* Effect.forkScoped(Effect.flip(subscription.caughtUp))
          yield* Effect.sleep(20)
          yield* end === "stop" ? subscription.stop : Scope.close(scope, Exit.void)
          return yield* Fiber.join(waiting)
        })
      )
    expect(stuck("stop")).toMatchObject({ reason: "Stopped", message: expect.stringContaining("was stopped") })
    expect(stuck("close")).toMatchObject({ reason: "Stopped" })
  })

  it("fails at once when a subscription without lanes is stopped", () => {
    expect(
      run(
        Effect.gen(function* () {
          const driver = bent((transport) => ({ ...transport, subscribe: () => Stream.never }))
          const leat = yield* Leat.make({ source: "test", routes: document(1), drivers: [driver] })
          const notes = yield* streamOf(leat)
          yield* notes.publish({ key: "a", text: "1" })
          const subscription = yield* notes.handle("g", () => Effect.void)
          const waiting = yield* Effect.forkScoped(Effect.flip(subscription.caughtUp))
          yield* Effect.sleep(5100)
          yield* subscription.stop
          const startMs = yield* nowMs
          const { message } = yield* Fiber.join(waiting)
          return [message, (yield* nowMs) - startMs]
        })
      )
    ).toEqual([expect.stringContaining("was stopped"), 0])
  })

  it("completes when stopping settles the last of it", () => {
    // In some orders of what runs the group is asked once more after its lane has gone, and knows it from there.
    for (let seed = 1; seed <= 20; seed++) {
      const program = Effect.gen(function* () {
        const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 1 })))
        const subscription = yield* notes.handle("g", () => Effect.sleep(100))
        yield* notes.publish({ key: "a", text: "1" })
        const waiting = yield* Effect.forkScoped(subscription.caughtUp)
        yield* Effect.sleep(20)
        yield* subscription.stop
        return yield* Effect.exit(Fiber.join(waiting))
      })
      expect(run(program, seed)).toEqual(Exit.void)
    }
  })

  it("fails for a handler that waits for itself", () => {
    expect(
      run(
        Effect.gen(function* () {
          const notes = yield* streamOf(yield* open(new MemoryBroker({ partitions: 1 })))
          const told = yield* Deferred.make<unknown>()
          const subscription: { readonly caughtUp: Effect.Effect<void, unknown> } = yield* notes.handle("g", () =>
            Effect.flatMap(Effect.flip(Effect.suspend(() => subscription.caughtUp)), (error) =>
              Deferred.succeed(told, error)
            )
          )
          yield* notes.publish({ key: "a", text: "1" })
          const error = yield* Deferred.await(told)
          yield* subscription.caughtUp
          return error
        })
      )
    ).toMatchObject({ reason: "OwnHandler" })
  })

  it("waits out passing faults of the transport, and fails with one that ends the subscription", () => {
    const faultOf = (reason: "Unavailable" | "Unauthorized" | undefined) =>
      reason === undefined
        ? Effect.die(new Error("planted"))
        : Effect.fail(new TransportError({ reason, transport: "memory", operation: "bounds", detail: "planted" }))
    const failing = (reason: "Unavailable" | "Unauthorized" | undefined, times: number) =>
      run(
        Effect.gen(function* () {
          let asked = 0
          const driver = bent((transport) => ({
            ...transport,
            bounds: (topic, group) =>
              topic === "notes" && asked++ < times ? faultOf(reason) : transport.bounds(topic, group)
          }))
          const leat = yield* Leat.make({ source: "test", routes: document(1), drivers: [driver] })
          const notes = yield* streamOf(leat)
          const subscription = yield* notes.handle("g", () => Effect.void)
          yield* notes.publish({ key: "a", text: "1" })
          return Result.isSuccess(yield* Effect.result(subscription.caughtUp)) ? asked : "failed"
        })
      )
    expect([failing("Unavailable", 3), failing(undefined, 3), failing("Unauthorized", 1)]).toEqual([4, 4, "failed"])
    expect(
      run(
        Effect.gen(function* () {
          const gone = new TransportError({
            reason: "Unauthorized",
            transport: "memory",
            operation: "pull",
            detail: "gone"
          })
          const driver = bent((transport) => ({
            ...transport,
            subscribe: () => Stream.fromEffect(Effect.delay(Effect.fail(gone), 100))
          }))
          const leat = yield* Leat.make({ source: "test", routes: document(1), drivers: [driver] })
          const notes = yield* streamOf(leat)
          yield* notes.publish({ key: "a", text: "1" })
          return yield* Effect.flip((yield* notes.handle("g", () => Effect.void)).caughtUp)
        })
      )
    ).toMatchObject({ _tag: "TransportError", reason: "Unauthorized" })
  })

  it("is not kept waiting by a log that was made anew: what it waited for is gone", () => {
    expect(
      run(
        Effect.gen(function* () {
          let isCut = false
          const driver = bent((transport) => ({
            ...transport,
            subscribe: () => Stream.never,
            bounds: (topic, group) =>
              Effect.map(transport.bounds(topic, group), (rows) =>
                isCut ? rows.map((row) => ({ ...row, end: 0n })) : rows
              )
          }))
          const leat = yield* Leat.make({ source: "test", routes: document(1), drivers: [driver] })
          const notes = yield* streamOf(leat)
          yield* notes.publishAll(notesOf(5))
          const subscription = yield* notes.handle("g", () => Effect.void)
          const waiting = yield* Effect.forkScoped(subscription.caughtUp)
          yield* Effect.sleep(500)
          isCut = true
          return yield* Effect.exit(Fiber.join(waiting))
        })
      )
    ).toEqual(Exit.void)
  })

  it("waits for a topic that was made anew, while its lane still reads the one of before", () => {
    expect(
      run(
        Effect.gen(function* () {
          // What the name stands for; whoever holds a lane learns of it three seconds later.
          let named = "notes"
          const noticed = new TransportError({
            reason: "Unavailable",
            transport: "memory",
            operation: "pull",
            detail: "made anew"
          })
          const of = (topic: string) => (topic === "notes" ? named : topic)
          const driver = bent((transport) => ({
            ...transport,
            openWriter: (topic) => transport.openWriter(of(topic)),
            bounds: (topic, group) => Effect.suspend(() => transport.bounds(of(topic), group)),
            subscribe: (asked) =>
              Stream.suspend(() => {
                const own = of(asked.topic)
                const isAnew = Effect.repeat(Effect.sleep("3 seconds"), { until: () => of(asked.topic) !== own })
                return Stream.map(transport.subscribe({ ...asked, topic: own }), (lane) => ({
                  ...lane,
                  batches: Stream.interruptWhen(lane.batches, Effect.andThen(isAnew, Effect.fail(noticed)))
                }))
              })
          }))
          const member = Effect.flatMap(Leat.make({ source: "test", routes: document(1), drivers: [driver] }), streamOf)
          const notes = yield* member
          const seen: Array<string> = []
          const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
          yield* notes.publishAll(notesOf(10))
          yield* subscription.caughtUp
          named = "notes2"
          yield* (yield* member).publishAll(notesOf(5))
          yield* subscription.caughtUp
          return seen.length
        })
      )
    ).toBe(15)
  })

  it("says so once where the transport has no answer, ends with a stop all the same, and goes on with the next question", () => {
    const lines: Array<string> = []
    const waited = (questions: number, stopsAfter: Duration.Input) =>
      Effect.gen(function* () {
        let asked = 0
        const driver = bent((transport) => ({
          ...transport,
          bounds: (topic, group) =>
            Effect.suspend(() =>
              topic === "notes" && asked++ < questions ? Effect.never : transport.bounds(topic, group)
            )
        }))
        const leat = yield* Leat.make({ source: "test", routes: document(1), drivers: [driver] })
        const notes = yield* streamOf(leat)
        yield* notes.publish({ key: "a", text: "1" })
        const subscription = yield* notes.handle("g", () => Effect.void)
        const startMs = yield* nowMs
        const waiting = yield* Effect.forkScoped(Effect.result(subscription.caughtUp))
        yield* Effect.forkScoped(Effect.delay(subscription.stop, stopsAfter))
        const result = yield* Fiber.join(waiting)
        return [Result.isFailure(result) ? result.failure : "caught up", (yield* nowMs) - startMs] as const
      }).pipe(Effect.scoped)
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const told = Effect.all([waited(Infinity, "45 seconds"), waited(1, "10 minutes")])
    const { exit } = simulate(1, Effect.provide(told, Logger.layer([logger])))
    const [[stopped, stoppedMs], [goesOn, wentOnMs]] = Exit.isSuccess(exit) ? exit.value : [[], []]
    expect([stopped, goesOn]).toMatchObject([{ reason: "Stopped" }, "caught up"])
    expect(stoppedMs).toBeLessThan(47_000)
    expect(wentOnMs).toBeLessThan(35_000)
    expect(lines.filter((line) => line.includes("has not moved"))).toEqual([
      expect.stringContaining("the transport has not said where its partitions end"),
      expect.stringContaining("the transport has not said where its partitions end")
    ])
  })

  it("warns once of what does not move, and of each partition where it stands", () => {
    const lines: Array<string> = []
    const program = Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const notes = yield* streamOf(yield* open(broker))
      const others = yield* streamOf(yield* open(broker))
      const subscription = yield* notes.handle("g", () => Effect.never)
      yield* others.handle("g", () => Effect.never)
      yield* Effect.sleep(100)
      yield* notes.publishAll(notesOf(10))
      yield* Effect.timeoutOption(subscription.caughtUp, "5 minutes")
    }).pipe(Effect.scoped)
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    simulate(1, Effect.provide(program, Logger.layer([logger])))
    const told = lines.filter((line) => line.includes("has not moved"))
    expect(told).toHaveLength(1)
    expect(told[0]).toMatch(/partition \d, held here, is done up to 0 of \d+/)
    expect(told[0]).toMatch(/partition \d, not held here, is settled up to 0 of \d+/)
  })
})

interface Waited {
  readonly partitions: number
  readonly members: number
  readonly rates: { readonly [fault: string]: number }
  readonly handlerFaults: number
  readonly turns: number
}

const rate = fc.double({ min: 0, max: 0.2, noNaN: true })
const waited: fc.Arbitrary<Waited> = fc.record({
  partitions: fc.constantFrom(1, 2, 4),
  members: fc.integer({ min: 1, max: 3 }),
  rates: fc.record({ fail: rate, loseResponse: rate, settle: rate, pull: rate, loseLane: rate }),
  handlerFaults: rate,
  turns: fc.integer({ min: 1, max: 5 })
})

/** Publishes and waits in turns while members come and go; returns what was stored before a wait and is not handled or settled after it. */
const missed = Effect.fnUntraced(function* (
  { partitions, members, rates, handlerFaults, turns }: Waited,
  seed: number
) {
  const random = seededRandom(seed)
  const broker = new MemoryBroker({ partitions })
  const transport = memoryTransport(broker)
  const leat = yield* Leat.make({
    source: "test",
    routes: document(partitions, { settleEvery: "20 millis", drain: "1 second" }),
    drivers: [faultDriver(memoryDriver(broker), randomFaults(random, rates))]
  })
  const notes = yield* streamOf(leat)
  const handled = new Set<string>()
  const join = notes.handle("g", ({ text }) =>
    Effect.gen(function* () {
      if (random() < 0.5) yield* Effect.sleep(Math.floor(random() * 30))
      if (random() < handlerFaults) return yield* Effect.fail(new Error("planted"))
      handled.add(text)
    })
  )
  const joined = yield* Effect.replicateEffect(join, members)
  const wrong: Array<string> = []
  for (let turn = 0; turn < turns; turn++) {
    const texts = Array.from({ length: 20 }, (_, index) => `${turn}/${index}`)
    yield* notes.publishAll(
      texts.map((text, index) => ({ key: `k${index}`, text })),
      { level: "stored" }
    )
    const ends = yield* transport.bounds("notes")
    const waiting = yield* Effect.forkScoped((joined[0] ?? (yield* join)).caughtUp)
    yield* Effect.sleep(Math.floor(random() * 60))
    if (random() < 0.5) joined.push(yield* join)
    if (random() < 0.3 && joined.length > 1) yield* joined.pop()?.stop ?? Effect.void
    yield* Fiber.join(waiting)
    const now = yield* transport.bounds("notes", "g")
    wrong.push(...texts.filter((text) => !handled.has(text)))
    for (const { partition, end, start } of ends)
      if ((now[partition]?.settled ?? start) < end) wrong.push(`partition ${partition} is not settled up to ${end}`)
  }
  return wrong
}, Effect.scoped)

describe("whoever waited for caughtUp", () => {
  it("finds everything handled and settled that was stored before, whatever happens to lanes and answers", () => {
    fc.assert(
      fc.property(waited, fc.integer(), (world, seed) => {
        const { exit } = simulate(seed, quiet(missed(world, seed)), { racing: 0.01 })
        expect(exit).toEqual(Exit.succeed([]))
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 100) }
    )
  })
})
