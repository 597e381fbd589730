/** @leat/confluent: leat's driver for Kafka, on librdkafka. */
export { confluent } from "./ConfluentDriver.ts"
export { confluentCapabilities, type ConfluentOptions, confluentTransport } from "./ConfluentTransport.ts"
