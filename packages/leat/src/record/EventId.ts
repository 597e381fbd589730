/** The id of an event: the same on every leg, cluster and epoch, and through every retry. */
import { isObject, takes } from "../given/takes.ts"

/**
 * Which event it is: (incarnation, stream, bucket, seq).
 *
 * @example
 * ```ts
 * const { id } = yield* sightings.publish(sighting)
 * id.seq // 204: the 205th event of its bucket in this incarnation
 * ```
 */
export interface EventId {
  /** UUIDv7 of the process that admitted the event, drawn when it opened leat. */
  readonly incarnation: string
  /** Logical stream of the contract: `risk.beacons.sighting`. */
  readonly stream: string
  /** From 0: hash of the key modulo the contract's buckets; in turn, when it is unordered. */
  readonly bucket: number
  /** Gapless per bucket, from 0. */
  readonly seq: number
}

/**
 * The id as text, unique within a source: `0198.../risk.beacons.sighting/17/204`. What stands in `causationId`.
 *
 * @example
 * ```ts
 * const { id } = yield* sightings.publish(sighting)
 * yield* Effect.log(formatEventId(id))
 * ```
 */
export function formatEventId(id: EventId): string {
  takes("formatEventId", "the id of an event", isObject(id), id)
  const { incarnation, stream, bucket, seq } = id
  return `${incarnation}/${stream}/${bucket}/${seq}`
}

const idPattern = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/([^/]+)\/(0|[1-9]\d{0,4})\/(0|[1-9]\d{0,15})$/

/**
 * Reads what `formatEventId` writes, and nothing else: two texts are never one id. Undefined for any other text.
 *
 * @example
 * ```ts
 * parseEventId("0198c1d2-6a00-7000-8000-000000000000/risk.beacons.sighting/17/204")?.seq // 204
 * parseEventId("204") // undefined
 * ```
 */
export function parseEventId(text: string): EventId | undefined {
  if (typeof text !== "string") return undefined
  const [, incarnation, stream, bucket, seq] = idPattern.exec(text) ?? []
  if (incarnation === undefined || stream === undefined || !Number.isSafeInteger(Number(seq))) return undefined
  return { incarnation, stream, bucket: Number(bucket), seq: Number(seq) }
}

/** UUIDv7 (RFC 9562) of a time in epoch milliseconds and 10 random bytes. */
export function uuidV7(timeMs: number, random: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(timeMs / 2 ** 32) & 0xffff)
  view.setUint32(2, timeMs % 2 ** 32)
  bytes.set(random.subarray(0, 10), 6)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** From a table: it is called for each record that is read, and was an eighth of the time from a pull to the handler. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = (at: number) => hexOf[bytes[at] ?? 0] ?? ""
  return (
    `${hex(0)}${hex(1)}${hex(2)}${hex(3)}-${hex(4)}${hex(5)}-${hex(6)}${hex(7)}-${hex(8)}${hex(9)}` +
    `-${hex(10)}${hex(11)}${hex(12)}${hex(13)}${hex(14)}${hex(15)}`
  )
}
