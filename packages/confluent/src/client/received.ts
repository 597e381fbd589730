/** Messages of the client as leat's records. */
import type { ReceivedBatch, ReceivedRecord, TransportError } from "leat/transport"
import type { ClientMessage, Consumer } from "./client.ts"
import { failure } from "./failure.ts"

export function recordOf({ offset, key, value, headers, timestamp }: ClientMessage): ReceivedRecord {
  return {
    position: BigInt(offset),
    key,
    value,
    headers: headers === undefined ? [] : headers.map((header) => headerOf(header)),
    timeMs: timestamp
  }
}

/** Each header is an object of its own with one property. */
function headerOf(header: object): readonly [name: string, value: Uint8Array] {
  for (const [name, value] of Object.entries(header)) {
    return [name, value instanceof Uint8Array ? value : Buffer.from(String(value ?? ""))]
  }
  // The client assigns the property, so a header of this name sets the object's prototype.
  const value: unknown = Object.getPrototypeOf(header)
  return ["__proto__", value instanceof Uint8Array ? value : new Uint8Array(0)]
}

/** The first offset of a partition that was kept at the last fetch; negative where that is not known. */
export function firstOffset(consumer: Consumer, topic: string, partition: number): number {
  try {
    return consumer.getWatermarkOffsets(topic, partition).lowOffset
  } catch {
    return -1
  }
}

/** Whether offsets of [from, next) are missing. */
export function hasHole(messages: ReadonlyArray<ClientMessage>, from: number, next: number): boolean {
  return next - from !== messages.length
}

/**
 * A partition from an offset on, as one batch or two. When offsets have expired, librdkafka goes on at the first one that is kept, without a
 * word. So what is missing below `kept`, the first offset that was kept then or later, is told as expired.
 */
export function batchesOfMessages(
  messages: ReadonlyArray<ClientMessage>,
  from: number,
  next: number,
  kept: number
): readonly [ReceivedBatch, ReceivedBatch?] {
  const border = Math.min(kept, next)
  const before = messages.filter(({ offset }) => offset < border)
  if (border <= from || !hasHole(before, from, border)) return [batchOfMessages(messages, from, next)]
  const expired = { records: before.map((message) => recordOf(message)), next: BigInt(border), gap: "expired" } as const
  return border === next ? [expired] : [expired, batchOfMessages(messages.slice(before.length), border, next)]
}

/**
 * A batch of one partition. A missing offset was compacted, is a control record, or belongs to an aborted transaction; the client does not
 * say which, and compaction is the most common.
 */
function batchOfMessages(messages: ReadonlyArray<ClientMessage>, from: number, next: number): ReceivedBatch {
  const records = messages.map((message) => recordOf(message))
  return { records, next: BigInt(next), ...(hasHole(messages, from, next) ? { gap: "compacted" as const } : {}) }
}

/** T36: a position as a number, which the client requires. */
export function offsetOf(position: bigint, operation: string): number | TransportError {
  if (position >= 0n && position <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(position)
  const detail = `position ${position} is not between 0 and 2^53 - 1, which is what this client can express`
  return failure("Unsupported", operation, detail)
}
