import { describeKafka } from "@leat/brokers/vitest"
import { confluentTransport } from "@leat/confluent"
import { Layer } from "effect"
import { TransportSuite, TransportUnderTest } from "leat/testing"

describeKafka(
  "@leat/confluent on a real Kafka",
  (bootstrap) => {
    const brokers = bootstrap.split(",")
    for (const positions of [false, true]) {
      TransportSuite(
        positions ? "confluent with positions" : "confluent",
        Layer.succeed(TransportUnderTest, { connect: confluentTransport({ brokers, positions }) })
      )
    }
  },
  { isConfluent: true, isConcurrent: true }
)
