import { describeKafka } from "@leat/brokers/vitest"
import { kafkajsTransport } from "@leat/kafkajs"
import { Layer } from "effect"
import { TransportSuite, TransportUnderTest } from "leat/testing"

describeKafka(
  "on a real Kafka",
  (bootstrap) => {
    const connect = kafkajsTransport({ brokers: bootstrap.split(",") })
    TransportSuite("kafkajs", Layer.succeed(TransportUnderTest, { connect }))
  },
  { isConcurrent: true }
)
