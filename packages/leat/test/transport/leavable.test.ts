import { Cause, Deferred, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { simulate } from "leat/testing"
import { type Lane, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { leavableTransport } from "../../src/transport/leavable.ts"

const hour = "1 hour"

/** Runs on virtual time. */
function told<A, E>(program: Effect.Effect<A, E, Scope.Scope>): A {
  const { exit } = simulate(1, Effect.scoped(program))
  if (Exit.isFailure(exit)) throw new Error("the program failed", { cause: exit.cause })
  return exit.value
}

function transportWith(bend: (inner: Transport) => Partial<Transport>): Transport {
  const inner = memoryTransport(new MemoryBroker({ partitions: 1 }))
  return leavableTransport({ ...inner, ...bend(inner) })
}

/** Comes back after an hour, and hears of no interruption until then. */
function late<A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.uninterruptible(Effect.andThen(Effect.sleep(hour), call))
}

const asked = { topic: "t", group: "g", from: "earliest", drainMs: 0 } as const

/** The calls that answer once. */
const calls: ReadonlyArray<readonly [string, (transport: Transport) => Effect.Effect<unknown, TransportError>]> = [
  ["bounds", ({ bounds }) => bounds("t", "g")],
  ["ensure", ({ ensure }) => ensure({ topic: "t", partitions: 1 })],
  ["partitionsOf", ({ partitionsOf }) => partitionsOf("t")],
  ["topics", ({ topics }) => topics ?? Effect.die("there is none")],
  ["groups", ({ groups }) => groups?.("t") ?? Effect.die("there is none")],
  ["trim", ({ trim }) => trim?.("t", 0, 0n) ?? Effect.die("there is none")],
  ["read", ({ read }) => Stream.runDrain(read("t", 0, { fromPosition: 0n }))],
  ["subscribe", ({ subscribe }) => Effect.scoped(Stream.runDrain(subscribe(asked)))],
  ["openWriter", ({ openWriter }) => Effect.scoped(openWriter("t"))]
]

const answering = <A, E, R>(answer: Effect.Effect<A, E, R>) => ({
  bounds: () => answer,
  ensure: () => answer,
  partitionsOf: () => answer,
  topics: answer,
  groups: () => answer,
  trim: () => answer,
  read: () => Stream.fromEffect(answer),
  subscribe: () => Stream.fromEffect(answer),
  openWriter: () => answer
})

describe("a call of a driver", () => {
  it.for(calls)("can be left, although it does not let itself be interrupted: %s", ([, call]) => {
    const answer = late(Effect.die("nobody waits for it"))
    told(
      Effect.gen(function* () {
        const transport = transportWith(() => answering(answer))
        const fiber = yield* Effect.forkScoped(call(transport), { startImmediately: true })
        yield* Effect.sleep("1 second")
        const left = yield* Effect.timeoutOption(Fiber.interrupt(fiber), "2 seconds")
        expect(left._tag).toBe("Some")
        yield* Effect.sleep("2 hours")
      })
    )
  })

  it.for(calls)("is interrupted where it lets itself be: %s", ([, call]) => {
    const ended: Array<string> = []
    told(
      Effect.gen(function* () {
        const answer = Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended.push("interrupted")))
        const transport = transportWith(() => answering(answer))
        yield* Effect.timeoutOption(call(transport), "1 second")
        expect(ended).toEqual(["interrupted"])
      })
    )
  })

  it.for(calls)("fails as it fails: %s", ([, call]) => {
    const error = new TransportError({ reason: "Throttled", transport: "t", operation: "o", detail: "drawn" })
    told(
      Effect.gen(function* () {
        const soon = Effect.andThen(Effect.sleep("1 second"), Effect.fail(error))
        for (const answer of [soon, Effect.fail(error)])
          expect(yield* Effect.flip(call(transportWith(() => answering(answer))))).toBe(error)
      })
    )
  })

  it.for(calls)("fails where its driver breaks: %s", ([operation, call]) => {
    const throwing = (): never => {
      throw new Error("today")
    }
    const thrown = { bounds: throwing, ensure: throwing, partitionsOf: throwing, trim: throwing, read: throwing }
    const broken = [
      answering(Effect.die(new Error("today"))),
      answering(Effect.andThen(Effect.sleep("1 second"), Effect.die(new Error("today")))),
      { ...answering(Effect.sync(throwing)), ...thrown }
    ]
    told(
      Effect.gen(function* () {
        for (const breaking of broken) {
          const exit = yield* Effect.exit(call(transportWith(() => breaking)))
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          // Whoever opens, and whoever joins a group, tells by itself what its driver breaks with.
          if (operation === "openWriter" || operation === "subscribe") expect(error).toEqual(new Error("today"))
          else
            expect(error).toMatchObject({
              _tag: "TransportError",
              reason: "Unknown",
              operation,
              detail: "the driver broke: Error: today"
            })
        }
      })
    )
  })

  it("is begun three times without an end, each about the same; then once more after each pause, or when one has ended", () => {
    told(
      Effect.gen(function* () {
        const begun: Array<Deferred.Deferred<void>> = []
        const answer = Effect.suspend(() => {
          const ending = Deferred.makeUnsafe<void>()
          begun.push(ending)
          return Effect.as(Deferred.await(ending), [])
        })
        const transport = transportWith(({ bounds }) => ({
          bounds: (topic, group) => (topic === "u" ? bounds(topic, group) : Effect.uninterruptible(answer))
        }))
        const ask = Effect.suspend(() => transport.bounds("t", "g"))
        const asking = Effect.forever(Effect.timeoutOption(ask, "2 seconds"))
        const counts: Array<number> = []
        const counting = Effect.forever(
          Effect.andThen(Effect.sleep("1 minute"), () => Effect.sync(() => counts.push(begun.length)))
        )
        yield* Effect.timeoutOption(Effect.all([asking, counting], { concurrency: "unbounded" }), "8 minutes")
        // The fourth a minute after the third, then two minutes later, then four.
        expect(counts).toEqual([3, 4, 4, 5, 5, 5, 5])
        const before = begun.length
        yield* Effect.exit(transport.bounds("u", "g"))
        const waiting = yield* Effect.forkScoped(ask, { startImmediately: true })
        yield* Effect.sleep("1 second")
        for (const ending of begun.slice(1, before)) Deferred.doneUnsafe(ending, Exit.void)
        yield* Effect.sleep("1 second")
        for (const ending of begun.slice(before)) Deferred.doneUnsafe(ending, Exit.void)
        expect(yield* Fiber.join(waiting)).toEqual([])
        expect(begun).toHaveLength(before + 1)
      })
    )
  })

  it.for(["read", "subscribe"] as const)(
    "keeps alive what one pull of a stream has forked until the stream is run no more: %s",
    (what) => {
      told(
        Effect.gen(function* () {
          let beats = 0
          const child = Effect.forever(Effect.andThen(Effect.sleep("1 second"), () => Effect.sync(() => beats++)))
          const begun = Effect.as(Effect.forkChild(child), Stream.concat(Stream.make("first" as never), Stream.never))
          const transport = transportWith(() => ({ [what]: () => Stream.unwrap(begun) }))
          const stream = what === "read" ? transport.read("t", 0, { fromPosition: 0n }) : transport.subscribe(asked)
          yield* Effect.timeoutOption(
            Effect.scoped(Stream.runDrain(stream as Stream.Stream<unknown, TransportError, Scope.Scope>)),
            "10500 millis"
          )
          expect(beats).toBe(10)
          yield* Effect.sleep("10 seconds")
          expect(beats).toBeLessThan(13)
        })
      )
    }
  )

  it("waits for nothing any more once one is answered, although those that were left never end", () => {
    told(
      Effect.gen(function* () {
        let isHung = true
        const transport = transportWith(() => ({
          bounds: () => Effect.suspend(() => (isHung ? Effect.uninterruptible(Effect.never) : Effect.succeed([])))
        }))
        for (let times = 0; times < 3; times++) yield* Effect.timeoutOption(transport.bounds("t"), "1 second")
        isHung = false
        yield* Effect.sleep("1 minute")
        yield* transport.bounds("t")
        const again = yield* Effect.timeoutOption(
          Effect.all(Array.from({ length: 5 }, () => transport.bounds("t"))),
          "1 second"
        )
        expect(again._tag).toBe("Some")
      })
    )
  })

  it("waits for nothing any more once a stream of its kind is answered, also where that is left and takes its time to close", () => {
    told(
      Effect.gen(function* () {
        let isHung = true
        const given = Stream.concat(Stream.make({ records: [], next: 0n }), Stream.never)
        const closing = Stream.ensuring(given, Effect.sleep("20 millis"))
        const transport = transportWith(() => ({
          read: () =>
            Stream.unwrap(
              Effect.suspend(() => (isHung ? Effect.uninterruptible(Effect.never) : Effect.succeed(closing)))
            )
        }))
        const first = Stream.runHead(transport.read("t", 0, { fromPosition: 0n }))
        for (let times = 0; times < 3; times++) yield* Effect.timeoutOption(first, "1 second")
        isHung = false
        yield* Effect.sleep("1 minute")
        yield* first
        for (let times = 0; times < 10; times++) {
          const again = yield* Effect.timeoutOption(first, "1 second")
          expect([times, again._tag]).toEqual([times, "Some"])
        }
      })
    )
  })

  it("forgets those that have ended: of four that were left one after the other, three of them for a while, one is left", () => {
    told(
      Effect.gen(function* () {
        let begun = 0
        const transport = transportWith(() => ({
          bounds: () =>
            Effect.suspend(() => Effect.uninterruptible(begun++ < 3 ? late(Effect.succeed([])) : Effect.never))
        }))
        const asking = Effect.timeoutOption(transport.bounds("t"), "1 second")
        for (let times = 0; times < 3; times++) yield* asking
        yield* Effect.sleep("2 hours")
        yield* asking
        yield* asking
        expect(begun).toBe(5)
      })
    )
  })

  it("tells once that calls have no answer", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    told(
      Effect.gen(function* () {
        const transport = transportWith(() => ({ bounds: () => Effect.uninterruptible(Effect.never) }))
        for (let times = 0; times < 20; times++) yield* Effect.timeoutOption(transport.bounds("t"), "1 second")
      }).pipe(Effect.provide(Logger.layer([logger])))
    )
    expect(lines).toEqual([
      expect.stringMatching(/^the driver of memory has left 3 calls without an answer \(bounds {2}t\)/)
    ])
  })

  it("that opens a topic when nobody waits for it any more has it closed at once", () => {
    let open = 0
    told(
      Effect.gen(function* () {
        const transport = transportWith(({ openWriter }) => ({
          openWriter: (topic) =>
            late(
              Effect.acquireRelease(
                Effect.flatMap(openWriter(topic), (writer) => Effect.sync(() => (open++, writer))),
                () => Effect.sync(() => open--)
              )
            )
        }))
        yield* Effect.timeoutOption(Effect.scoped(transport.openWriter("t")), "1 second")
        yield* Effect.sleep("30 minutes")
        expect(open).toBe(0)
        yield* Effect.sleep("1 hour")
        expect(open).toBe(0)
        // One that is waited for stays open as long as its scope.
        const scope = yield* Scope.make()
        yield* Scope.provide(transport.openWriter("t"), scope)
        expect(open).toBe(1)
        yield* Scope.close(scope, Exit.void)
        expect(open).toBe(0)
      })
    )
  })

  it("that settles can be left, and the next one is begun", () => {
    const settled: Array<bigint> = []
    told(
      Effect.gen(function* () {
        let isHung = true
        const transport = transportWith(({ subscribe }) => ({
          subscribe: (subscription) =>
            Stream.map(subscribe(subscription), (lane): Lane => ({
              ...lane,
              settle: (position) =>
                Effect.suspend(() => {
                  if (isHung) return Effect.uninterruptible(Effect.never)
                  settled.push(position)
                  return lane.settle(position)
                })
            }))
        }))
        yield* transport.openWriter("t")
        const lane = yield* Stream.runHead(transport.subscribe(asked))
        if (lane._tag === "None") throw new Error("no lane came")
        yield* Effect.timeoutOption(lane.value.settle(0n), "30 seconds")
        isHung = false
        yield* lane.value.settle(0n)
        expect(settled).toEqual([0n])
      })
    )
  })
})
