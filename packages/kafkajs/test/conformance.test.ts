import { describeKafka } from "@leat/brokers/vitest"
import { kafkajsTransport } from "@leat/kafkajs"
import { Layer } from "effect"
import { faultTransport, TransportSuite, TransportUnderTest } from "leat/testing"
import { Effect } from "effect"

describeKafka("on a real Kafka", (bootstrap) => {
  const connect = kafkajsTransport({ brokers: bootstrap.split(",") })
  TransportSuite("kafkajs", Layer.succeed(TransportUnderTest, { connect }))
  TransportSuite(
    "kafkajs behind a FaultTransport without faults",
    Layer.succeed(TransportUnderTest, { connect: Effect.map(connect, (transport) => faultTransport(transport, {})) })
  )
})
