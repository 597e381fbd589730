import { Cause, Deferred, Effect, Exit, Layer, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { runCase, simulate, transportCases, TransportUnderTest } from "leat/testing"
import type { Lane, PartitionBounds, ReceivedBatch, Transport, Writer } from "leat/transport"
import { describe, expect, it } from "vitest"

/** A transport that breaks one promise that it declares. */
interface Liar {
  readonly says: string
  readonly lie: (honest: Transport) => Transport
  /** The case that has to find it. */
  readonly foundBy: string
  /** What the case says of it. */
  readonly because: RegExp
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

/** Does something to the lanes that there are whenever there is one more subscription. */
const withSubscriptions =
  (joined: (before: ReadonlyArray<Deferred.Deferred<void>>) => Effect.Effect<unknown>) =>
  (honest: Transport): Transport => {
    const given: Array<Deferred.Deferred<void>> = []
    const lanes = withLane(({ revoked }) => {
      const mine = Deferred.makeUnsafe<void>()
      given.push(mine)
      return { revoked: Effect.raceFirst(revoked, Deferred.await(mine)) }
    })(honest)
    return {
      ...lanes,
      subscribe: (subscription) =>
        Stream.unwrap(
          Effect.as(
            Effect.suspend(() => joined([...given])),
            lanes.subscribe(subscription)
          )
        )
    }
  }

const liars: ReadonlyArray<Liar> = [
  {
    says: "stored, and forgets the last record",
    lie: withWriter(({ send }) => ({
      send: (partition, batch, from, to, timeoutMs, answer) =>
        to - from === 1
          ? send(partition, batch, from, to, timeoutMs, answer)
          : send(partition, batch, from, to - 1, timeoutMs, (runs) => answer(runs.map((run) => ({ ...run, to }))))
    })),
    foundBy: "what is told stored can be read back as it was, in order",
    because: /-   'a99'/
  },
  {
    says: "stored, whatever came of it",
    lie: withWriter(({ send }) => ({
      send: (partition, batch, from, to, timeoutMs, answer) =>
        send(partition, batch, from, to, timeoutMs, (runs) =>
          answer(runs.map((run) => ({ from: run.from, to: run.to, fate: "stored" })))
        )
    })),
    foundBy: "a record over the limit is refused as TooLarge, and is not stored",
    because: /\+ 'stored'\n- 'notStored'/
  },
  {
    says: "sent the range, and sends the batch",
    lie: withWriter(({ send }) => ({
      send: (partition, batch, from, to, timeoutMs, answer) =>
        send(partition, batch, 0, batch.count, timeoutMs, () => answer([{ from, to, fate: "stored" }]))
    })),
    foundBy: "a range of a batch is sent, and only that",
    because: /\+   '0',\n\+   '1'/
  },
  {
    says: "partition 7, and takes another",
    lie: withWriter(({ send, partitions }) => ({
      send: (partition, ...call) => send(partition % partitions, ...call)
    })),
    foundBy: "T10 a partition that does not exist takes nothing",
    because: /\+ 'stored'\n- 'notStored'/
  },
  {
    says: "fenced, at a position that is none",
    lie: withWriter(() => ({ fence: () => Effect.succeed(0n) })),
    foundBy: "after a fence nothing sent earlier can land, and the end stands behind it",
    because: /5n !== 0n/
  },
  {
    says: "deduplicated, and stores whatever comes",
    lie: (honest) => ({
      ...honest,
      capabilities: { ...honest.capabilities, dedupe: { kind: "messageId", windowMs: 1000 } }
    }),
    foundBy: "an event that its partition has taken is told stored, and not stored again",
    because: /there already was given a position/
  },
  {
    says: "null for an empty value",
    lie: withBatches((batch) => ({
      ...batch,
      records: batch.records.map((record) => (record.value?.length === 0 ? { ...record, value: null } : record))
    })),
    foundBy: "keys, values and headers are bytes: none is bent, and empty is not absent",
    because: /an empty value is no tombstone/
  },
  {
    says: "headers, and keeps one of each name",
    lie: withBatches((batch) => ({
      ...batch,
      records: batch.records.map((record) => ({ ...record, headers: [...new Map(record.headers)] }))
    })),
    foundBy: "T37 headers of one name are all kept, in order",
    because: /-     '1'/
  },
  {
    says: "settled, when it was only handed out",
    lie: withLane(({ batches, settle }) => ({ batches: Stream.tap(batches, ({ next }) => settle(next)) })),
    foundBy: "T20 T21 T22 T30 what was handed out and not settled comes again",
    because: /record 1 of 10 comes/
  },
  {
    says: "settled, one position too far",
    lie: withLane(({ settle }) => ({ settle: (position) => settle(position + 1n) })),
    foundBy: "T31 a settled position is the first that is not done",
    because: /5n !== 4n/
  },
  {
    says: "settled, and does nothing",
    lie: withLane(() => ({ settle: () => Effect.void })),
    foundBy: "T31 a settled position is the first that is not done",
    because: /undefined !== 4n/
  },
  {
    says: "earliest, and begins at the latest",
    lie: (honest) => ({
      ...honest,
      subscribe: (subscription) => honest.subscribe({ ...subscription, from: "latest" })
    }),
    foundBy: "T23 a new group begins where it is told: at the earliest record",
    because: /record 1 of 3 comes/
  },
  {
    says: "bounds, as it remembers them",
    lie: (honest) => {
      const known = new Map<string, ReadonlyArray<PartitionBounds>>()
      return {
        ...honest,
        bounds: (topic, group) =>
          Effect.map(honest.bounds(topic, group), (bounds) => {
            const found = known.get(topic) ?? bounds
            known.set(topic, found)
            return group === undefined ? found : bounds
          })
      }
    },
    foundBy: "bounds tell the end as it is when they are asked: also of what another connection has just stored",
    because: /the end is told as 0, and was 0 before 2 more/
  },
  {
    says: "the groups of a topic, and forgets those without members",
    lie: (honest) => {
      const joined = new Map<string, number>()
      const counted = (name: string, by: number) =>
        Effect.sync(() => void joined.set(name, (joined.get(name) ?? 0) + by))
      return {
        ...honest,
        subscribe: (subscription) =>
          Stream.unwrap(
            Effect.as(
              Effect.acquireRelease(counted(subscription.group, 1), () => counted(subscription.group, -1)),
              honest.subscribe(subscription)
            )
          ),
        groups: (topic) =>
          Effect.map(honest.groups?.(topic) ?? Effect.succeed([]), (names) =>
            names.filter((name) => (joined.get(name) ?? 0) > 0)
          )
      }
    },
    foundBy:
      "a transport that tells the groups of a topic tells those that have settled there, with members or without, and no other",
    because: /those that have settled there, and no other/
  },
  {
    says: "the groups of a topic, and tells those of all topics",
    lie: (honest) => ({
      ...honest,
      groups: (topic) =>
        Effect.gen(function* () {
          const all = yield* Effect.forEach(yield* honest.topics ?? Effect.succeed([]), (name) =>
            Effect.orElseSucceed(honest.groups?.(name) ?? Effect.succeed([]), () => [])
          )
          yield* honest.groups?.(topic) ?? Effect.void
          return [...new Set(all.flat())]
        })
    }),
    foundBy:
      "a transport that tells the groups of a topic tells those that have settled there, with members or without, and no other",
    because: /those that have settled there, and no other/
  },
  {
    says: "the groups of a topic, also of one that is not there",
    lie: (honest) => ({
      ...honest,
      groups: (topic) => Effect.orElseSucceed(honest.groups?.(topic) ?? Effect.succeed([]), () => [])
    }),
    foundBy: "the groups of a topic that does not exist are not told",
    because: /\+ 'none'\n- 'UnknownTopic'/
  },
  {
    says: "trimmed, and does nothing",
    lie: (honest) => ({ ...honest, trim: () => Effect.void }),
    foundBy: "a trim, where there is one, deletes what stands before a position, and nothing else, for everybody",
    because: /the start is where it was trimmed to/
  },
  {
    says: "trimmed, and still hands it out",
    lie: (honest) => {
      const starts = new Map<string, bigint>()
      return {
        ...honest,
        trim: (topic, partition, before) => Effect.sync(() => void starts.set(`${topic}/${partition}`, before)),
        bounds: (topic, group) =>
          Effect.map(honest.bounds(topic, group), (bounds) =>
            bounds.map((one) => ({ ...one, start: starts.get(`${topic}/${one.partition}`) ?? one.start }))
          )
      }
    },
    foundBy: "a trim, where there is one, deletes what stands before a position, and nothing else, for everybody",
    because: /what stands behind the trim, and only that/
  },
  {
    says: "trimmed, of what is not there",
    lie: (honest) => ({ ...honest, trim: () => Effect.void }),
    foundBy: "a trim of a topic or partition that does not exist fails, and creates nothing",
    because: /\+ 'none'\n- 'UnknownTopic'/
  },
  {
    says: "one group, and mixes all of them",
    lie: (honest) => ({ ...honest, subscribe: (subscription) => honest.subscribe({ ...subscription, group: "one" }) }),
    foundBy: "groups do not see each other",
    because: /a lane is given: not/
  },
  {
    says: "drained, and gives the lane away at once",
    lie: (honest) => ({ ...honest, subscribe: (subscription) => honest.subscribe({ ...subscription, drainMs: 0 }) }),
    foundBy: "T27 a revoked lane ends, may settle once more, and only then goes to the other member",
    because: /given away before it was released/
  },
  {
    says: "lost, and lets the loser settle",
    lie: withLane(({ settle }) => ({ settle: (position) => Effect.ignore(settle(position)) })),
    foundBy: "T38 a member that did not drain in time has lost the lane: it settles nothing more",
    because: /a late settle must fail with LaneLost/
  },
  {
    says: "revoked, to those only who pull",
    lie: withLane(() => ({ revoked: Effect.never })),
    foundBy: "a lane that is not pulled hears of its revocation, and hears it again when asked later",
    because: /told so, whether it is pulled or not/
  },
  {
    says: "revoked, of a lane that is held",
    lie: withLane(() => ({ revoked: Effect.void })),
    foundBy: "a lane that is not pulled hears of its revocation, and hears it again when asked later",
    because: /a lane that is held is told that it is revoked/
  },
  {
    says: "revoked, only once",
    lie: withLane(({ revoked }) => {
      let isTold = false
      const once = Effect.tap(revoked, () =>
        Effect.suspend(() => {
          if (isTold) return Effect.never
          isTold = true
          return Effect.void
        })
      )
      return { revoked: once }
    }),
    foundBy: "a lane that is not pulled hears of its revocation, and hears it again when asked later",
    because: /revoked already says so at once/
  },
  {
    says: "revoked, and hands out what it has left",
    lie: withLane(({ batches, start }) => ({
      batches: Stream.concat(batches, Stream.make({ records: [], next: start + 2000n }))
    })),
    foundBy: "a lane that is full hears of its revocation, and gives nothing more of what was fetched",
    because: /a batch came from a lane that had ended/
  },
  {
    says: "gone, and its lanes do not hear it",
    lie: withLane(({ revoked, settle }) => {
      let isLost = false
      const hears = Effect.andThen(
        revoked,
        Effect.suspend(() => (isLost ? Effect.void : Effect.never))
      )
      return {
        revoked: hears,
        settle: (position) => Effect.tapError(settle(position), () => Effect.sync(() => (isLost = true)))
      }
    }),
    foundBy: "the lanes of a member that has gone are lost, and are told so",
    because: /a lane whose member has gone is told so/
  },
  {
    says: "released, and keeps what nobody took",
    lie: (honest) => ({
      ...honest,
      // Takes all lanes ahead of who takes them from it.
      subscribe: (subscription) => Stream.buffer(honest.subscribe(subscription), { capacity: 16 })
    }),
    foundBy: "a lane that a leaving member has not taken goes to another, while it drains the one that it has",
    because: /a lane that nobody took goes to another member/
  },
  {
    says: "released, and counts it as vanished",
    lie: (honest) => {
      const taken = new Map<string, number>()
      const lanes = withLane((lane) => {
        const abandoned = taken.get(lane.id) ?? 0
        taken.set(lane.id, abandoned + 1)
        return { abandoned }
      })
      return lanes(honest)
    },
    foundBy: "holders that vanish with records in their hands are counted, where that can be told, until one releases",
    because: /\+   3\n-   0/
  },
  {
    says: "how many partitions there would be, and creates them",
    lie: (honest) => ({
      ...honest,
      partitionsOf: (topic) => Effect.scoped(Effect.map(honest.openWriter(topic), ({ partitions }) => partitions))
    }),
    foundBy: "the partitions of a topic, or those it would be created with, are told, and nothing is created",
    because: /the topic was created/
  },
  {
    says: "a topic that keeps everything, and deletes what is old",
    lie: (honest) => ({
      ...honest,
      ensure: ({ retention, ...spec }) =>
        honest.ensure(retention === undefined ? spec : { ...spec, retention: { bytes: 4096 } })
    }),
    foundBy: "a topic that is to keep everything keeps it, and is found to be so",
    because: /a topic that keeps everything is not one with a bound/
  },
  {
    says: "how many partitions there would be, and creates others",
    lie: (honest) => ({
      ...honest,
      partitionsOf: (topic) =>
        honest.bounds(topic).pipe(
          Effect.map((bounds) => bounds.length),
          Effect.orElseSucceed(() => 7)
        )
    }),
    foundBy: "the partitions of a topic, or those it would be created with, are told, and nothing is created",
    because: /4 !== 7/
  },
  {
    says: "one more topic, and revokes the lanes of all",
    lie: withSubscriptions((before) => Effect.forEach(before, (revoked) => Deferred.succeed(revoked, undefined))),
    foundBy: "a group reads more topics while it runs, and no lane that it has is revoked by that",
    because: /a lane was revoked because its group reads another topic/
  },
  {
    says: "another member, and takes it for the same",
    lie: (honest) => {
      const subscribed = new Set<string>()
      return {
        ...honest,
        subscribe: (subscription) =>
          Stream.suspend(() => {
            if (subscribed.has(subscription.topic)) return Stream.never
            subscribed.add(subscription.topic)
            return honest.subscribe(subscription)
          })
      }
    },
    foundBy: "a second subscription to the same topic and group is another member",
    because: /one of the lanes goes to the second member/
  }
]

describe("the conformance suite", () => {
  it.for(liars)("finds a transport that says $says", ({ lie, foundBy, because }) => {
    const broker = new MemoryBroker()
    const layer = Layer.succeed(TransportUnderTest, {
      connect: Effect.sync(() => lie(memoryTransport(broker))),
      compact: Effect.sync(() => broker.compact())
    })
    const found = transportCases.find(({ name }) => name === foundBy)
    if (found === undefined) throw new Error(`there is no case "${foundBy}"`)
    // On virtual time: a case that only hangs is as far from its reason as one that passes.
    const { exit } = simulate(1, runCase(found, layer, "1 hour"))
    const wrong = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    expect(wrong instanceof Error ? wrong.message : String(wrong)).toMatch(because)
  })
})
