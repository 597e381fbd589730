/** A subscription whose stream is moved, story by story, on virtual time. */
import { Clock, Effect, Exit, Logger, type Scope, Stream } from "effect"
import type { HandleOptions } from "leat"
import { simulate } from "leat/testing"
import type { From } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { Place } from "../../src/control/ControlRecord.ts"
import { MovedMember, type MemberOptions } from "./MovedMember.ts"
import { MovedStream, stream, type Written } from "./MovedStream.ts"

const a: Place = { cluster: "one", topic: "a", partitions: 2 }
const b: Place = { cluster: "two", topic: "b", partitions: 3 }
const leg = { cluster: "one", topic: "a" }

const event = (key: number, seq: number, epoch: number | undefined = 1): Written => ({
  writer: 0,
  key,
  seq,
  epoch,
  wire: "compact"
})

/** What a handler saw: the event, its epoch and topic, and when. */
class Seen {
  readonly events: Array<string> = []
  readonly atMs: Array<number> = []
  readonly handler = (
    { text }: { readonly text: string },
    { epoch, topic }: { readonly epoch: number | undefined; readonly topic: string }
  ): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function* () {
      this.events.push(`${text}@${topic}.${epoch}`)
      this.atMs.push(yield* Clock.currentTimeMillis)
    })

  /** What came since it was asked last. */
  take(): ReadonlyArray<string> {
    return this.events.splice(0).toSorted()
  }
}

/** Runs a story, and gives what it warned of. */
const told = (story: Effect.Effect<void, unknown, Scope.Scope>, seed = 1): ReadonlyArray<string> => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => void warnings.push(String(message)))
  const { exit } = simulate(seed, Effect.scoped(story).pipe(Effect.provide(Logger.layer([logger]))))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return warnings
}

const story = (what: Effect.Effect<void, unknown, Scope.Scope>) => () => void told(what)

const opened = (moved: MovedStream, options: Partial<MemberOptions> = {}) =>
  Effect.gen(function* () {
    const member = new MovedMember(moved, { leg, ...options })
    yield* member.open
    return member
  })

/** All steps of a move, one after the other, without writers. */
const move = (moved: MovedStream, from: Place, to: Place) =>
  Effect.gen(function* () {
    moved.direct(to)
    moved.say({ kind: "sealing", stream, base: moved.step })
    moved.say({ kind: "sealed", stream, base: moved.step, end: yield* moved.ends(from), over: new Map() })
    moved.say({ kind: "opened", stream, base: moved.step, begin: yield* moved.ends(to) })
  })

const retire = (moved: MovedStream, epoch: number) => {
  moved.say({ kind: "handedOver", stream, epoch, group: "g" })
  moved.say({ kind: "retired", stream, base: moved.step, epoch, groups: ["g"] })
}

/** A place of which two epochs are at `a` and `b`, with an event of each of two keys in both. */
const inTwoPlaces = Effect.gen(function* () {
  const moved = new MovedStream([a, b])
  moved.place(a)
  yield* moved.append(a, event(0, 0), event(1, 0))
  yield* move(moved, a, b)
  yield* moved.append(b, event(0, 1, 2), event(1, 1, 2))
  return moved
})

