import { expect, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Logger, References, Scope, Stream } from "effect"
import { type HandleOptions, Leat, MemoryBroker, memoryDriver, RouteError, TransportError } from "leat"
import { faultDriver, simulate } from "leat/testing"
import type { Header, Lane, ReceivedBatch } from "leat/transport"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { bent, drained, open, routes, until, withLanes } from "./support.ts"

const quiet = Effect.provideService(References.MinimumLogLevel, "None")
const denied = new TransportError({ reason: "Unauthorized", transport: "memory", operation: "subscribe", detail: "no" })
const unavailable = new TransportError({
  reason: "Unavailable",
  transport: "memory",
  operation: "subscribe",
  detail: "no"
})

describe("a subscription that has ended", () => {
  /** What a scope closes. */
  const finalizers = ({ state }: Scope.Scope) => (state._tag === "Open" ? (state.finalizers?.size ?? 1) : 0)

  it.live("leaves nothing in the scope of its caller, which may be that of the whole program", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const scope = yield* Effect.scope
      const before = finalizers(scope)
      const subscription = yield* notes.handle("g", () => Effect.void)
      expect(finalizers(scope)).toBe(before + 1)
      yield* subscription.stop
      yield* until("it is out", () => finalizers(scope) === before)
      // One that does not begin.
      yield* Effect.flip(notes.handle("", () => Effect.void))
      yield* Effect.flip(notes.handle("g".repeat(500), () => Effect.void))
      yield* until("they are out", () => finalizers(scope) === before)
    })
  )
})

describe("a subscription whose leat closes", () => {
  it.live("ends its stream of deliveries", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const leat = yield* Scope.provide(open(routes()), scope)
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      let hasEnded = false
      yield* notes.subscribe("g").pipe(
        Stream.runForEach(({ event, done }) =>
          Effect.andThen(
            done,
            Effect.sync(() => void seen.push(event.text))
          )
        ),
        Effect.ensuring(Effect.sync(() => void (hasEnded = true))),
        Effect.forkScoped
      )
      yield* notes.publish({ key: "k", text: "1" })
      yield* until("seen", () => seen.length > 0)
      yield* Scope.close(scope, Exit.void)
      yield* until("ended", () => hasEnded)
    })
  )

  it.live("does not wait the drain time for lanes that stand or have nothing to do", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const leat = yield* Scope.provide(open(routes({ drain: "30 seconds", policy: "strict" }, { strict: [] })), scope)
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", () => Effect.fail("no"))
      yield* notes.publish({ key: "k", text: "1" })
      yield* until("halted", () => subscription.halted().length > 0)
      const beganMs = performance.now()
      yield* Scope.close(scope, Exit.void)
      expect(performance.now() - beganMs).toBeLessThan(3000)
      yield* subscription.ended
    })
  )
})

describe("a consumer that is interrupted", () => {
  it.live("at whatever step leaves no subscription behind", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      for (let steps = 0; steps < 40; steps++) {
        const consuming = yield* Effect.forkChild(Stream.runDrain(notes.subscribe("g")))
        for (let step = 0; step < steps; step++) yield* Effect.yieldNow
        yield* Fiber.interrupt(consuming)
      }
      yield* notes.publish({ key: "k", text: "1" })
      yield* drained(yield* notes.handle("g", () => Effect.void))
    })
  )
})

