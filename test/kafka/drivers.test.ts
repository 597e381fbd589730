import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Exit, Scope, Stream } from "effect"
import { Kafka as Foreign, logLevel, type TopicPartitionOffsetAndMetadata } from "kafkajs"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { batchOf, type Driver, type ReceivedRecord, sendEffect } from "leat/transport"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const sighting = sightingAmong(12)
const partitions = 3

let topics = 0

describeKafka(
  "a topic, and the group of its name, that both drivers use",
  (brokers) => {
    const newTopic = () => `drivers-${Date.now()}-${topics++}`
    const leatAt = (driver: Driver, topic: string, from = "earliest") =>
      Leat.make({
        source: "drivers",
        routes: {
          version: 1,
          clusters: { kafka: { transport: driver.name, brokers, topic: { partitions } } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }],
          subscriptions: [{ match: { stream: "*" }, from, settleEvery: "20 millis" }]
        },
        drivers: [driver]
      })
    const streamAt = (driver: Driver, topic: string, from?: string) =>
      Effect.flatMap(leatAt(driver, topic, from), (leat) => leat.stream(BeaconSighting))

    /** What the group handles through a driver until nothing is left, in the order of the numbers. */
    const handledBy = (driver: Driver, topic: string, from?: string) =>
      Effect.scoped(
        Effect.gen(function* () {
          const handled: Array<number> = []
          const stream = yield* streamAt(driver, topic, from)
          const subscription = yield* stream.handle(topic, ({ inputRef }) =>
            Effect.sync(() => void handled.push(Number(inputRef)))
          )
          yield* subscription.caughtUp
          return handled.toSorted((left, right) => left - right)
        })
      )
    const publish = (driver: Driver, topic: string, from: number, count: number) =>
      Effect.scoped(
        Effect.flatMap(streamAt(driver, topic), (stream) => stream.publishAll(numbers(from, count).map(sighting)))
      )

    const foreign = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING })
    const admin = Effect.acquireRelease(
      Effect.promise(async () => {
        const client = foreign.admin()
        await client.connect()
        return client
      }),
      (client) => Effect.promise(() => client.disconnect())
    )
    /** As the broker has them, by partition. */
    const committed = (topic: string) =>
      Effect.scoped(
        Effect.gen(function* () {
          const client = yield* admin
          const [found] = yield* Effect.promise(() => client.fetchOffsets({ groupId: topic, topics: [topic] }))
          return found?.partitions.map(({ offset, metadata }) => ({ offset, metadata })) ?? []
        })
      )
    /** Commits through another client, as its only member. */
    const commit = (group: string, rows: ReadonlyArray<TopicPartitionOffsetAndMetadata>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => foreign.consumer({ groupId: group, maxWaitTimeInMs: 100 })),
        (consumer) =>
          Effect.promise(async () => {
            const joined = new Promise((resolve) => consumer.on("consumer.group_join", resolve))
            await consumer.subscribe({ topics: rows.map(({ topic }) => topic) })
            await consumer.run({ autoCommit: false, eachMessage: () => Promise.resolve() })
            await joined
            await consumer.commitOffsets([...rows])
          }),
        (consumer) => Effect.promise(() => consumer.disconnect())
      )
    const settledOf = (driver: Driver, topic: string) =>
      Effect.scoped(
        Effect.gen(function* () {
          const stream = yield* streamAt(driver, topic)
          return (yield* stream.bounds(topic)).map(({ settled, end }) => [settled, end])
        })
      )

    it("T44 what the group has settled through one is settled for the other, whoever comes first and however often", () =>
      Effect.runPromise(
        Effect.gen(function* () {
          const topic = newTopic()
          let from = 0
          for (const driver of [kafkajs, confluent, confluent, kafkajs, confluent]) {
            yield* publish(driver, topic, from, 24)
            expect(yield* handledBy(driver, topic)).toEqual(numbers(from, 24))
            from += 24
            for (const asked of [kafkajs, confluent])
              for (const [settled, end] of yield* settledOf(asked, topic)) expect(settled).toBe(end)
          }
        })
      ))

    it("T44 their commits are the same, byte for byte", () =>
      Effect.runPromise(
        Effect.gen(function* () {
          const topic = newTopic()
          yield* publish(kafkajs, topic, 0, 24)
          yield* handledBy(kafkajs, topic)
          const before = yield* committed(topic)
          expect(before).toHaveLength(partitions)
          for (const { metadata } of before) expect(metadata).toMatch(/^leat:partitions=3;topic=[0-9a-f]{32}\0$/)
          yield* publish(kafkajs, topic, 24, 24)
          yield* handledBy(confluent, topic)
          const after = yield* committed(topic)
          expect(after.map(({ metadata }) => metadata)).toEqual(before.map(({ metadata }) => metadata))
          expect(after.map(({ offset }) => Number(offset))).toEqual(before.map(({ offset }) => Number(offset) * 2))
        })
      ))

    const notes = [
      { says: "a commit without the NUL", of: (note: string) => note.replace("\0", "") },
      {
        says: "a commit of before, which does not say how many partitions",
        of: (note: string) => note.replace("partitions=3;", "")
      }
    ]
    const cases = [kafkajs, confluent].flatMap((driver) =>
      notes.map((note) => ({ ...note, driver, name: driver.name }))
    )
    it.each(cases)("$says is believed by $name", ({ driver, of }) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const topic = newTopic()
            yield* publish(driver, topic, 0, 24)
            yield* handledBy(driver, topic)
            const rows = yield* committed(topic)
            const settled = rows.map(({ offset, metadata }, partition) => ({
              topic,
              partition,
              offset,
              metadata: of(metadata ?? "")
            }))
            yield* commit(topic, settled)
            expect((yield* committed(topic)).map(({ metadata }) => metadata)).toEqual(
              settled.map(({ metadata }) => metadata)
            )
            expect(settled[0]?.metadata).not.toBe(rows[0]?.metadata)
            yield* publish(driver, topic, 24, 3)
            expect(yield* handledBy(driver, topic)).toEqual(numbers(24, 3))
          })
        )
      )
    )

    for (const [first, second] of [
      [kafkajs, confluent],
      [confluent, kafkajs]
    ] as const)
      it(`T43 a group begins at the end through ${first.name}, and goes on there through ${second.name}`, () =>
        Effect.runPromise(
          Effect.gen(function* () {
            const topic = newTopic()
            yield* publish(first, topic, 0, 24)
            expect(yield* handledBy(first, topic, "latest")).toEqual([])
            yield* publish(first, topic, 24, 24)
            expect(yield* handledBy(second, topic, "latest")).toEqual(numbers(24, 24))
          })
        ))

    for (const [leaving, coming] of [
      [kafkajs, confluent],
      [confluent, kafkajs]
    ] as const)
      it(`T44 members through ${leaving.name} are replaced by members through ${coming.name} while events come: none is handled again that was settled`, () =>
        Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const topic = newTopic()
              const handled = new Set<number>()
              /** The first position that nobody has settled yet, as it was seen last. */
              const settled = new Map<number, bigint>()
              const again: Array<string> = []
              const join = (driver: Driver) =>
                Effect.gen(function* () {
                  const scope = yield* Scope.make()
                  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
                  let count = 0
                  const stream = yield* Scope.provide(streamAt(driver, topic), scope)
                  const subscription = yield* Scope.provide(
                    stream.handle(topic, ({ inputRef }, { partition, position }) =>
                      Effect.sync(() => {
                        count++
                        if (handled.has(Number(inputRef)) && position < (settled.get(partition) ?? 0n))
                          again.push(`${inputRef} at ${partition}/${position}`)
                        handled.add(Number(inputRef))
                      })
                    ),
                    scope
                  )
                  return { handled: () => count, subscription, leave: Scope.close(scope, Exit.void) }
                })
              const writing = yield* streamAt(leaving, topic)
              let published = 0
              const more = Effect.suspend(() => {
                const batch = numbers(published, 12).map(sighting)
                published += batch.length
                return Effect.andThen(writing.publishAll(batch), Effect.sleep(20))
              })
              const publishing = yield* Effect.forkChild(Effect.forever(more))
              const look = Effect.map(writing.bounds(topic), (rows) => {
                for (const row of rows) if (row.settled !== undefined) settled.set(row.partition, row.settled)
              })
              yield* Effect.forkScoped(Effect.forever(Effect.delay(look, 50)))
              const whenHandles = (what: string, member: { readonly handled: () => number }) =>
                waitUntil(
                  what,
                  Effect.sync(() => member.handled() >= 24),
                  { withinMs: 20_000 }
                )
              const old = [yield* join(leaving), yield* join(leaving)] as const
              for (const member of old) yield* whenHandles("an old member handles", member)
              for (const member of old) {
                const next = yield* join(coming)
                yield* whenHandles("a new member handles", next)
                yield* member.leave
              }
              const last = yield* join(coming)
              yield* whenHandles("the last member handles", last)
              publishing.interruptUnsafe()
              yield* last.subscription.caughtUp
              yield* waitUntil(
                "everything is handled",
                Effect.sync(() => handled.size === published)
              )
              expect(again).toEqual([])
              expect(settled.size).toBeGreaterThan(0)
            })
          )
        ))

    const plain = ({ key, value, headers }: Pick<ReceivedRecord, "key" | "value" | "headers">) => ({
      key: key === null ? null : Array.from(key),
      value: value === null ? null : Array.from(value),
      headers: headers.map(([name, bytes]) => [name, Array.from(bytes)])
    })
    /** Keys, values and headers that a client's conversion to text or to C would change. */
    const odd = (timeMs: number) => {
      const every = Uint8Array.from({ length: 256 }, (_, index) => index)
      const none = new Uint8Array(0)
      const headers = [
        ["every", every],
        ["none", none],
        ["ends", Uint8Array.of(65, 0)],
        ["same", Uint8Array.of(49)],
        ["same", Uint8Array.of(50)]
      ] as const
      const records = [
        { key: every, value: every, headers },
        { key: "ends\0", value: "ends\0" },
        { key: "\0", value: none },
        { key: none, value: "an empty key" },
        { key: null, value: "no key" },
        { key: "grüße", value: null }
      ]
      return batchOf(records.map((record) => ({ ...record, timeMs })))
    }

    it.each(["CreateTime", "LogAppendTime"])("what one writes both read alike, in a topic with %s", (times) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const topic = newTopic()
            const client = yield* admin
            const configEntries = [{ name: "message.timestamp.type", value: times }]
            yield* Effect.promise(() =>
              client.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1, configEntries }] })
            )
            yield* waitUntil(
              "the topic has a leader",
              Effect.promise(() => client.fetchTopicOffsets(topic).catch(() => [])).pipe(
                Effect.map(({ length }) => length > 0)
              ),
              { everyMs: 50 }
            )
            const transports = yield* Effect.forEach([kafkajs, confluent], (driver) =>
              Effect.flatMap(leatAt(driver, topic), (leat) => leat.transport("kafka"))
            )
            const batch = odd(Date.now() - 60_000)
            for (const transport of transports) {
              const writer = yield* transport.openWriter(topic)
              const [run] = yield* sendEffect(writer, 0, batch, 0, batch.count, 10_000)
              expect(run).toMatchObject({ fate: "stored", to: batch.count })
            }
            const read = yield* Effect.forEach(transports, (transport) =>
              Effect.map(Stream.runCollect(transport.read(topic, 0, { fromPosition: 0n })), (batches) =>
                batches.flatMap(({ records }) =>
                  records.map((record) => ({ ...plain(record), position: record.position, timeMs: record.timeMs }))
                )
              )
            )
            const [first = [], second] = read
            expect(second).toEqual(first)
            expect(first).toHaveLength(batch.count * 2)
            const given = Array.from({ length: batch.count }, (_, index) =>
              plain({ key: batch.key(index), value: batch.value(index), headers: batch.headers(index) })
            )
            expect(first).toMatchObject([...given, ...given])
            expect(first.every(({ timeMs }) => timeMs === batch.timeMs(0))).toBe(times === "CreateTime")
          })
        )
      )
    )
  },
  { isConfluent: true, isConcurrent: true }
)
