/** leat: the event layer between TypeScript services and the broker behind them. */
export * from "./publish/Admission.ts"
export type { Announcement, LedgerStore } from "./transport/Announcement.ts"
export type { Contract, ContractInfo, Key, Need } from "./contract/Contract.ts"
export * as Audit from "./audit/Audit.ts"
export * as DeadLetters from "./deadLetters/DeadLetters.ts"
export { type EventId, formatEventId, parseEventId } from "./record/EventId.ts"
export { Leat } from "./Leat.ts"
export type { LeatOptions, OpenLeat, SinkFill } from "./OpenLeat.ts"
export type { RoutesFile } from "./routes/RoutesFile.ts"
export * as ControlTools from "./control/ControlTools.ts"
export * as MoveTools from "./moves/MoveTools.ts"
export { ControlError, type ControlReason } from "./control/ControlError.ts"
export type { AppliedTable, ControlStatus } from "./control/ControlledRoutes.ts"
export type { FleetProcess, PastDocument } from "./control/fleet.ts"
export type { Control, ControlOptions } from "./routesSource.ts"
export type { LedgerView } from "./loss/ledgerView.ts"
export type { Burn, LossState, ObjectiveRow } from "./ledger/ObjectiveRow.ts"
export type { LedgerWindow, LegWindow, StreamWindow } from "./ledger/Windows.ts"
export type { Journal, LedgerSnapshot, LegRow, Place, ReadRow, StreamRow } from "./ledger/Ledger.ts"
export { memory, memoryDriver, memoryTransport, MemoryBroker } from "./transport/memory/MemoryTransport.ts"
export * as Policy from "./Policy.ts"
export { dateOf, timestampOf } from "./codec/timestamps.ts"
export { type JsonValue, maskEvent, printEvent } from "./contract/printEvent.ts"
export {
  type Leg,
  type Objective,
  type Route,
  RouteError,
  type RouteFault,
  routeJsonSchema,
  Routes
} from "./routes/Routes.ts"
export {
  type LegChange,
  type PlannedPlaces,
  type PlannedStream,
  planRoutes,
  type RoutePlan,
  type StreamChange
} from "./routes/planRoutes.ts"
export type { HaltedLane } from "./publish/LaneHome.ts"
export type { BreakerView } from "./publish/SinkBreaker.ts"
export { CurrentDelivery, type DeliveryInfo } from "./consume/DeliveryInfo.ts"
export { type FailedPart, PartlyFailed } from "./consume/PartlyFailed.ts"
export * as Inbox from "./consume/Inbox.ts"
export { NotCaughtUp } from "./consume/NotCaughtUp.ts"
export type { HaltedReadLane } from "./consume/SourceOptions.ts"
export type { StoredEvent, StoredGap, StoredInfo, StoredRange } from "./consume/storedRanges.ts"
export type { EventStream } from "./Stream.ts"
export type {
  Delivery,
  HandleBatchOptions,
  HandleOptions,
  SubscribeOptions,
  Subscription
} from "./consume/Subscription.ts"
export type { Level, PublishOptions, Receipt, ReceiptAll } from "./publish/Receipt.ts"
export type { Driver, From } from "./transport/index.ts"
export { TransportError } from "./transport/TransportError.ts"
export type { Outcome } from "./ledger/Waiter.ts"
export type { EventCause, EventContext } from "./record/ContextHeaders.ts"
export { WrongArgument } from "./given/takes.ts"
export { readMeta, type RecordMeta } from "./record/Wire.ts"