describe("a subscription that fails for good", () => {
  it.live("fails its stream of deliveries with the error", () =>
    Effect.gen(function* () {
      const driver = bent((one) => ({ ...one, subscribe: () => Stream.fail(denied) }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const error = yield* Effect.flip(Effect.timeout(Stream.runDrain(notes.subscribe("g")), "5 seconds"))
      expect(error).toBe(denied)
    }).pipe(quiet)
  )
})

describe("a defect in the shell of a lane", () => {
  type Bend = (lane: Lane, isBroken: () => boolean) => Lane
  const withHeader =
    (broken: unknown): Bend =>
    (lane, isBroken) => ({
      ...lane,
      batches: Stream.map(lane.batches, (batch) => {
        return {
          ...batch,
          records: batch.records.map((record) =>
            isBroken() && record.position === 1n ? { ...record, headers: [broken as Header] } : record
          )
        }
      })
    })
  const withBatch: Bend = (lane, isBroken) => ({
    ...lane,
    batches: Stream.map(lane.batches, (batch) => (isBroken() ? ({ next: batch.next } as ReceivedBatch) : batch))
  })
  const withListening: Bend = (lane, isBroken) => ({
    ...lane,
    revoked: Effect.suspend(() => (isBroken() ? Effect.die("no signal") : lane.revoked))
  })
  const withInterruption: Bend = (lane, isBroken) => ({
    ...lane,
    revoked: Effect.suspend(() => (isBroken() ? Effect.interrupt : lane.revoked))
  })

  it.live.each([
    { what: "a header without a value", bend: withHeader(["leat", null]) },
    { what: "a batch without records", bend: withBatch },
    { what: "a signal that dies", bend: withListening },
    { what: "a signal that is interrupted", bend: withInterruption }
  ])("($what) is a halt that says why; resumed, everything is handled", ({ bend }) =>
    Effect.gen(function* () {
      let isBroken = true
      const driver = withLanes((lane) => bend(lane, () => isBroken))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      for (const text of ["1", "2", "3"]) yield* notes.publish({ key: "k", text })
      yield* until("halted", () => subscription.halted().length > 0)
      expect(subscription.halted()).toMatchObject([{ tag: "Defect", partition: 0 }])
      expect(subscription.halted()[0]?.detail).not.toBe("")
      isBroken = false
      yield* subscription.resume
      yield* drained(subscription)
      expect(new Set(seen)).toEqual(new Set(["1", "2", "3"]))
      expect(leat.ledger.snapshot().balanced).toBe(true)
    }).pipe(quiet)
  )

  it.live("over one record halts at that record, whatever the policy says, and loses nothing", () =>
    Effect.gen(function* () {
      const driver = withLanes((lane) => withHeader(["ce_id", { length: 3 }])(lane, () => true))
      const document = routes({ policy: "drop" }, { drop: [{ on: ["*"], then: "drop" }] })
      const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", () => Effect.void)
      for (const text of ["1", "2", "3"]) yield* notes.publish({ key: "k", text })
      yield* until("halted", () => subscription.halted().length > 0)
      expect(subscription.halted()).toMatchObject([{ tag: "Defect", position: 1n, attempts: 1 }])
      yield* subscription.resume
      yield* until("halted again", () => subscription.halted().length > 0)
      yield* subscription.stop
      expect(yield* subscription.lag).toBe(2n)
      expect(leat.ledger.snapshot()).toMatchObject({ balanced: true, lanes: [{ done: 1, dropped: {} }] })
    }).pipe(quiet)
  )

  it.live("does not keep the subscription from stopping", () =>
    Effect.gen(function* () {
      const driver = withLanes((lane) => withListening(lane, () => true))
      const leat = yield* Leat.make({ source: "test", routes: routes({ drain: "30 seconds" }), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", () => Effect.void)
      yield* until("halted", () => subscription.halted().length > 0)
      const beganMs = performance.now()
      yield* subscription.stop
      expect(performance.now() - beganMs).toBeLessThan(3000)
    }).pipe(quiet)
  )

  it.live("in `subscribe` itself is tried again", () =>
    Effect.gen(function* () {
      let calls = 0
      const driver = bent((one) => ({
        ...one,
        subscribe: (asked) => (calls++ === 0 ? Stream.die("a bug") : one.subscribe(asked))
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "k", text: "1" })
      yield* drained(yield* notes.handle("g", () => Effect.void))
      expect(calls).toBe(2)
    }).pipe(quiet)
  )
})

describe("a lane that is settled", () => {
  it.live("goes on with its handlers while a settle is under way", () =>
    Effect.gen(function* () {
      let settles = 0
      const driver = withLanes((lane) => ({
        ...lane,
        settle: (position) =>
          Effect.andThen(
            Effect.sync(() => void settles++),
            Effect.delay(lane.settle(position), 300)
          )
      }))
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      let handled = 0
      let handledDuring = 0
      const subscription = yield* notes.handle("g", () => {
        handled++
        return Effect.void
      })
      yield* notes.publish({ key: "k", text: "1" })
      yield* until("settling", () => settles === 1)
      yield* notes.publishAll(Array.from({ length: 10 }, (_, index) => ({ key: "k", text: `${index}` })))
      yield* until("handled", () => handled === 11)
      handledDuring = settles
      expect(handledDuring).toBe(1)
      yield* subscription.stop
      expect(yield* subscription.lag).toBe(0n)
    })
  )
})

describe("the name of a group", () => {
  // Of the 249 characters that Kafka takes.
  const longest = 249 - "notes..retry.8".length
  const longs: ReadonlyArray<readonly [string, number | undefined]> = [
    ["g".repeat(longest), undefined],
    ["g".repeat(longest + 1), 250],
    [`${"g".repeat(longest - 6)}😀`, 255],
    ["ä".repeat(120), 734]
  ]
  it.live.each(longs)(
    "%s is refused before anything is read where its own topics would have names that are too long",
    ([group, characters]) =>
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        for (const asked of [
          notes.handle(group, () => Effect.void),
          notes.handleBatch(group, () => Effect.void),
          Stream.runDrain(Stream.interruptWhen(notes.subscribe(group), Effect.sleep(50)))
        ]) {
          const exit = yield* Effect.exit(asked)
          expect(Exit.isSuccess(exit)).toBe(characters === undefined)
          if (Exit.isFailure(exit))
            expect(String(exit.cause)).toContain(`may have ${characters} characters, with the name of`)
        }
      })
  )

  const wrong: ReadonlyArray<readonly [string, string]> = [
    ["", "a group needs a name: this one is empty"],
    ["  ", "this one is empty"],
    [" positions", "begins or ends with a space"],
    ["posi\ntions", "holds a control character"],
    ["posi\u2028tions", "holds a control character"],
    ["\ud800", "half of a surrogate pair"],
    ["p".repeat(256), "at most 255 bytes, and not 256"],
    ["é".repeat(128), "at most 255 bytes, and not 256"]
  ]
  it.live.each(wrong)("%j is refused in one sentence, whoever is asked", ([group, message]) =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const asked = [
        notes.handle(group, () => Effect.void),
        notes.handleBatch(group, () => Effect.void),
        Stream.runDrain(notes.subscribe(group)),
        notes.bounds(group)
      ]
      for (const one of asked)
        expect((yield* Effect.flip<unknown, { message: string }, Scope.Scope>(one)).message).toContain(message)
    })
  )

  it.live("may be any other text", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      for (const group of ["é".repeat(39), "a b", "#1/2", "__proto__"]) {
        yield* notes.publish({ key: "k", text: group })
        const seen: Array<string> = []
        const subscription = yield* notes.handle(group, ({ text }) => Effect.sync(() => void seen.push(text)))
        yield* drained(subscription)
        expect(seen.at(-1)).toBe(group)
      }
    })
  )
})

