/** leat/testing: what leat is tested with, for services and drivers to test themselves with. */
export * from "./FaultTransport.ts"
export * from "./History.ts"
export { batchOf, type PlainRecord } from "../batchOf.ts"
export * from "./PowerLoss.ts"
export * from "./seededRandom.ts"
export * from "./SeededScheduler.ts"
export * from "./TransportSuite.ts"
export * from "./waitUntil.ts"
