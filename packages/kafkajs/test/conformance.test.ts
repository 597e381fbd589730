import { kafkajsTransport } from "@leat/kafkajs"
import { Layer } from "effect"
import { TransportSuite, TransportUnderTest } from "leat/testing"

const brokers = (process.env["TRY_KAFKA"] ?? "").split(",")

TransportSuite("kafkajs", Layer.succeed(TransportUnderTest, { connect: kafkajsTransport({ brokers }) }))
