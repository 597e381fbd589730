/** leat: the event layer between TypeScript services and the broker behind them. */
export * from "./publish/Admission.ts"
export type { Announcement, LedgerStore } from "./transport/Announcement.ts"
export type { Contract, ContractInfo, Key, Need } from "./contract/Contract.ts"
export { type EventId, formatEventId, parseEventId } from "./record/EventId.ts"
export { Leat, type LeatOptions, type OpenLeat, type SinkFill } from "./Leat.ts"
export type { Journal, LedgerSnapshot, LegRow, Place, ReadRow, StreamRow } from "./ledger/Ledger.ts"
export { memory, memoryDriver, memoryTransport, MemoryBroker } from "./transport/memory/MemoryTransport.ts"
export * as Policy from "./Policy.ts"
export { type JsonValue, maskEvent, printEvent } from "./contract/printEvent.ts"
export { type Leg, type Route, RouteError, type RouteFault, routeJsonSchema, Routes } from "./routes/Routes.ts"
export type { HaltedLane } from "./publish/Sink.ts"
export { CurrentDelivery, type DeliveryInfo, type HaltedReadLane } from "./consume/DeliveryInfo.ts"
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
export type { Driver, From } from "./transport/index.ts"
export { TransportError } from "./transport/TransportError.ts"
export type { Outcome } from "./ledger/Waiter.ts"
export { type EventContext, readMeta, type RecordMeta } from "./record/Wire.ts"
