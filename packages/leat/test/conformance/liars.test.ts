import { Effect, Exit, Layer, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { runCase, transportCases, TransportUnderTest } from "leat/testing"
import type { Lane, ReceivedBatch, Transport, Writer } from "leat/transport"
import { describe, expect, it } from "vitest"

/** A transport that breaks one promise that it declares. */
interface Liar {
  readonly says: string
  readonly lie: (honest: Transport) => Transport
  /** The case that has to find it. */
  readonly foundBy: string
}

const withWriter =
  (lie: (writer: Writer) => Partial<Writer>) =>
  (honest: Transport): Transport => ({
    ...honest,
    openWriter: (topic) => Effect.map(honest.openWriter(topic), (writer) => ({ ...writer, ...lie(writer) }))
  })
const withLane =
  (lie: (lane: Lane) => Partial<Lane>) =>
  (honest: Transport): Transport => ({
    ...honest,
    subscribe: (subscription) => Stream.map(honest.subscribe(subscription), (lane) => ({ ...lane, ...lie(lane) }))
  })
const withBatches =
  (bend: (batch: ReceivedBatch) => ReceivedBatch) =>
  (honest: Transport): Transport => ({
    ...honest,
    read: (topic, partition, range) => Stream.map(honest.read(topic, partition, range), bend)
  })

const liars: ReadonlyArray<Liar> = [
  {
    says: "stored, and forgets the last record",
    lie: withWriter(({ send }) => ({
      send: (partition, batch, from, to, timeoutMs, answer) =>
        to - from === 1
          ? send(partition, batch, from, to, timeoutMs, answer)
          : send(partition, batch, from, to - 1, timeoutMs, (runs) => answer(runs.map((run) => ({ ...run, to }))))
    })),
    foundBy: "what is told stored can be read back as it was, in order"
  },
  {
    says: "stored, whatever came of it",
    lie: withWriter(({ send }) => ({
      send: (partition, batch, from, to, timeoutMs, answer) =>
        send(partition, batch, from, to, timeoutMs, (runs) =>
          answer(runs.map((run) => ({ from: run.from, to: run.to, fate: "stored" })))
        )
    })),
    foundBy: "a record over the limit is refused as TooLarge, and is not stored"
  },
  {
    says: "sent the range, and sends the batch",
    lie: withWriter(({ send }) => ({
      send: (partition, batch, from, to, timeoutMs, answer) =>
        send(partition, batch, 0, batch.count, timeoutMs, () => answer([{ from, to, fate: "stored" }]))
    })),
    foundBy: "a range of a batch is sent, and only that"
  },
  {
    says: "partition 7, and takes another",
    lie: withWriter(({ send, partitions }) => ({
      send: (partition, ...call) => send(partition % partitions, ...call)
    })),
    foundBy: "T10 a partition that does not exist takes nothing"
  },
  {
    says: "fenced, at a position that is none",
    lie: withWriter(() => ({ fence: () => Effect.succeed(0n) })),
    foundBy: "after a fence nothing sent earlier can land, and the end stands behind it"
  },
  {
    says: "deduplicated, and stores whatever comes",
    lie: (honest) => ({
      ...honest,
      capabilities: { ...honest.capabilities, dedupe: { kind: "messageId", windowMs: 1000 } }
    }),
    foundBy: "an event that its partition has taken is told stored, and not stored again"
  },
  {
    says: "null for an empty value",
    lie: withBatches((batch) => ({
      ...batch,
      records: batch.records.map((record) => (record.value?.length === 0 ? { ...record, value: null } : record))
    })),
    foundBy: "keys, values and headers are bytes: none is bent, and empty is not absent"
  },
  {
    says: "headers, and keeps one of each name",
    lie: withBatches((batch) => ({
      ...batch,
      records: batch.records.map((record) => ({ ...record, headers: [...new Map(record.headers)] }))
    })),
    foundBy: "T37 headers of one name are all kept, in order"
  },
  {
    says: "settled, when it was only handed out",
    lie: withLane(({ batches, settle }) => ({ batches: Stream.tap(batches, ({ next }) => settle(next)) })),
    foundBy: "T20 T21 T22 T30 what was handed out and not settled comes again"
  },
  {
    says: "settled, one position too far",
    lie: withLane(({ settle }) => ({ settle: (position) => settle(position + 1n) })),
    foundBy: "T31 a settled position is the first that is not done"
  },
  {
    says: "settled, and does nothing",
    lie: withLane(() => ({ settle: () => Effect.void })),
    foundBy: "T31 a settled position is the first that is not done"
  },
  {
    says: "earliest, and begins at the latest",
    lie: (honest) => ({
      ...honest,
      subscribe: (subscription) => honest.subscribe({ ...subscription, from: "latest" })
    }),
    foundBy: "T23 a new group begins where it is told: at the earliest record"
  },
  {
    says: "one group, and mixes all of them",
    lie: (honest) => ({ ...honest, subscribe: (subscription) => honest.subscribe({ ...subscription, group: "one" }) }),
    foundBy: "groups do not see each other"
  },
  {
    says: "drained, and gives the lane away at once",
    lie: (honest) => ({ ...honest, subscribe: (subscription) => honest.subscribe({ ...subscription, drainMs: 0 }) }),
    foundBy: "T27 a revoked lane ends, may settle once more, and only then goes to the other member"
  },
  {
    says: "lost, and lets the loser settle",
    lie: withLane(({ settle }) => ({ settle: (position) => Effect.ignore(settle(position)) })),
    foundBy: "T38 a member that did not drain in time has lost the lane: it settles nothing more"
  }
]

describe("the conformance suite", () => {
  it.for(liars)("finds a transport that says $says", async ({ lie, foundBy }) => {
    const broker = new MemoryBroker()
    const layer = Layer.succeed(TransportUnderTest, {
      connect: Effect.sync(() => lie(memoryTransport(broker))),
      compact: Effect.sync(() => broker.compact())
    })
    const found = transportCases.find(({ name }) => name === foundBy)
    if (found === undefined) throw new Error(`there is no case "${foundBy}"`)
    expect(Exit.isFailure(await Effect.runPromiseExit(runCase(found, layer, "1 second")))).toBe(true)
  })
})
