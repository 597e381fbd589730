/** leat: the event layer between TypeScript services and the broker behind them. */
export * from "./Admission.ts"
export type { Announcement, LedgerStore } from "./Announcement.ts"
export type { Contract, ContractInfo, Key, Need } from "./Contract.ts"
export { type EventId, formatEventId, parseEventId } from "./EventId.ts"
export { Leat, type LeatOptions, type OpenLeat, type SinkFill } from "./Leat.ts"
export type { Journal, LedgerSnapshot, LegRow, Place, ReadRow, StreamRow } from "./Ledger.ts"
export { memory, memoryDriver, memoryTransport, MemoryBroker } from "./MemoryTransport.ts"
export * as Policy from "./Policy.ts"
export { type JsonValue, maskEvent, printEvent } from "./printEvent.ts"
export { type Leg, type Route, RouteError, type RouteFault, routeJsonSchema, Routes } from "./Routes.ts"
export type { HaltedLane } from "./Sink.ts"
export { CurrentDelivery, type DeliveryInfo, type HaltedReadLane } from "./Delivery.ts"
export type {
  Delivery,
  EventStream,
  HandleBatchOptions,
  HandleOptions,
  Level,
  PublishOptions,
  Receipt,
  ReceiptAll,
  Subscription
} from "./Stream.ts"
export type { Driver, From } from "./Transport.ts"
export { TransportError } from "./TransportError.ts"
export type { Outcome } from "./Waiter.ts"
export { type EventContext, readMeta, type RecordMeta } from "./Wire.ts"
