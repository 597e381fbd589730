/** A lane that is lost, and whose partition comes back to the same subscription while handlers of it have not ended yet. */
import { Deferred, Effect, Exit, References, type Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { type Driver, type Lane, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { bent, routes, withLanes } from "./support.ts"

const lost = new TransportError({ reason: "LaneLost", transport: "memory", operation: "pull", detail: "gone" })

/** How the first lane of the partition is lost: its pull says so, or nobody says anything. Its partition is free for others by then. */
const ways = {
  told: (lane: Lane, isTime: Effect.Effect<void>): Lane => ({
    ...lane,
    batches: Stream.interruptWhen(lane.batches, Effect.andThen(isTime, Effect.andThen(lane.release, Effect.fail(lost))))
  }),
  untold: (lane: Lane, isTime: Effect.Effect<void>): Lane => ({
    ...lane,
    batches: Stream.concat(Stream.interruptWhen(lane.batches, Effect.andThen(isTime, lane.release)), Stream.never),
    revoked: Effect.never
  })
}

/** What a handler does when it is interrupted. */
const cleanups = { none: Effect.void, slow: Effect.sleep(2000), endless: Effect.never }

interface Lost {
  readonly how: keyof typeof ways
  readonly cleanup: keyof typeof cleanups
  /** Another member joins when the lane was lost, and this one stops after so many milliseconds. */
  readonly handsOverAfterMs?: number
}

/**
 * Loses the lane of the one event while its handler runs. Returns how many handlers of it ran at once at most, and after how many
 * milliseconds it was begun again, and by which member.
 */
function afterLoss({ how, cleanup, handsOverAfterMs }: Lost, seed = 1) {
  const program = Effect.gen(function* () {
    const isTime = yield* Deferred.make<void>()
    const again = yield* Deferred.make<{ readonly member: number; readonly atMs: number }>()
    let [lanes, running, most, calls] = [0, 0, 0, 0]
    const driver = withLanes(
      (lane) => (lanes++ > 0 ? lane : ways[how](lane, Deferred.await(isTime))),
      new MemoryBroker({ partitions: 1 })
    )
    const leat = yield* Leat.make({ source: "test", routes: routes({ drain: "10 seconds" }), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const handler = (member: number) => () =>
      Effect.gen(function* () {
        most = Math.max(most, ++running)
        if (calls++ > 0) {
          yield* Deferred.succeed(again, { member, atMs: yield* now })
          return
        }
        yield* Effect.onInterrupt(Effect.never, () => cleanups[cleanup])
      }).pipe(Effect.ensuring(Effect.sync(() => running--)))
    const first = yield* notes.handle("g", handler(0))
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep(50)
    const beganAtMs = yield* now
    yield* Deferred.succeed(isTime, undefined)
    if (handsOverAfterMs !== undefined) {
      yield* Effect.sleep(handsOverAfterMs)
      yield* notes.handle("g", handler(1))
      yield* Effect.forkScoped(first.stop)
    }
    const { member, atMs } = yield* Deferred.await(again)
    return { most, member, ms: Math.round(atMs - beganAtMs) }
  })
  return resultOf(program, seed)
}

const now = Effect.clockWith((clock) => clock.currentTimeMillis)

function resultOf<A>(program: Effect.Effect<A, unknown, Scope.Scope>, seed: number): A {
  const quiet = Effect.provideService(References.MinimumLogLevel, "None")
  const { exit } = simulate(seed, program.pipe(Effect.scoped, quiet), { stepsMax: 20_000 })
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

describe("a partition that comes back while handlers of its lost lane run", () => {
  it.for([
    { how: "told", cleanup: "none", ms: 0 },
    { how: "told", cleanup: "slow", ms: 2000 },
    { how: "untold", cleanup: "none", ms: 0 },
    { how: "untold", cleanup: "slow", ms: 2000 }
  ] as const)("waits for them: $how, $cleanup", ({ how, cleanup, ms }) => {
    for (let seed = 1; seed <= 20; seed++) expect(afterLoss({ how, cleanup }, seed)).toEqual({ most: 1, member: 0, ms })
  })

  it("does not wait for ever for one that never ends", () => {
    expect(afterLoss({ how: "told", cleanup: "endless" })).toEqual({ most: 2, member: 0, ms: 5000 })
  })

  it("is given to another member at once, although its lane waits for them", () => {
    const { member, ms } = afterLoss({ how: "told", cleanup: "endless", handsOverAfterMs: 1000 })
    expect({ member, isSoon: ms < 1100 }).toEqual({ member: 1, isSoon: true })
  })
})

/** The first lane is lost while its handler runs, and the driver of the next one dies of telling when that is revoked. What stands then. */
function haltedAfterDeath() {
  const program = Effect.gen(function* () {
    const isTime = yield* Deferred.make<void>()
    let lanes = 0
    const driver = withLanes(
      (lane) => (lanes++ > 0 ? { ...lane, revoked: Effect.die("planted") } : ways.told(lane, Deferred.await(isTime))),
      new MemoryBroker({ partitions: 1 })
    )
    const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const subscription = yield* notes.handle("g", () => Effect.uninterruptible(Effect.sleep(2000)))
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep(50)
    yield* Deferred.succeed(isTime, undefined)
    yield* Effect.sleep(10_000)
    return subscription.halted().map(({ scope, tag, partition, detail }) => ({ scope, tag, partition, detail }))
  })
  return resultOf(program, 1)
}

describe("a lane that waits for handlers of before", () => {
  it("stands because of a driver that dies, as every lane does", () => {
    expect(haltedAfterDeath()).toEqual([{ scope: "lane", tag: "Defect", partition: 0, detail: "planted" }])
  })
})

/**
 * The first lane fails at its first pull; after how many milliseconds its one event is handled and the group is joined again. In some
 * orders the partition comes back before the stay has ended, and the event is handled in what is left of it.
 */
function afterFailure(seed: number) {
  const failed = new TransportError({
    reason: "Unavailable",
    transport: "memory",
    operation: "pull",
    detail: "not now"
  })
  const program = Effect.gen(function* () {
    const handled = yield* Deferred.make<void>()
    const joinedAgain = yield* Deferred.make<void>()
    let [lanes, joins] = [0, 0]
    const driver = bent(
      (transport) => ({
        ...transport,
        subscribe: (asked) => {
          if (asked.topic === "notes" && ++joins === 2) Deferred.doneUnsafe(joinedAgain, Effect.void)
          const failing = (lane: Lane): Lane => (lanes++ > 0 ? lane : { ...lane, batches: Stream.fail(failed) })
          return Stream.map(transport.subscribe(asked), failing)
        }
      }),
      new MemoryBroker({ partitions: 1 })
    )
    const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    yield* notes.publish({ key: "k", text: "1" })
    const beganAtMs = yield* now
    yield* notes.handle("g", () => Deferred.succeed(handled, undefined))
    yield* Effect.timeout(Effect.andThen(Deferred.await(handled), Deferred.await(joinedAgain)), "1 minute")
    return (yield* now) - beganAtMs
  })
  return resultOf(program, seed)
}

describe("a lane that fails before anybody waits for that", () => {
  it("ends the stay in its group, and the next one begins", () => {
    // In one order of four hundred the lane fails before the subscription waits for that.
    for (let seed = 1; seed <= 600; seed++) expect(afterFailure(seed)).toBeLessThan(1000)
  })
})

/** A partition is taken back in the moment in which it is given, and given again: both lanes come at once. Says what was handled. */
function handledAfterTwo(seed: number) {
  const program = Effect.gen(function* () {
    const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
    const gone = (lane: Lane): Lane => ({
      ...lane,
      id: `${lane.id} before`,
      batches: Stream.empty,
      revoked: Effect.void,
      settle: () => Effect.fail(lost),
      release: Effect.void
    })
    const driver: Driver = {
      ...inner,
      open: (...asked) =>
        Effect.map(inner.open(...asked), (transport) => ({
          ...transport,
          subscribe: (subscription) =>
            Stream.flatMap(transport.subscribe(subscription), (lane) => Stream.make(gone(lane), lane))
        }))
    }
    const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const handled: Array<string> = []
    const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => handled.push(text)))
    yield* notes.publish({ key: "k", text: "1" })
    yield* Effect.sleep(20_000)
    return { handled, lag: yield* subscription.lag }
  })
  return resultOf(program, seed)
}

it("of two lanes of a partition that come at once the one that came last is read, in whatever order their fibers begin", () => {
  for (let seed = 1; seed <= 30; seed++)
    expect({ seed, ...handledAfterTwo(seed) }).toEqual({ seed, handled: ["1"], lag: 0n })
})