describe("what JavaScript gives in place of options", () => {
  const wrong: ReadonlyArray<readonly [unknown, unknown, string]> = [
    [undefined, {}, "handler: is no function"],
    [() => Effect.void, { concurency: 4 }, "concurency: is no option of a subscription"],
    [() => Effect.void, { settleEvery: "1 second" }, "settleEvery: is no option of a subscription"],
    [() => Effect.void, { from: "yesterday" }, 'from: is none of "earliest"'],
    [() => Effect.void, { from: null }, 'from: is none of "earliest"'],
    [() => Effect.void, { dedupe: 5 }, "dedupe: is an object, as { records: 10000 }, and not a number"],
    [() => Effect.void, { dedupe: null }, "dedupe: is an object, as { records: 10000 }, and not null"],
    [() => Effect.void, { dedupe: {} }, "dedupe.records: undefined is not a whole number"],
    [() => Effect.void, { policy: "patient" }, "policy: is no list of rules"],
    [
      () => Effect.void,
      { policy: [{ on: ["*"], then: "dropp" }] },
      "policy[0].then: say drop, deadLetter or halt; did you mean drop?"
    ],
    [() => Effect.void, { policy: [{ on: ["*"], then: 5 }] }, "policy[0].then: say drop, deadLetter or halt"],
    [
      () => Effect.void,
      { policy: [{ on: ["*"], retry: { baseMs: 1, budget: 0.2 }, then: "spill" }] },
      "policy[0].then: a subscription cannot spill: its events stand in their topic; say drop, deadLetter or halt"
    ]
  ]
  it.live.each(wrong)("%o, %o is refused in one sentence", ([handler, options, message]) =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      // @ts-expect-error It is what no type lets through.
      const asked: ReadonlyArray<Effect.Effect<unknown, Error, Scope.Scope>> = [notes.handle("g", handler, options)]
      for (const one of asked) expect((yield* Effect.flip(one)).message).toContain(message)
    })
  )
})

