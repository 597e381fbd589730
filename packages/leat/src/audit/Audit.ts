/**
 * Whether anything is missing in a topic, on every transport: nothing but its records is needed, because each event carries the number that
 * its publisher gave it. `leat` exports this module as `Audit`; on the command line it is `leat audit`.
 *
 * @example
 * ```ts
 * import { Audit } from "leat"
 *
 * const transport = yield* leat.transport("main")
 * const report = yield* Audit.topic(transport, "shop.orders", { group: "billing" })
 * if (report.missing > 0) console.error(report.missingRanges)
 * ```
 */
export type { AuditedTransport } from "./auditPlaces.ts"
export type { AuditReport, AuditWindow, GonePublisher, GroupAudit } from "./AuditReport.ts"
export { type AuditedRange, stream, type StreamAuditOptions } from "./auditStream.ts"
export { type AuditTool, streamOfFleet } from "./auditOfFleet.ts"
export { type AuditOptions, topic } from "./auditTopic.ts"
export { shadow, type ShadowPlace, type ShadowReport, type ShadowSettings, type ShadowWindow } from "./shadowTopic.ts"
export type { ShadowFinding } from "./ShadowLedger.ts"
export type { AuditedLedger, SequenceRange } from "./SequenceAudit.ts"
