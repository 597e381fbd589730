import { Deferred, Effect } from "effect"
import type { ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { SentPartition } from "../../src/publish/sendOn/SendOn.js"
import { Followed } from "../../src/publish/spill/SpillBook.js"
import { SpillPart } from "../../src/publish/spill/Spill.js"
import { SpreadSending } from "../../src/publish/spill/SpreadSending.js"
import { story } from "./stories.js"

/** Records of one older partition; the even positions go to partition 0 now, the odd ones to 1. */
const records = [0n, 1n, 2n, 3n].map((position): ReceivedRecord => ({
  position,
  key: null,
  value: null,
  headers: [],
  timeMs: 0
}))

/** What is asked of the sender of each partition, in order; each send ends when it is let. */
class Senders {
  readonly asked: Array<string> = []
  readonly parts = new Map<number, SentPartition>()
  readonly let = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]

  fence({ partition }: SentPartition): Effect.Effect<void> {
    return Effect.sync(() => void this.asked.push(`fence ${partition}`))
  }

  send(part: SentPartition, some: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    const { partition } = part
    this.asked.push(`send ${partition}: ${some.map(({ position }) => position).join()}`)
    this.parts.set(partition, part)
    return Effect.map(Deferred.await(this.let[partition] ?? Deferred.makeUnsafe<void>()), () =>
      part.ended(some, { ending: "stored" }, true)
    )
  }

  announce({ partition }: SentPartition): Effect.Effect<void> {
    return Effect.sync(() => void this.asked.push(`announce ${partition}`))
  }
}

const spread = () => {
  const senders = new Senders()
  const part = new SpillPart(new Followed())
  const told: Array<string> = []
  const sent: SentPartition = {
    partition: 7,
    writer: { partitions: 2, send: () => undefined, fence: () => Effect.never },
    isOver: false,
    end: 4n,
    doubt: () => undefined,
    ended: (some) => {
      told.push(some.map(({ position }) => position).join())
      part.at = (some.at(-1)?.position ?? -1n) + 1n
    },
    announce: () => undefined,
    refused: () => undefined,
    untold: () => undefined,
    settle: (position) => Effect.sync(() => (told.push(`settle ${position}`), true)),
    stands: () => undefined
  }
  const sending = new SpreadSending({
    sendOn: senders,
    part,
    partitionOf: ({ position }) => Number(position % 2n),
    announce: (to) => void told.push(`announce in ${to}`),
    untold: () => undefined
  })
  return { senders, sent, sending, told }
}

describe("records of an older spill that go to several partitions", () => {
  it("end in the order in which they stand, whichever partition answers first", () => {
    story(
      Effect.gen(function* () {
        const { senders, sent, sending, told } = spread()
        yield* Effect.forkChild(sending.send(sent, records))
        yield* Effect.sleep(10)
        yield* Deferred.succeed(senders.let[1] as Deferred.Deferred<void>, undefined)
        yield* Effect.sleep(10)
        expect(told).toEqual([])
        yield* Deferred.succeed(senders.let[0] as Deferred.Deferred<void>, undefined)
        yield* Effect.sleep(10)
        expect(told).toEqual(["0", "1", "2", "3"])
      })
    )
  })

  it("go to a partition once that was fenced, which is done once", () => {
    story(
      Effect.gen(function* () {
        const { senders, sent, sending } = spread()
        for (const one of senders.let) yield* Deferred.succeed(one, undefined)
        yield* sending.send(sent, records.slice(0, 1))
        yield* sending.send(sent, records.slice(2, 3))
        yield* sending.announce(sent)
        expect(senders.asked).toEqual(["fence 0", "send 0: 0", "send 0: 2", "announce 0"])
      })
    )
  })

  it("are settled up to where all has ended, and no further", () => {
    story(
      Effect.gen(function* () {
        const { senders, sent, sending, told } = spread()
        yield* Effect.forkChild(sending.send(sent, records))
        yield* Effect.sleep(10)
        // The sender of partition 1 stands in front of 3: partition 0 has not ended 0 and 2.
        expect(yield* senders.parts.get(1)?.settle(3n) ?? Effect.succeed(true)).toBe(false)
        expect(told).toEqual(["settle 0"])
      })
    )
  })

  it("that end otherwise than stored are told of where they would have gone", () => {
    story(
      Effect.gen(function* () {
        const { senders, sent, sending, told } = spread()
        yield* Effect.forkChild(sending.send(sent, records))
        yield* Effect.sleep(10)
        senders.parts.get(1)?.announce(records[1] as ReceivedRecord, { ending: "dropped", reason: "Rejected" })
        expect(told).toEqual(["announce in 1"])
      })
    )
  })
})
