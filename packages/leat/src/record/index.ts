/**
 * leat/record: bytes of records and nothing else. A driver's worker loads this in a few milliseconds; all of `leat/transport`
 * brings Effect with it, which takes hundreds.
 */
export { taggedStream } from "./CompactHeader.ts"
export { crc32c } from "./crc32c.ts"
export { EventIdCursor } from "./EventIdCursor.ts"
export { type Header, readHeaders } from "./Headers.ts"
export type { RecordColumns } from "./OutgoingBatch.ts"
