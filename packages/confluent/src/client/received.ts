/** Messages of the client as leat's records. */
import type { ReceivedBatch, ReceivedRecord, TransportError } from "leat/transport"
import type { ClientMessage } from "./client.ts"
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

/**
 * A batch of one partition. A missing offset was compacted, is a control record, or belongs to an aborted transaction; the client does not
 * say which, and compaction is the most common.
 */
export function batchOfMessages(messages: ReadonlyArray<ClientMessage>, from: number, next: number): ReceivedBatch {
  const records = messages.map((message) => recordOf(message))
  const isComplete = next - from === records.length
  return { records, next: BigInt(next), ...(isComplete ? {} : { gap: "compacted" as const }) }
}

/** T36: a position as a number, which the client requires. */
export function offsetOf(position: bigint, operation: string): number | TransportError {
  if (position >= 0n && position <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(position)
  const detail = `position ${position} is not between 0 and 2^53 - 1, which is what this client can express`
  return failure("Unsupported", operation, detail)
}
