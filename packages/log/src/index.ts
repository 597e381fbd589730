/** @leat/log: the durable embedded transport, on the SQLite that is built into Node. */
export { inspectLog } from "./inspectLog.ts"
export type { LedgerOwner } from "./ledger/ledgerFile.ts"
export { ledgerStore } from "./ledger/ledgerStore.ts"
export { type AnnouncedLedger, type CrashLoss, type Ledgers, readLedgers } from "./ledger/readLedgers.ts"
export { log } from "./LogDriver.ts"
export type {
  GroupInspection,
  LaneInspection,
  LogInspection,
  MemberInspection,
  PartitionInspection,
  QuarantineInspection,
  TopicInspection
} from "./LogInspection.ts"
export { type LogReader, readLog } from "./readLog.ts"
export { logCapabilities, type LogOptions } from "./LogOptions.ts"
export { type LogTransport, logTransport } from "./LogTransport.ts"
