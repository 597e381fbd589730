/** A settle that is on its way for long, as to a broker that is away, holds up nobody but itself. */
import { Deferred, Duration, Effect, Exit, References, type Scope, Stream, Tracer } from "effect"
import { Leat, MemoryBroker } from "leat"
import { simulate } from "leat/testing"
import { type Lane, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { bent, routes, withLanes } from "./support.ts"

const lost = new TransportError({ reason: "LaneLost", transport: "memory", operation: "pull", detail: "gone" })

/** How a lane is taken away. */
const takenBy = {
  lost: (lane: Lane, isTime: Effect.Effect<void>): Lane => ({
    ...lane,
    batches: Stream.interruptWhen(lane.batches, Effect.andThen(isTime, Effect.fail(lost)))
  }),
  revoked: (lane: Lane, isTime: Effect.Effect<void>): Lane => ({ ...lane, revoked: isTime })
}

/** Takes a lane away whose settle does not answer while one handler runs; returns after how many milliseconds that is interrupted. */
function interruptedAfter(how: keyof typeof takenBy): number {
  const program = Effect.gen(function* () {
    const isTime = yield* Deferred.make<void>()
    const interrupted = yield* Deferred.make<void>()
    let lanes = 0
    // What the lane is given as afterwards is of no interest.
    const driver = withLanes((lane) =>
      lanes++ > 0 ? lane : takenBy[how]({ ...lane, settle: () => Effect.never }, Deferred.await(isTime))
    )
    const leat = yield* Leat.make({ source: "test", routes: routes({ drain: "10 seconds" }), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const handler = ({ text }: { readonly text: string }) =>
      text === "1" ? Effect.void : Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
    yield* notes.handle("g", handler)
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep(50)
    yield* notes.publish({ key: "k", text: "2" })
    yield* Effect.sleep(50)
    yield* Deferred.succeed(isTime, undefined)
    return (yield* Effect.timed(Deferred.await(interrupted)))[0]
  })
  return Duration.toMillis(resultOf(program))
}

/** How often a subscription joins whose first lane is lost, where the settle that was on its way then fails for good a second later. */
function joinsAfterLateFailure(): number {
  let [joins, lanes] = [0, 0]
  const late = Effect.andThen(Effect.sleep(1000), Effect.die("late"))
  const program = Effect.gen(function* () {
    const isTime = yield* Deferred.make<void>()
    const driver = bent((one) => ({
      ...one,
      subscribe: (asked) => {
        joins++
        return Stream.map(one.subscribe(asked), (lane) =>
          lanes++ > 0 ? lane : takenBy.lost({ ...lane, settle: () => late }, Deferred.await(isTime))
        )
      }
    }))
    const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    yield* notes.handle("g", () => Effect.void)
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep(50)
    yield* Deferred.succeed(isTime, undefined)
    yield* Effect.sleep(30_000)
    return joins
  })
  return resultOf(program)
}

/** The first settle of a lane never answers: how far its group is settled after a minute, and spans of settles that are open after the end. */
function afterSilence(hangs: (settles: number) => boolean) {
  const broker = new MemoryBroker({ partitions: 1 })
  const open = new Set<string>()
  let settles = 0
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      if (options.name.startsWith("commit")) open.add(span.spanId)
      span.end = (endTime, exit) => {
        open.delete(span.spanId)
        end(endTime, exit)
      }
      return span
    }
  })
  const driver = withLanes(
    (lane) => ({ ...lane, settle: (position) => (hangs(settles++) ? Effect.never : lane.settle(position)) }),
    broker
  )
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const subscription = yield* notes.handle("g", () => Effect.void)
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep(60_000)
    const [bounds] = yield* notes.bounds("g")
    yield* subscription.stop
    return { settled: bounds?.settled, open }
  })
  return resultOf(Effect.provideService(program, Tracer.Tracer, tracer))
}

function resultOf<A>(program: Effect.Effect<A, unknown, Scope.Scope>): A {
  const { exit } = simulate(1, program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

describe("a settle that does not answer", () => {
  it("does not keep handlers running on a lane that was lost: somebody else has it", () => {
    expect(interruptedAfter("lost")).toBeLessThan(100)
  })

  it("leaves handlers on a lane that was revoked the time to clean up", () => {
    expect(interruptedAfter("revoked")).toBeLessThan(8100)
  })

  it("is given up and begun again: the group goes on", () => {
    expect(afterSilence((settles) => settles === 0).settled).toBe(1n)
  })

  it("ends with its lane at the latest", () => {
    expect(Array.from(afterSilence(() => true).open)).toEqual([])
  })

  it("fails for good once its lane is lost: that is no word about the lanes that are held by then", () => {
    expect(joinsAfterLateFailure()).toBe(1)
  })
})
