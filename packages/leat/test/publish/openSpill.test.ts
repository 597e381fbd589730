import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { spillTopic } from "../../src/publish/spill/openSpill.js"

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
})