describe("a lane that halts", () => {
  it.live("says so once, and again when it halts again after a resume", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    return Effect.gen(function* () {
      const leat = yield* open(routes({ policy: "strict" }, { strict: [] }))
      const notes = yield* leat.stream(noteContract())
      const subscription = yield* notes.handle("g", () => Effect.fail(new TypeError("cannot bill")))
      yield* notes.publish({ key: "k", text: "1" })
      yield* notes.publish({ key: "k", text: "2" })
      const told =
        "the group g of test.notes stands on partition 0 at position 0 until it is resumed: TypeError after 1 attempt: cannot bill"
      yield* until("it is told", () => warnings.length > 0)
      yield* Effect.sleep(50)
      expect(warnings).toEqual([told])
      yield* subscription.resume
      yield* until("it is told again", () => warnings.length > 1)
      yield* Effect.sleep(50)
      expect(warnings).toEqual([told, told])
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })
})

describe("a subscription that is asked for too late", () => {
  it.live("is refused, and told why", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const leat = yield* Scope.provide(open(routes()), scope)
      const notes = yield* leat.stream(noteContract())
      yield* Scope.close(scope, Exit.void)
      for (const asked of [notes.handle("g", () => Effect.void), Stream.runDrain(notes.subscribe("g"))]) {
        const error = yield* Effect.flip(asked)
        expect(error.message).toContain("this leat is closed, or is being closed")
      }
    })
  )
})

describe("options that are no numbers", () => {
  const wrongOptions: ReadonlyArray<readonly [HandleOptions, string]> = [
    [{ concurrency: Number.NaN }, "concurrency: NaN"],
    [{ concurrency: 0 }, "concurrency: 0"],
    [{ concurrency: -1 }, "concurrency: -1"],
    [{ concurrency: 1.5 }, "concurrency: 1.5"],
    [{ concurrency: Number.POSITIVE_INFINITY }, "concurrency: Infinity"],
    [{ from: { timeMs: Number.NaN } }, "from.timeMs: NaN"],
    [{ from: { position: -1n } }, "from.position: -1"],
    [{ policy: [{ on: ["*"], retry: { baseMs: Number.NaN }, then: "drop" }] }, "policy[0].retry.baseMs: NaN"],
    [
      { policy: [{ on: ["*"], retry: { baseMs: 1, budget: 0.2 }, then: "drop" }] },
      "policy: bounds retries by a budget, which a subscription does not have"
    ]
  ]
  it.live.each(wrongOptions)("%o are refused", ([options, message]) =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      for (const asked of [
        notes.handle("g", () => Effect.void, options),
        Stream.runDrain(notes.subscribe("g", options))
      ]) {
        const error = yield* Effect.flip(asked)
        expect(error).toBeInstanceOf(RouteError)
        expect(error.message).toContain(message)
      }
    })
  )

  it.live.each([Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY])("batches of %d records are refused", (records) =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const error = yield* Effect.flip(notes.handleBatch("g", () => Effect.void, { records }))
      expect(error.message).toContain(`records: ${records}`)
    })
  )
})

