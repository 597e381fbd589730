import { Effect, Layer } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { faultTransport, TransportSuite, TransportUnderTest } from "leat/testing"

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