describe("a subscription whose stream is moved", () => {
  it("goes on in the new place within half a second, whoever has the lanes of the old one, and whenever they settle", () => {
    let pauseMsMax = 0
    for (let seed = 1; seed <= 40; seed++) {
      const what = Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const seen = new Seen()
        for (let index = 0; index < 3; index++) {
          const member = yield* opened(moved, { lateMs: 5 * index, settings: { settleEveryMs: 60_000 } })
          yield* member.handle(seen.handler)
        }
        yield* moved.append(a, event(0, 0), event(1, 0))
        moved.place(a)
        yield* Effect.sleep(5000 + seed * 37)
        yield* moved.append(a, event(0, 1), event(1, 1))
        yield* Effect.sleep(seed)
        expect(seen.take()).toHaveLength(4)
        const beganMs = yield* Clock.currentTimeMillis
        yield* move(moved, a, b)
        yield* moved.append(b, event(0, 2, 2), event(1, 2, 2), event(2, 0, 2))
        yield* Effect.sleep(2000)
        expect(seen.take()).toEqual(["0/0/2@b.2", "0/1/2@b.2", "0/2/0@b.2"])
        pauseMsMax = Math.max(pauseMsMax, ...seen.atMs.slice(-3).map((one) => one - beganMs))
      })
      told(what, seed)
    }
    expect(pauseMsMax).toBeLessThan(500)
  })

  it(
    "asks how far the group is only while it stands because of that, and not too often",
    story(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const [slow, other] = [yield* opened(moved), yield* opened(moved)]
        const seen = new Seen()
        yield* slow.handle((...given) => Effect.andThen(Effect.sleep(3000), seen.handler(...given)))
        yield* other.handle(seen.handler)
        moved.place(a)
        yield* Effect.sleep(1000)
        yield* moved.append(a, event(0, 0), event(1, 0))
        yield* Effect.sleep(100)
        expect([slow.askedAtMs.get("a"), other.askedAtMs.get("a")]).toEqual([undefined, undefined])
        yield* move(moved, a, b)
        yield* moved.append(b, event(0, 1, 2), event(1, 1, 2))
        yield* Effect.sleep(10_000)
        expect(seen.take()).toEqual(["0/0/0@a.1", "0/0/1@b.2", "0/1/0@a.1", "0/1/1@b.2"])
        const atMs = other.askedAtMs.get("a") ?? []
        expect(atMs.every((one, at) => at === 0 || one - (atMs[at - 1] ?? 0) >= 100)).toBe(true)
        // Three seconds, each time twice as long after the last.
        expect(atMs.length).toBeGreaterThan(4)
        expect(atMs.length).toBeLessThan(9)
        yield* Effect.sleep(60_000)
        expect(other.askedAtMs.get("a")).toHaveLength(atMs.length)
      })
    )
  )

  const first = async (from: From) => {
    const seen = new Seen()
    told(
      Effect.gen(function* () {
        const moved = yield* inTwoPlaces
        const member = yield* opened(moved)
        yield* member.handle(seen.handler, { from })
        yield* Effect.sleep(1000)
        yield* moved.append(b, event(0, 2, 2))
        yield* Effect.sleep(1000)
      })
    )
    return seen.take()
  }

  it("begins, where its group is new, as it is said: everywhere, at all ends, or at a position of the newest", async () => {
    expect(await first("earliest")).toEqual(["0/0/0@a.1", "0/0/1@b.2", "0/0/2@b.2", "0/1/0@a.1", "0/1/1@b.2"])
    expect(await first("latest")).toEqual(["0/0/2@b.2"])
    expect(await first({ position: 1n })).toEqual(["0/0/2@b.2"])
    expect(await first({ position: 0n })).toEqual(["0/0/1@b.2", "0/0/2@b.2", "0/1/1@b.2"])
    // The clock of the records is that of the simulation.
    expect(await first({ timeMs: 0 })).toHaveLength(5)
    expect(await first({ timeMs: Date.UTC(2027, 0, 1) })).toEqual(["0/0/2@b.2"])
  })

  it.for([true, false])(
    "reads all of a later epoch where its group has read an earlier one, also when that is retired: %s",
    (isRetired) => {
      const options: HandleOptions = { from: "latest" }
      told(
        Effect.gen(function* () {
          const moved = new MovedStream([a, b])
          const seen = new Seen()
          moved.place(a)
          const before = yield* opened(moved)
          const subscription = yield* before.handle(seen.handler, options)
          yield* Effect.sleep(10)
          yield* moved.append(a, event(0, 0), event(1, 0))
          yield* Effect.sleep(1000)
          yield* subscription.stop
          yield* move(moved, a, b)
          if (isRetired) retire(moved, 1)
          yield* moved.append(b, event(0, 1, 2))
          const member = yield* opened(moved)
          yield* member.handle(seen.handler, options)
          yield* Effect.sleep(1000)
          expect(seen.take()).toEqual(["0/0/0@a.1", "0/0/1@b.2", "0/1/0@a.1"])
        })
      )
    }
  )

  it(
    "goes on with the others when its first place is retired, says how far it is there, and lets another stream in",
    story(
      Effect.gen(function* () {
        const members = new Map<string, number>()
        const moved = new MovedStream([a, b])
        const member = yield* opened(moved, { members })
        const seen = new Seen()
        const consuming = yield* member.consuming
        const subscription = yield* consuming.handle("g", seen.handler, {})
        yield* moved.append(a, event(0, 0), event(1, 0))
        yield* Effect.sleep(1)
        moved.place(a)
        yield* Effect.sleep(1000)
        yield* move(moved, a, b)
        yield* moved.append(b, event(0, 1, 2), event(1, 1, 2))
        // It has heard of it.
        yield* Effect.sleep(1)
        yield* subscription.caughtUp
        expect(seen.take()).toHaveLength(4)
        // Somebody who was passed over.
        yield* moved.append(a, event(3, 0), event(3, 1))
        yield* Effect.sleep(1000)
        expect([seen.take(), yield* subscription.lag]).toEqual([[], 0n])
        expect([members.get("a"), members.get("b")]).toEqual([1, 1])
        const ofA = member.route.readLeg
        const ofB = { destination: "two/b", sink: "two/b" }
        for (const one of [ofA, ofB]) expect(member.groups.enter(one, "g", "others")).toMatchObject({ path: "group" })
        retire(moved, 1)
        yield* Effect.sleep(1000)
        expect([members.get("a"), members.get("b")]).toEqual([0, 1])
        expect(member.groups.enter(ofA, "g", "others")).toBeUndefined()
        yield* moved.append(b, event(2, 0, 2))
        yield* Effect.sleep(1000)
        expect(seen.take()).toEqual(["0/2/0@b.2"])
        expect((yield* consuming.bounds("g")).map(({ end, settled }) => [end, settled])).toEqual([
          [1n, 1n],
          [1n, 1n],
          [1n, 1n]
        ])
        expect(yield* subscription.lag).toBe(0n)
        yield* subscription.stop
        expect([members.get("a"), members.get("b")]).toEqual([0, 0])
      })
    )
  )

  it(
    "tries again in a place that it has left what waited there, dead-letters there, and leaves it when nothing is left",
    story(
      Effect.gen(function* () {
        const members = new Map<string, number>()
        const moved = new MovedStream([a, b])
        const seen = new Seen()
        let isBroken = true
        const bad = (text: string) => text.startsWith("0/1") && isBroken
        const handler: Seen["handler"] = (one, info) =>
          bad(one.text) ? Effect.fail(Object.assign(new Error("planted"), { _tag: "Bug" })) : seen.handler(one, info)
        const member = yield* opened(moved, { members })
        const policy = [{ on: ["Bug"], retry: { times: 0, baseMs: 1 }, then: "deadLetter" as const }]
        yield* member.handle(handler, { policy, retryTopics: { delaysMs: [60_000] } })
        moved.place(a)
        yield* moved.append(a, event(0, 0), event(1, 0), event(3, 0))
        yield* Effect.sleep(1000)
        yield* move(moved, a, b)
        yield* moved.append(b, event(0, 1, 2), event(1, 1, 2))
        yield* Effect.sleep(1000)
        retire(moved, 1)
        yield* Effect.sleep(1000)
        expect(seen.take()).toEqual(["0/0/0@a.1", "0/0/1@b.2", "0/3/0@a.1"])
        const counts = () => ["a", "a.g.retry.1", "b", "b.g.retry.1"].map((topic) => members.get(topic) ?? 0)
        expect(counts()).toEqual([0, 1, 1, 1])
        expect(member.groups.enter(member.route.readLeg, "g", "others")).toBeUndefined()
        isBroken = false
        yield* Effect.sleep(65_000)
        expect(seen.take()).toEqual(["0/1/0@a.g.retry.1.1", "0/1/1@b.g.retry.1.2"])
        yield* Effect.sleep(60_000)
        expect(counts()).toEqual([0, 0, 1, 1])
      })
    )
  )

  it("handles what waits in a retired place also where it begins after that, and asks no more when nothing does", () => {
    const seen = new Seen()
    const asked: Array<number> = []
    told(
      Effect.gen(function* () {
        const moved = yield* inTwoPlaces
        retire(moved, 1)
        const tier = { cluster: "one", topic: "a.g.retry.1", partitions: 2 }
        moved.brokers.get("one")?.ensure(tier)
        yield* moved.append(tier, event(5, 0))
        const member = yield* opened(moved)
        yield* member.handle(seen.handler)
        yield* Effect.sleep(90_000)
        asked.push(member.askedAtMs.get("a.g.replay")?.length ?? 0)
        yield* Effect.sleep(600_000)
        asked.push(member.askedAtMs.get("a.g.replay")?.length ?? 0)
      })
    )
    expect(seen.take()).toEqual(["0/0/1@b.2", "0/1/1@b.2", "0/5/0@a.g.retry.1.1"])
    expect(asked[1]).toBe(asked[0])
  })

  it(
    "reads what fell back from each place, also from one that is retired",
    story(
      Effect.gen(function* () {
        const c: Place = { cluster: "one", topic: "c", partitions: 1 }
        const [ofA, ofC] = ["one.a.2.fallback", "one.c.1.fallback"].map((topic) => ({ ...b, topic }))
        const moved = new MovedStream([a, b, c, ...(ofA && ofC ? [ofA, ofC] : [])])
        const seen = new Seen()
        moved.place(a)
        yield* move(moved, a, c)
        if (ofA && ofC) {
          yield* moved.append(ofA, event(0, 0))
          yield* moved.append(ofC, event(1, 0, 2))
        }
        retire(moved, 1)
        const member = yield* opened(moved, { fallback: "two" })
        yield* member.handle(seen.handler)
        yield* Effect.sleep(1000)
        expect(seen.take()).toEqual(["0/0/0@one.a.2.fallback.1", "0/1/0@one.c.1.fallback.2"])
        const asked = () => member.askedAtMs.get("one.a.2.fallback")?.length
        yield* Effect.sleep(90_000)
        const before = asked()
        yield* Effect.sleep(600_000)
        expect(asked()).toBe(before)
      })
    )
  )

  it(
    "goes on in a topic of the same name in another cluster, and takes nothing of one for the other",
    story(
      Effect.gen(function* () {
        const there: Place = { ...a, cluster: "two" }
        const moved = new MovedStream([a, there])
        const seen = new Seen()
        const member = yield* opened(moved)
        let isSlow = true
        const subscription = yield* member.handle((...given) =>
          Effect.andThen(Effect.sleep(isSlow ? 1000 : 0), seen.handler(...given))
        )
        moved.place(a)
        yield* moved.append(a, event(0, 0), event(1, 0), event(0, 1))
        yield* move(moved, a, there)
        yield* moved.append(there, event(0, 2, 2), event(1, 1, 2))
        yield* Effect.sleep(1500)
        expect([seen.take(), yield* subscription.lag]).toEqual([["0/0/0@a.1", "0/1/0@a.1"], 3n])
        isSlow = false
        yield* Effect.sleep(2000)
        expect(seen.take()).toEqual(["0/0/1@a.1", "0/0/2@a.2", "0/1/1@a.2"])
        retire(moved, 1)
        yield* Effect.sleep(100)
        yield* moved.append(there, event(0, 3, 2))
        yield* Effect.sleep(100)
        expect([seen.take(), yield* subscription.lag]).toEqual([["0/0/3@a.2"], 0n])
      })
    )
  )

  it(
    "does not wait for a place that was abandoned, and reads late what it has when it comes back",
    story(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const seen = new Seen()
        moved.say({ kind: "beat", member: "w0", version: 0, refused: "" })
        moved.place(b)
        yield* moved.append(b, event(0, 0), event(1, 0))
        const nowMs = yield* Clock.currentTimeMillis
        const member = yield* opened(moved, { awayUntilMs: (cluster) => (cluster === "two" ? nowMs + 20_000 : 0) })
        yield* member.handle(seen.handler)
        moved.direct(a)
        moved.say({ kind: "abandoned", stream, base: moved.step, epoch: 1 })
        moved.say({ kind: "opened", stream, base: moved.step, begin: yield* moved.ends(a) })
        yield* moved.append(a, event(0, 1, 2))
        yield* Effect.sleep(5000)
        expect(seen.take()).toEqual(["0/0/1@a.2"])
        yield* Effect.sleep(60_000)
        expect(seen.take()).toEqual(["0/0/0@b.1", "0/1/0@b.1"])
      })
    )
  )

  it("goes on in the place that it reads while the next one cannot be opened, and begins there when it can", () => {
    const seen = new Seen()
    const warnings = told(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const untilMs = (yield* Clock.currentTimeMillis) + 20_000
        const member = yield* opened(moved, { awayUntilMs: (cluster) => (cluster === "two" ? untilMs : 0) })
        yield* member.handle(seen.handler)
        moved.place(a)
        moved.direct(b)
        yield* Effect.sleep(1000)
        yield* moved.append(a, event(0, 0))
        yield* Effect.sleep(1000)
        expect(seen.take()).toEqual(["0/0/0@a.1"])
        moved.say({ kind: "sealing", stream, base: moved.step })
        moved.say({ kind: "sealed", stream, base: moved.step, end: yield* moved.ends(a), over: new Map() })
        moved.say({ kind: "opened", stream, base: moved.step, begin: [0, 0, 0] })
        yield* moved.append(b, event(0, 1, 2))
        yield* Effect.sleep(40_000)
        expect(seen.take()).toEqual(["0/0/1@b.2"])
      })
    )
    expect(warnings.filter((one) => one.includes("cannot open two/b"))).not.toHaveLength(0)
  })

  it("stands before a record of an epoch of which it has not heard, says so after ten seconds, and goes when it is told", () => {
    const warnings = told(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const seen = new Seen()
        const member = yield* opened(moved)
        const subscription = yield* member.handle(seen.handler)
        moved.place(a)
        yield* Effect.sleep(1)
        yield* moved.append(a, event(0, 0), event(0, 1, 3), event(0, 2))
        yield* Effect.sleep(60_000)
        expect(seen.take()).toEqual(["0/0/0@a.1"])
        const beganMs = yield* Clock.currentTimeMillis
        yield* subscription.stop
        expect((yield* Clock.currentTimeMillis) - beganMs).toBeLessThan(100)
        expect(yield* moved.settled(a, "g")).toEqual([1, 0])
      })
    )
    expect(warnings.filter((one) => one.includes("epoch 3"))).toHaveLength(1)
  })

  it(
    "leaves out of what is stored what other epochs have in a range, and a retired place whose cluster is gone",
    story(
      Effect.gen(function* () {
        const moved = yield* inTwoPlaces
        // Of a mirror that was there, and of a writer that was passed over: late.
        yield* moved.append(b, event(0, 7, 1), event(0, 2, 2))
        yield* move(moved, b, a)
        yield* moved.append(a, event(0, 8, 1), event(0, 3, 3))
        let gone: string | undefined
        const member = yield* opened(moved, { gone: () => gone })
        const consuming = yield* member.consuming
        const texts = Effect.gen(function* () {
          const found: Array<string> = []
          for (const range of yield* consuming.stored(undefined))
            found.push(
              ...(yield* Stream.runCollect(consuming.read(range))).flatMap(({ event: one }) => one?.text ?? [])
            )
          return found.filter((text) => text.startsWith("0/0/"))
        })
        expect(yield* texts).toEqual(["0/0/0", "0/0/1", "0/0/2", "0/0/3"])
        gone = "two"
        expect(yield* Effect.flip(texts)).toMatchObject({ _tag: "RouteError" })
        retire(moved, 1)
        retire(moved, 2)
        yield* Effect.sleep(1)
        expect(yield* texts).toEqual(["0/0/0", "0/0/3"])
      })
    )
  )

  it(
    "gives nothing behind an end that was told while it waited there, unplaced, for what comes",
    story(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const seen = new Seen()
        const member = yield* opened(moved)
        yield* member.handle(seen.handler)
        yield* moved.append(a, event(0, 0))
        yield* Effect.sleep(1000)
        moved.place(a)
        yield* move(moved, a, b)
        yield* Effect.sleep(1)
        yield* moved.append(a, event(0, 1))
        yield* Effect.sleep(1000)
        expect(seen.take()).toEqual(["0/0/0@a.1"])
        expect((yield* moved.settled(a, "g"))[0]).toBe(1)
      })
    )
  )

  it.for([false, true])("ends by what ends its only place, whether the stream is placed or not: %s", (isPlaced) => {
    told(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        if (isPlaced) moved.place(a)
        const member = yield* opened(moved, { refuses: "one" })
        const subscription = yield* member.handle(new Seen().handler)
        const exit = yield* Effect.exit(Effect.timeout(subscription.ended, "1 minute"))
        expect(String(exit)).toContain("planted")
      })
    )
  })

  it("goes on in a place while another refuses it, and tries that again", () => {
    const warnings = told(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const seen = new Seen()
        moved.place(a)
        moved.direct(b)
        moved.say({ kind: "sealing", stream, base: moved.step })
        const member = yield* opened(moved, { refuses: "two" })
        yield* member.handle(seen.handler)
        yield* Effect.sleep(1000)
        yield* moved.append(a, event(0, 0))
        yield* Effect.sleep(60_000)
        expect(seen.take()).toEqual(["0/0/0@a.1"])
      })
    )
    const again = warnings.filter((one) => one.includes("does not read two/b now"))
    expect(again.length).toBeGreaterThan(2)
    expect(again.length).toBeLessThan(10)
  })

  it("reads no place where its group reads another stream, and begins when that has gone", () => {
    const seen = new Seen()
    const warnings = told(
      Effect.gen(function* () {
        const moved = new MovedStream([a, b])
        const member = yield* opened(moved)
        const ofB = { destination: "two/b", sink: "two/b" }
        member.groups.enter(ofB, "g", "others")
        yield* member.handle(seen.handler)
        moved.place(a)
        yield* Effect.sleep(100)
        yield* move(moved, a, b)
        yield* moved.append(b, event(0, 0, 2))
        yield* Effect.sleep(5000)
        expect(seen.take()).toEqual([])
        member.groups.leave(ofB, "g")
        yield* Effect.sleep(60_000)
        expect(seen.take()).toEqual(["0/0/0@b.2"])
      })
    )
    expect(warnings.some((one) => one.includes("where it has one position for all streams"))).toBe(true)
  })
})
