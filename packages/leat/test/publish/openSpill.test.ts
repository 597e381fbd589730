import { Effect } from "effect"
import fc from "fast-check"
import { MemoryBroker, memoryTransport } from "leat"
import { describe, expect, it } from "vitest"
import { spilledPartitions, spillTopic } from "../../src/publish/spill/openSpill.js"

/** Names that are made of what could be taken for something else. */
const name = fc.array(fc.constantFrom("a", "1", "2e", "5f", "_", ".", "-", " ", "1.spill"), {
  minLength: 1,
  maxLength: 5
})
const destination = fc.record({
  cluster: name.map((parts) => parts.join("")),
  topic: name.map((parts) => parts.join("")),
  partitions: fc.integer({ min: 1, max: 12 })
})

describe("the topic of a spill", () => {
  it("is named for cluster, topic and partitions", () => {
    expect(spillTopic({ cluster: "main", topic: "shop.orders" }, 8)).toBe("main.shop.orders.8.spill")
    expect(spillTopic({ cluster: "my_main-1", topic: "{stream}" }, 1)).toBe("my_main-1.{stream}.1.spill")
    expect(spillTopic({ cluster: "eu.b", topic: "notes" }, 1)).toBe("eu_2eb.notes.1.spill")
  })

  it("never has the name of another destination's", () => {
    expect(spillTopic({ cluster: "eu", topic: "b.notes" }, 1)).not.toBe(
      spillTopic({ cluster: "eu.b", topic: "notes" }, 1)
    )
    expect(spillTopic({ cluster: "eu.b", topic: "notes" }, 1)).not.toBe(
      spillTopic({ cluster: "eu_2eb", topic: "notes" }, 1)
    )
    fc.assert(
      fc.property(destination, destination, (one, other) => {
        const isSame = one.cluster === other.cluster && one.topic === other.topic && one.partitions === other.partitions
        expect(spillTopic(one, one.partitions) === spillTopic(other, other.partitions)).toBe(isSame)
      }),
      { numRuns: 20_000 }
    )
  })

  it("says of its own destination alone how many partitions there are", async () => {
    const of = (topics: ReadonlyArray<string>, one: { readonly cluster: string; readonly topic: string }) =>
      Effect.runPromise(
        spilledPartitions({ ...memoryTransport(new MemoryBroker()), topics: Effect.succeed(topics) }, one)
      )
    const orders = { cluster: "main", topic: "shop.orders" }
    expect(
      await of(["main.shop.orders.8.spill", "main.shop.orders.8.spill.owner", "main.shop.orders"], orders)
    ).toEqual([8])
    expect(await of(["main.shop.orders.12.spill", "main.shop.orders.8.spill"], orders)).toEqual([12, 8])
    expect(
      await of(["main.shop.orders.new.4.spill", "main.shop.4.spill", "main.shop.orders.04.spill"], orders)
    ).toEqual([])
    const { topics: _, ...silent } = memoryTransport(new MemoryBroker())
    expect(await Effect.runPromise(spilledPartitions(silent, orders))).toEqual([])
    await fc.assert(
      fc.asyncProperty(fc.array(destination, { maxLength: 5 }), destination, async (others, one) => {
        const all = [...others, one].map((each) => spillTopic(each, each.partitions))
        const own = [...others, one].filter(({ cluster, topic }) => cluster === one.cluster && topic === one.topic)
        expect(await of(all, one)).toEqual(own.map(({ partitions }) => partitions))
      })
    )
  })
})
