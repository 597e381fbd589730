/** @leat/kafkajs: leat on Kafka, in JavaScript alone. */
export type { KafkaOptions } from "@leat/kafka"
export { kafkajs } from "./KafkajsDriver.ts"
export { kafkajsCapabilities } from "./kafkajsCapabilities.ts"
export { kafkajsTransport } from "./kafkajsTransport.ts"
