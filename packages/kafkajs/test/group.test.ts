import { SleptClock } from "@leat/brokers"
import { describeKafka } from "@leat/brokers/vitest"
import { kafkajsTransport } from "@leat/kafkajs"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import type { Admin } from "kafkajs"
import { waitUntil } from "leat/testing"
import { expect, it } from "vitest"
import { benchAt, newName, numbered, run, send, textOf, valuesOf } from "./support/bench.ts"
import { join, reasonOf, settledOf } from "./support/member.ts"

describeKafka(
  "a member of a group",
  (bootstrap) => {
    const another = kafkajsTransport({ brokers: bootstrap.split(",") })

    it("T27 keeps the lanes that stay with it when others come: nothing comes twice, and nothing is held up", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 4)
          for (let partition = 0; partition < 4; partition++)
            yield* send(writer, numbered(10, `${partition}/`), { partition })
          const first = yield* join(transport, topic, topic)
          const lanes = [yield* first.next, yield* first.next, yield* first.next, yield* first.next]
          for (const lane of lanes) expect((yield* lane.take(10)).length).toBe(10)
          const second = yield* join(yield* another, topic, topic)
          const ends = yield* Effect.forEach(lanes, (lane) => Effect.forkScoped(Effect.as(lane.over, lane)))
          const [lost, also] = yield* Effect.all([
            Effect.raceAllFirst(ends.map((fiber) => Fiber.join(fiber))),
            Effect.as(Effect.sleep(1500), undefined)
          ])
          expect(also).toBeUndefined()
          expect(second.given()).toBe(0)
          const revoked = lanes.filter((_, index) => ends[index]?.pollUnsafe() !== undefined)
          expect(revoked.length).toBe(2)
          expect(revoked).toContain(lost)
          for (const lane of revoked) {
            yield* lane.settle(lane.start + 10n)
            yield* lane.release
          }
          const taken = [yield* second.next, yield* second.next]
          expect(new Set(taken.map(({ partition }) => partition))).toEqual(
            new Set(revoked.map(({ partition }) => partition))
          )
          for (const lane of taken) expect(lane.start).toBe(10n)
          // The two that stayed are the same lanes still.
          expect(first.given()).toBe(4)
          for (const lane of lanes.filter((one) => !revoked.includes(one))) {
            yield* lane.settle(10n)
            expect(yield* settledOf(transport, topic, topic, lane.partition)).toBe(10n)
          }
        })
      ))

    it(
      "T38 settles while the group moves on",
      () =>
        run(
          Effect.gen(function* () {
            const { transport, topic, writer } = yield* benchAt(bootstrap, 1)
            yield* send(writer, numbered(200))
            const first = yield* join(transport, topic, topic)
            const lane = yield* first.next
            yield* lane.take(200)
            let position = 0n
            let settles = 0
            const settling = yield* Effect.forkScoped(
              Effect.forever(
                Effect.gen(function* () {
                  position = position < 199n ? position + 1n : position
                  yield* lane.settle(position)
                  settles++
                  yield* Effect.sleep(5)
                })
              )
            )
            // Members come and go; the one lane stays where it is.
            for (let round = 0; round < 3; round++) {
              yield* Effect.scoped(
                Effect.gen(function* () {
                  const before = settles
                  const other = yield* join(yield* another, topic, topic)
                  yield* Effect.sleep(1300)
                  const more = Effect.sync(() => settles >= before + 7)
                  const waiting = waitUntil("it settles while there is another", more, { withinMs: 25_000 })
                  // A settle that fails says why.
                  yield* Effect.raceFirst(waiting, Fiber.join(settling))
                  expect(other.given()).toBe(0)
                })
              )
            }
            expect(settling.pollUnsafe()).toBeUndefined()
            yield* Fiber.interrupt(settling)
            const settled = yield* settledOf(transport, topic, topic)
            expect(settled).toBeGreaterThan(20n)
            expect(position - (settled ?? 0n)).toBeLessThanOrEqual(1n)
          })
        ),
      90_000
    )

    it("T28 whose handlers are slow, and whose lanes stand still, stays a member", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 1, { sessionMs: 3000 })
          yield* send(writer, numbered(10))
          const first = yield* join(transport, topic, topic)
          const lane = yield* first.next
          yield* lane.take(3)
          yield* Effect.sleep(7000)
          yield* lane.settle(3n)
          expect(yield* settledOf(transport, topic, topic)).toBe(3n)
          expect(first.given()).toBe(1)
        })
      ))

    it("T22 has settled nothing that was only handed out, and T35 exactly what is contiguous", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 1)
          yield* send(writer, numbered(100))
          const lane = yield* (yield* join(transport, topic, topic)).next
          yield* lane.take(100)
          yield* Effect.sleep(1500)
          expect(yield* settledOf(transport, topic, topic)).toBeUndefined()
          // Of settles that overlap the highest counts, whatever comes last.
          yield* Effect.all(
            [40n, 60n, 20n, 50n].map((position) => lane.settle(position)),
            { concurrency: "unbounded" }
          )
          expect(yield* settledOf(transport, topic, topic)).toBe(60n)
        })
      ))

    it("cannot settle what it was never given", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 1)
          yield* send(writer, numbered(5))
          const lane = yield* (yield* join(transport, topic, topic)).next
          yield* lane.take(5)
          expect(reasonOf(yield* Effect.exit(lane.settle(6n)))).toBe("Rejected")
        })
      ))

    it("T23 of a group that began at the latest record skips nothing, although it died before its first settle", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 1)
          yield* send(writer, numbered(3, "old"))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const lane = yield* (yield* join(transport, topic, topic, { from: "latest" })).next
              expect(lane.start).toBe(3n)
            })
          )
          yield* send(writer, numbered(2, "new"))
          const lane = yield* (yield* join(transport, topic, topic, { from: "latest" })).next
          expect(valuesOf(yield* lane.take(2))).toEqual(["new0", "new1"])
        })
      ))

    it("that is taken its lane begins it anew only when the old one is released", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 2)
          for (const partition of [0, 1]) yield* send(writer, numbered(4), { partition })
          const first = yield* join(transport, topic, topic)
          const lanes = [yield* first.next, yield* first.next]
          for (const lane of lanes) yield* lane.take(4)
          const scope = yield* Scope.make()
          yield* join(yield* another, topic, topic).pipe(Scope.provide(scope))
          const revoked = yield* Effect.raceAllFirst(lanes.map((lane) => Effect.as(lane.over, lane)))
          // The other goes before it got anything: the lane is ours again, and still drains.
          yield* Scope.close(scope, Exit.void)
          yield* Effect.sleep(2500)
          expect(first.given()).toBe(2)
          yield* revoked.settle(2n)
          yield* revoked.release
          const again = yield* first.next
          expect([again.partition, again.start]).toEqual([revoked.partition, 2n])
        })
      ))

    it("holds back one lane by not pulling it, and gets all of it when it does", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 2)
          const value = "x".repeat(50_000)
          for (let round = 0; round < 10; round++) {
            for (const partition of [0, 1])
              yield* send(
                writer,
                Array.from({ length: 15 }, () => ({ key: "k", value })),
                { partition }
              )
          }
          const first = yield* join(transport, topic, topic)
          const lanes = [yield* first.next, yield* first.next]
          const pulled = lanes.find(({ partition }) => partition === 1)
          expect((yield* pulled?.take(150) ?? Effect.succeed([])).length).toBe(150)
          yield* Effect.sleep(300)
          const rest = lanes.find(({ partition }) => partition === 0)
          expect((yield* rest?.take(150) ?? Effect.succeed([])).length).toBe(150)
        })
      ))

    it("passes over what has expired, and says so", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 1)
          yield* send(writer, numbered(10, "old"))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const lane = yield* (yield* join(transport, topic, topic)).next
              yield* lane.take(10)
              yield* lane.settle(3n)
            })
          )
          yield* deleteBefore(bootstrap, topic, 7n)
          const lane = yield* (yield* join(transport, topic, topic)).next
          expect(lane.start).toBe(3n)
          const batches = yield* Stream.runCollect(Stream.take(lane.batches, 2))
          expect(batches.map(({ gap, next, records }) => [gap, next, records.length])).toEqual([
            ["expired", 7n, 0],
            [undefined, 10n, 3]
          ])
        })
      ))

    it("shares its group with members that want other topics", () =>
      run(
        Effect.gen(function* () {
          const one = yield* benchAt(bootstrap, 2)
          const other = yield* benchAt(bootstrap, 2)
          const group = newName("group")
          const first = yield* join(one.transport, one.topic, group)
          const second = yield* join(other.transport, other.topic, group)
          const lanes = [yield* first.next, yield* first.next, yield* second.next, yield* second.next]
          expect(new Set(lanes.map(({ id }) => id))).toEqual(
            new Set([`${one.topic}/0`, `${one.topic}/1`, `${other.topic}/0`, `${other.topic}/1`])
          )
        })
      ))

    it("hands lanes on while it leaves, and the rest when it is gone", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 2)
          for (const partition of [0, 1]) yield* send(writer, numbered(4), { partition })
          const scope = yield* Scope.make()
          const first = yield* join(transport, topic, topic).pipe(Scope.provide(scope))
          const [one, two] = yield* Effect.all([first.next, first.next]).pipe(Scope.provide(scope))
          yield* first.takeNoMore
          const second = yield* join(yield* another, topic, topic)
          yield* Effect.sleep(1500)
          expect(second.given()).toBe(0)
          yield* one.take(4)
          yield* one.settle(4n)
          yield* one.release
          const taken = yield* second.next
          expect([taken.partition, taken.start]).toEqual([one.partition, 4n])
          yield* two.take(4)
          yield* two.settle(1n)
          yield* Scope.close(scope, Exit.void)
          const last = yield* second.next
          expect([last.partition, last.start]).toEqual([two.partition, 1n])
          expect(reasonOf(yield* Effect.exit(two.settle(3n)))).toBe("LaneLost")
        })
      ))

    it("that leaves while it still joins is not waited for", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic } = yield* benchAt(bootstrap, 1)
          for (const ms of [0, 2, 5, 10, 20, 40]) {
            const other = yield* another
            yield* Effect.scoped(Effect.andThen(join(other, topic, topic), Effect.sleep(ms)))
          }
          using clock = new SleptClock()
          yield* (yield* join(transport, topic, topic)).next
          expect(clock.ms).toBeLessThan(6000)
        })
      ))

    it("is given partitions that a topic gets later", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic } = yield* benchAt(bootstrap, 1)
          const first = yield* join(transport, topic, topic)
          yield* first.next
          yield* addPartitions(bootstrap, topic, 2)
          expect((yield* first.next).partition).toBe(1)
        })
      ))

    it("is told of by bounds in the topic as it is now: with partitions that it got later, and made anew", () =>
      run(
        Effect.gen(function* () {
          const { transport: asked, topic } = yield* benchAt(bootstrap, 1)
          const knownOf = Effect.map(asked.bounds(topic, topic), (rows) => rows.map(({ settled }) => settled))
          expect(yield* knownOf).toEqual([undefined])
          yield* addPartitions(bootstrap, topic, 2)
          yield* waitUntil(
            "the partition is counted",
            Effect.map(knownOf, ({ length }) => length === 2)
          )
          yield* withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [topic] }))
          const anew = yield* another
          yield* anew.ensure({ topic, partitions: 1 })
          yield* send(yield* anew.openWriter(topic), numbered(3))
          const lane = yield* (yield* join(anew, topic, topic)).next
          yield* lane.take(3)
          yield* lane.settle(3n)
          yield* waitUntil(
            "what it settled counts",
            Effect.map(knownOf, ([settled]) => settled === 3n)
          )
        })
      ))

    it("T29 a record that nobody can handle is handed out once, and the group does not start over because of it", () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(bootstrap, 1)
          yield* send(writer, [...numbered(2), { key: "k", value: "poison" }, ...numbered(2, "after")])
          const first = yield* join(transport, topic, topic)
          const lane = yield* first.next
          const values = (yield* lane.take(5)).map(({ value }) => textOf(value))
          expect(values).toEqual(["0", "1", "poison", "after0", "after1"])
          yield* Effect.sleep(1500)
          expect(first.given()).toBe(1)
        })
      ))
  },
  { isConcurrent: true }
)

const withAdmin = (bootstrap: string, work: (admin: Admin) => Promise<unknown>) =>
  Effect.promise(async () => {
    const { Kafka, logLevel } = await import("kafkajs")
    const admin = new Kafka({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await work(admin)
    await admin.disconnect()
  })

const addPartitions = (bootstrap: string, topic: string, count: number) =>
  withAdmin(bootstrap, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }))

/** Lets a broker delete what stands before a position: what retention does after days. */
const deleteBefore = (bootstrap: string, topic: string, position: bigint) =>
  withAdmin(bootstrap, async (admin) => {
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(position) }] })
  })
