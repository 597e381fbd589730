import { type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { kafkajsTransport } from "@leat/kafkajs"
import { Effect, Queue, Result, Schedule, Stream } from "effect"
import { Kafka as KafkajsClient, logLevel } from "kafkajs"
import { waitUntil } from "leat/testing"
import type { Lane, Writer } from "leat/transport"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { Brokers } from "../src/client/Brokers.ts"
import { settingsOf } from "../src/client/Settings.ts"
import { benchAt, newName, numbered, recordsOf, run, send, valuesOf } from "./support/bench.ts"

/** Sends records one by one, each until it is stored: perhaps twice. */
const sendUntilStored = Effect.fnUntraced(function* (writer: Writer, count: number, prefix: string) {
  for (let sent = 0; sent < count;) {
    const told = yield* send(writer, numbered(1, `${prefix}${sent}/`), { withinMs: 2000 })
    if (told.fate === "stored") sent++
    else yield* Effect.sleep(200)
  }
})

await describeOwnKafka("when brokers die", () => {
  let kafka: Kafka
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 3 })
  }, 60_000)
  afterAll(() => kafka.close())
  afterEach(async () => {
    await Promise.all(kafka.nodes.filter(({ isRunning }) => !isRunning).map((node) => node.restart()))
  }, 60_000)

  /** Asks as the driver does. */
  const leadersOf = (topic: string) =>
    Effect.promise(async () => {
      const brokers = new Brokers(settingsOf({ brokers: kafka.bootstrap.split(",") }, () => undefined))
      const found = await brokers.lookUp(topic)
      brokers.close()
      return found.leaders
    })
  const coordinatorOf = async (group: string) => {
    const brokers = new Brokers(settingsOf({ brokers: kafka.bootstrap.split(",") }, () => undefined))
    const link = await brokers.anyLink("ask")
    const { coordinator } = await link.call("GroupCoordinator", { groupId: group }, 5000)
    brokers.close()
    return nodeOf(coordinator.nodeId)
  }
  const nodeOf = (id: number | undefined) => kafka.nodes.find((node) => node.id === id)

  it(
    "T1 T18 each partition says for itself what became of its records while leaders move, and none that is stored is lost",
    () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(kafka.bootstrap, 6)
          const partitions = [0, 1, 2, 3, 4, 5]
          const stored = new Map<number, Array<string>>()
          const maybe = new Map<number, Array<string>>()
          const writing = { isOver: false }
          // As leat does: what was not stored is sent again, what is in doubt is counted.
          const write = Effect.fnUntraced(function* (partition: number) {
            for (let seq = 0; !writing.isOver; seq++) {
              const value = `${partition}/${seq}/`
              const told = yield* send(writer, numbered(3, value), { partition, withinMs: 2000 })
              const into = told.fate === "stored" ? stored : told.fate === "unknown" ? maybe : undefined
              into?.set(partition, [...(into.get(partition) ?? []), `${value}0`, `${value}1`, `${value}2`])
              yield* Effect.sleep(20)
            }
          })
          const writers = yield* Effect.forkScoped(
            Effect.forEach(partitions, write, { concurrency: "unbounded", discard: true })
          )
          yield* Effect.sleep(500)
          const leaders = yield* leadersOf(topic)
          yield* Effect.promise(() => nodeOf(leaders.get(0))?.kill() ?? Promise.resolve())
          // Of three sends that are stored from now on, one at least was made after the leader had died.
          const before = new Map([...stored].map(([partition, values]) => [partition, values.length]))
          yield* waitUntil(
            "every partition goes on",
            Effect.sync(() => partitions.every((one) => (stored.get(one)?.length ?? 0) >= (before.get(one) ?? 0) + 9)),
            { withinMs: 30_000 }
          )
          writing.isOver = true
          yield* waitUntil(
            "the writers have ended",
            Effect.sync(() => writers.pollUnsafe() !== undefined)
          )
          for (const partition of partitions) {
            const values = valuesOf(yield* recordsOf(transport, topic, { fromPosition: 0n }, partition))
            const told = stored.get(partition) ?? []
            expect(told.filter((value) => !values.includes(value))).toEqual([])
            const known = new Set([...told, ...(maybe.get(partition) ?? [])])
            expect(values.filter((value) => !known.has(value ?? ""))).toEqual([])
            expect(new Set(values).size).toBe(values.length)
          }
        })
      ),
    60_000
  )

  it(
    "a subscription goes on when the coordinator of its group and the leader of its partition are gone",
    () =>
      run(
        Effect.gen(function* () {
          const { topic, writer } = yield* benchAt(kafka.bootstrap, 1)
          const reader = yield* kafkajsTransport({ brokers: kafka.bootstrap.split(","), sessionMs: 20_000 })
          const values: Array<string | null> = []
          const positions: Array<bigint> = []
          let lanes = 0
          yield* reader.subscribe({ topic, group: topic, from: "earliest", drainMs: 1000 }).pipe(
            Stream.runForEach((lane) => {
              lanes++
              return lane.batches.pipe(
                Stream.runForEach(({ records, next }) => {
                  values.push(...valuesOf(records))
                  positions.push(...records.map(({ position }) => position))
                  return lane.settle(next)
                }),
                Effect.forkScoped
              )
            }),
            // As leat does: brokers that the test before has killed may still be coming back.
            Effect.retry({ schedule: Schedule.spaced("200 millis"), while: ({ isRetryable }) => isRetryable }),
            Effect.forkScoped
          )
          yield* sendUntilStored(writer, 5, "before")
          yield* waitUntil(
            "the first records have come",
            Effect.sync(() => new Set(values).size === 5),
            { withinMs: 15_000 }
          )
          yield* Effect.promise(async () => (await coordinatorOf(topic))?.kill())
          yield* sendUntilStored(writer, 5, "after")
          yield* waitUntil(
            "the others have come",
            Effect.sync(() => new Set(values).size >= 10),
            { withinMs: 20_000 }
          )
          yield* waitUntil(
            "they are settled",
            Effect.map(reader.bounds(topic, topic), ([first]) => first?.settled === first?.end),
            { withinMs: 15_000 }
          )
          expect(lanes).toBe(1)
          // A send in doubt that is made again may be stored twice; a record is handed out once.
          expect(new Set(positions).size).toBe(positions.length)
        })
      ),
    60_000
  )

  it(
    "who joins a group looks for its coordinator anew when the one that was known is gone",
    () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(kafka.bootstrap, 1)
          yield* send(writer, numbered(5))
          // From now on the transport knows the coordinator.
          yield* transport.bounds(topic, topic)
          yield* Effect.promise(async () => (await coordinatorOf(topic))?.kill())
          const lanes = yield* Queue.unbounded<Lane>()
          yield* transport.subscribe({ topic, group: topic, from: "earliest", drainMs: 1000 }).pipe(
            Stream.runForEach((lane) => Queue.offer(lanes, lane)),
            // As leat does.
            Effect.retry({ schedule: Schedule.spaced("200 millis"), while: ({ isRetryable }) => isRetryable }),
            Effect.forkScoped
          )
          expect((yield* Effect.timeout(Queue.take(lanes), "15 seconds")).start).toBe(0n)
        })
      ),
    30_000
  )

  it(
    "too few replicas are named, and nothing is stored until there are enough",
    () =>
      run(
        Effect.gen(function* () {
          const topic = newName("replicas")
          yield* createWith(kafka.bootstrap, topic, { "min.insync.replicas": "3" })
          const transport = yield* kafkajsTransport({ brokers: kafka.bootstrap.split(",") })
          const writer = yield* transport.openWriter(topic)
          expect((yield* send(writer, numbered(1, "before"))).fate).toBe("stored")
          const leader = (yield* leadersOf(topic)).get(0)
          const [other] = kafka.nodes.filter(({ id }) => id !== leader)
          yield* Effect.promise(() => other?.kill() ?? Promise.resolve())
          yield* waitUntil(
            "the broker misses the replica",
            Effect.map(send(writer, numbered(1, "missing"), { withinMs: 2000 }), (told) => {
              if (told.fate === "stored") throw new Error("stored with two replicas of three")
              return told.fate === "notStored"
            }),
            { withinMs: 20_000 }
          )
          const told = yield* send(writer, numbered(1, "refused"))
          expect([told.fate, told.error?.reason]).toEqual(["notStored", "NotEnoughReplicas"])
          expect(told.error?.isRetryable).toBe(true)
        })
      ),
    60_000
  )

  it(
    "the groups of a topic are all of them, or a failure, while their coordinators are gone",
    () =>
      run(
        Effect.gen(function* () {
          const { transport, topic, writer } = yield* benchAt(kafka.bootstrap, 1)
          yield* send(writer, numbered(3))
          const groups = Array.from({ length: 12 }, (_, index) => `${topic}-${index}`).toSorted()
          yield* settledIn(kafka.bootstrap, topic, groups)
          const asked = Effect.result(transport.groups?.(topic) ?? Effect.die("it cannot tell"))
          const isTold = Effect.map(asked, (told) => {
            if (Result.isSuccess(told)) expect(told.success.toSorted()).toEqual(groups)
            else expect(told.failure.isRetryable).toBe(true)
            return Result.isSuccess(told)
          })
          for (const node of kafka.nodes.slice(0, 1)) {
            const going = yield* Effect.forkScoped(
              Effect.promise(() => node.kill().then(() => node.restart())),
              { startImmediately: true }
            )
            while (going.pollUnsafe() === undefined) {
              yield* isTold
              yield* Effect.sleep(50)
            }
            yield* waitUntil("they are told again", isTold, { withinMs: 30_000 })
          }
        })
      ),
    120_000
  )
})

/** Each of them has settled a position. */
const settledIn = (bootstrap: string, topic: string, groups: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const admin = new KafkajsClient({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    // Each of them joins its group, which takes seconds.
    const partitions = [{ partition: 0, offset: "1" }]
    await Promise.all(groups.map((groupId) => admin.setOffsets({ groupId, topic, partitions })))
    await admin.disconnect()
  })

const createWith = (bootstrap: string, topic: string, config: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    const admin = new KafkajsClient({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1, configEntries }] })
    await admin.disconnect()
  })
