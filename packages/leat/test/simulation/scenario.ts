import { Effect } from "effect"
import { MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type FaultPlan, type Scenario, tellStory } from "leat/testing"

export { calm, type Scenario } from "leat/testing"

/** Tells a story over memory; the result is everything that is wrong with it. */
export const tell = (scenario: Scenario, seed: number, plan?: FaultPlan) =>
  Effect.suspend(() => {
    const broker = new MemoryBroker({ partitions: 2 })
    const reader = Effect.sync(() => memoryTransport(broker))
    return tellStory({ driver: memoryDriver(broker), config: {}, reader, withinMs: 180_000 }, scenario, seed, plan)
  })
