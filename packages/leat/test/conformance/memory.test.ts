import { Clock, Effect, Exit, Layer } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { faultTransport, runCase, simulate, transportCases, TransportSuite, TransportUnderTest } from "leat/testing"
import { describe, expect, it } from "vitest"

const broker = new MemoryBroker()
const compact = Effect.sync(() => broker.compact())

TransportSuite(
  "memory",
  Layer.succeed(TransportUnderTest, { connect: Effect.sync(() => memoryTransport(broker)), compact })
)

TransportSuite(
  "memory behind a FaultTransport without faults",
  Layer.succeed(TransportUnderTest, {
    connect: Effect.sync(() => faultTransport(memoryTransport(broker), {})),
    compact
  })
)

describe("memory under a wall clock that jumps by up to two days at every look", () => {
  const layer = Layer.succeed(TransportUnderTest, { connect: Effect.sync(() => memoryTransport(broker)), compact })
  it.for(transportCases)("$name", (one) => {
    const jumping = Effect.map(Clock.Clock, (clock): Clock.Clock => {
      let looks = 0
      const wallMs = () => clock.currentTimeMillisUnsafe() + ((looks++ * 7919) % 96) * 3_600_000 - 48 * 3_600_000
      return {
        currentTimeMillisUnsafe: wallMs,
        currentTimeMillis: Effect.sync(wallMs),
        currentTimeNanosUnsafe: () => BigInt(wallMs()) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => BigInt(wallMs()) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      }
    })
    const program = Effect.flatMap(jumping, (clock) => Effect.provideService(runCase(one, layer), Clock.Clock, clock))
    const told = one.applies(memoryTransport(broker).capabilities) ? "passed" : "notDeclared"
    expect(simulate(1, program).exit).toEqual(Exit.succeed(told))
  })
})