describe("settings of a table that is swapped", () => {
  it.live("are taken over by subscriptions that run, where code said nothing else", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ concurrency: 1, policy: "strict" }, { strict: [] }))
      const notes = yield* leat.stream(noteContract())
      let running = 0
      let most = 0
      const subscription = yield* notes.handle("g", ({ text }) =>
        text === "bad"
          ? Effect.fail("no")
          : Effect.gen(function* () {
              most = Math.max(most, ++running)
              yield* Effect.sleep(5)
              running--
            })
      )
      const fixed = yield* notes.handle("fixed", () => Effect.fail("no"), { policy: [] })
      yield* notes.publishAll(Array.from({ length: 20 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      yield* drained(subscription)
      expect(most).toBe(1)
      yield* leat.swapRoutes(routes({ concurrency: 8, policy: "drop" }, { drop: [{ on: ["*"], then: "drop" }] }, 2))
      yield* notes.publish({ key: "b", text: "bad" })
      yield* notes.publishAll(Array.from({ length: 20 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      yield* drained(subscription)
      expect(most).toBe(8)
      expect(subscription.halted()).toEqual([])
      expect(fixed.halted()).toMatchObject([{ position: 0n }])
    })
  )
})

describe("a clock that is set back", () => {
  it.live("keeps no retry and no settle waiting", () =>
    Effect.gen(function* () {
      const real = yield* Clock.Clock
      let backMs = 0
      const clock: Clock.Clock = {
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() - backMs,
        currentTimeMillis: Effect.sync(() => real.currentTimeMillisUnsafe() - backMs),
        currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe() - BigInt(backMs) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => real.currentTimeNanosUnsafe() - BigInt(backMs) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: real.monotonicTimeNanos,
        sleep: (duration) => real.sleep(duration)
      }
      yield* Effect.gen(function* () {
        const leat = yield* open(
          routes({ policy: "p" }, { p: [{ on: ["*"], retry: { base: "20 millis" }, then: "halt" }] })
        )
        const notes = yield* leat.stream(noteContract())
        const subscription = yield* notes.handle("g", (_, { attempt }) => {
          backMs += 3_600_000
          return attempt < 3 ? Effect.fail("no") : Effect.void
        })
        yield* notes.publish({ key: "k", text: "1" })
        yield* drained(subscription)
      }).pipe(Effect.scoped, Effect.provideService(Clock.Clock, clock))
    })
  )
})

describe("joining again", () => {
  it("begins with the first delay again after a good stay", () => {
    const stays: Array<{ readonly beganAtMs: number; readonly endedAtMs: number }> = []
    const stay = Effect.gen(function* () {
      const beganAtMs = yield* Clock.currentTimeMillis
      // The fourth is a long one.
      if (stays.length === 3) yield* Effect.sleep("1 minute")
      stays.push({ beganAtMs, endedAtMs: yield* Clock.currentTimeMillis })
      return yield* unavailable
    })
    const broker = new MemoryBroker({ partitions: 1 })
    const driver = bent((one) => ({ ...one, subscribe: () => Stream.fromEffect(stay) }), broker)
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      yield* notes.handle("g", () => Effect.void)
      yield* Effect.sleep("2 minutes")
    })
    const { exit } = simulate(1, program.pipe(Effect.scoped, quiet))
    expect(Exit.isSuccess(exit)).toBe(true)
    const [first = 0, second = 0, third = 0, fourth = 0] = stays
      .slice(1)
      .map(({ beganAtMs }, index) => beganAtMs - (stays[index]?.endedAtMs ?? 0))
    expect([first < second, second < third, fourth < third / 2]).toEqual([true, true, true])
  })
})

describe("a topic that is made anew under a subscription", () => {
  it.live(
    "is read from its beginning, and said to be another: none of its events is taken for one that came before",
    () =>
      Effect.gen(function* () {
        const other = ["a", "b", "c", "d", "e"]
        let isAnew = false
        const encoder = new TextEncoder()
        const records = other.map((text, index) => ({ text, position: BigInt(index) }))
        const batch = {
          records: records.map(({ text, position }) => ({
            position,
            key: encoder.encode("k"),
            value: new TextEncoder().encode(text),
            headers: [],
            timeMs: 0
          })),
          next: 5n
        }
        // The first member reads two events, and then, where it was to go on, five from position 0; whoever joins afterwards finds the new log.
        const driver = withLanes((lane) => {
          const settle = (position: bigint) => (isAnew ? Effect.void : lane.settle(position))
          if (isAnew) return { ...lane, start: 0n, settle, batches: Stream.concat(Stream.make(batch), Stream.never) }
          const anew = Stream.fromEffect(
            Effect.sync(() => {
              isAnew = true
              return batch
            })
          )
          return { ...lane, settle, batches: Stream.concat(Stream.take(lane.batches, 1), anew) }
        })
        const warnings: Array<string> = []
        const logger = Logger.make(({ message }) => void warnings.push(String(message)))
        yield* Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
          const notes = yield* leat.stream(
            noteContract({ decode: (bytes) => ({ key: "k", text: new TextDecoder().decode(bytes) }) })
          )
          yield* notes.publishAll([
            { key: "k", text: "1" },
            { key: "k", text: "2" }
          ])
          const seen: Array<string> = []
          yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
          yield* until("the new log is handled", () => other.every((text) => seen.includes(text)))
          expect(seen.slice(-5)).toEqual(other)
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
        expect(warnings).toHaveLength(1)
        expect(warnings[0]).toContain("a position before 2 came again; the topic was made anew, or its log was cut")
      })
  )
})

describe("a retry without a delay", () => {
  it.live("does not keep the loop busy", () =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({
        source: "test",
        routes: routes(),
        drivers: [faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), {})]
      })
      const notes = yield* leat.stream(noteContract())
      let attempts = 0
      yield* notes.handle(
        "g",
        () => {
          attempts++
          return Effect.fail("no")
        },
        { policy: [{ on: ["*"], retry: { baseMs: 0 }, then: "halt" }] }
      )
      yield* notes.publish({ key: "k", text: "1" })
      yield* Effect.sleep(300)
      expect(attempts).toBeGreaterThan(5)
      expect(attempts).toBeLessThan(60)
    })
  )
})
