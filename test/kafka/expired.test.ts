import { describeKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { kafkajsTransport } from "@leat/kafkajs"
import { Effect, Option, Stream } from "effect"
import { Kafka as Foreign, logLevel } from "kafkajs"
import { batchOf, type ReceivedBatch, sendEffect, type Transport } from "leat/transport"
import { expect, it } from "vitest"

const count = 6000
/** The first record that is kept in the end. */
const kept = 5900
/** 24 MB of them: more than any client has fetched before the second pull. */
const value = "x".repeat(4000)
const batch = batchOf(Array.from({ length: 250 }, () => ({ key: "k", value })))

let topics = 0

/** What was told of each position: its record is `read`, or why it is missing. */
class Told {
  readonly #of: Array<string> = []

  add({ records, next, gap }: ReceivedBatch): void {
    for (let index = 0; index < records.length; index++) this.#of[Number(records[index]?.position)] = "read"
    for (let at = 0; at < Number(next); at++) this.#of[at] ??= gap ?? "nothing was said"
  }

  get count(): number {
    return this.#of.length
  }

  /** Runs of positions of which the same was told, as `what from`. */
  get runs(): ReadonlyArray<string> {
    return this.#of.flatMap((what, at) => (at === 0 || this.#of[at - 1] !== what ? [`${what} ${at}`] : []))
  }
}

for (const [name, open] of [
  ["@leat/kafkajs", kafkajsTransport],
  ["@leat/confluent", confluentTransport]
] as const)
  describeKafka(
    `records that are deleted between two pulls, through ${name}`,
    (brokers) => {
      /** What `take` is told of a new topic, by runs. */
      const told = (
        take: (transport: Transport, topic: string, expire: Effect.Effect<void>) => Effect.Effect<Told, unknown>
      ): Promise<ReadonlyArray<string>> =>
        Effect.gen(function* () {
          const topic = `expired-${Date.now()}-${topics++}`
          const transport = yield* open({ brokers: brokers.split(",") })
          yield* transport.ensure({ topic, partitions: 1 })
          const writer = yield* transport.openWriter(topic)
          for (let sent = 0; sent < count; sent += batch.count)
            expect(yield* sendEffect(writer, 0, batch, 0, batch.count, 30_000)).toMatchObject([{ fate: "stored" }])
          const expire = Effect.promise(async () => {
            const admin = new Foreign({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).admin()
            await admin.connect()
            // It knows the leaders of a topic by this.
            await admin.fetchTopicOffsets(topic)
            await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(kept) }] })
            await admin.disconnect()
          })
          const all = yield* take(transport, topic, expire)
          expect(all.count).toBe(count)
          return all.runs
        }).pipe(Effect.scoped, Effect.runPromise)

      /** Takes all batches, and has records deleted when the first of them has come. */
      const takeAll = <E, R>(batches: Stream.Stream<ReceivedBatch, E, R>, expire: Effect.Effect<void>) =>
        Effect.gen(function* () {
          const all = new Told()
          yield* batches.pipe(
            Stream.tap((one) => {
              const isFirst = all.count === 0
              all.add(one)
              return isFirst ? expire : Effect.void
            }),
            Stream.takeUntil(({ next }) => next >= BigInt(count)),
            Stream.runDrain
          )
          return all
        })

      // What was fetched before is read all the same.
      const expected = ["read 0", expect.stringMatching(/^expired /), `read ${kept}`]

      it("are told as expired in a range that is read, and the rest of it comes", async () => {
        const runs = await told((transport, topic, expire) =>
          takeAll(transport.read(topic, 0, { fromPosition: 0n, toPosition: BigInt(count) }), expire)
        )
        expect(runs).toEqual(expected)
      })

      it("are told as expired to a group that runs, and the rest comes", async () => {
        const runs = await told((transport, topic, expire) =>
          transport.subscribe({ topic, group: topic, from: "earliest", drainMs: 5000 }).pipe(
            Stream.take(1),
            Stream.mapEffect((lane) => takeAll(lane.batches, expire)),
            Stream.runHead,
            Effect.map(Option.getOrThrow),
            Effect.scoped
          )
        )
        expect(runs).toEqual(expected)
      })
    },
    { isConfluent: name === "@leat/confluent" }
  )
