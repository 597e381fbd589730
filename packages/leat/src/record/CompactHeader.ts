/**
 * The header `leat` of the compact wire: `03`, incarnation (16), time (6, epoch ms, big endian), tag of the stream (4, big endian), then
 * bucket, seq and epoch as varints. Of a record that only announces drops: `02`, incarnation (16), tag of the stream (4).
 *
 * The tag is Kafka's murmur2 of the stream's name. With it an id stands for itself: in a topic that several streams share, seen or unseen,
 * no event is a duplicate of another stream's, and no reader takes another stream's events for its own (decision 16).
 */
import { formatUuid } from "./EventId.ts"
import { hash } from "./Key.ts"

/** First byte of an event's header. */
export const formatEvent = 3
/** First byte of a record that only announces drops. */
export const formatMarker = 2

/** Where the fields begin, from the header's first byte. */
export const compactFields = { incarnation: 1, time: 17, tag: 23, numbers: 27 } as const
/** As `compactFields`, of a record that only announces drops, and where its header ends. */
const markerFields = { incarnation: 1, tag: 17, end: 21 } as const
/** Shortest header of an event, in bytes: each number has at least one. */
export const compactBytesMin = 30

const encoder = new TextEncoder()
let streamLast = ""
let tagLast = tagOf("")

/** The tag of a stream, 31 bits. Records that come one after the other are mostly of one stream: its tag is computed once. */
export function streamTag(stream: string): number {
  if (stream !== streamLast) {
    tagLast = tagOf(stream)
    streamLast = stream
  }
  return tagLast
}

/**
 * What stands for a stream's name where only its tag is known, in ids of the compact wire: `#1f09c6d2`.
 *
 * @example
 * ```ts
 * ranges.filter(({ stream }) => stream === "risk.beacons.sighting" || stream === taggedStream("risk.beacons.sighting"))
 * ```
 */
export function taggedStream(stream: string): string {
  return tagText(streamTag(stream))
}

/** As `taggedStream`, of a tag that was read. */
export function tagText(tag: number): string {
  return `#${tag.toString(16).padStart(8, "0")}`
}

/** The tag of the event's header at `at`. */
export function readTag(bytes: Uint8Array, at: number): number {
  return tagAt(bytes, at + compactFields.tag)
}

/** The epoch that the header of an event says; undefined where it does not end as it should. */
export function epochIn(header: Uint8Array): number | undefined {
  let at: number = compactFields.numbers
  // Bucket and seq stand before it.
  for (let field = 0; field < 2; field++) while ((header[at++] ?? 0) >= 128);
  let epoch = 0
  for (let scale = 1; at < header.length; scale *= 128) {
    const byte = header[at++] ?? 0
    epoch += (byte & 127) * scale
    if (byte < 128) return Number.isSafeInteger(epoch) ? epoch : undefined
  }
  return undefined
}

/** The header of a record that announces drops of a stream, by its name or what stands for it, and is no event. */
export function markerOf(incarnation: Uint8Array, stream: string): Uint8Array {
  const bytes = new Uint8Array(markerFields.end)
  bytes[0] = formatMarker
  bytes.set(incarnation, markerFields.incarnation)
  const tag = stream.startsWith("#") ? Number.parseInt(stream.slice(1), 16) : streamTag(stream)
  new DataView(bytes.buffer).setUint32(markerFields.tag, tag)
  return bytes
}

/** Whether the header announces drops of another stream. One that names none, as they were once written, is taken for this stream's. */
export function isOtherMarker(header: Uint8Array, stream: string): boolean {
  return header.length >= markerFields.end && tagAt(header, markerFields.tag) !== streamTag(stream)
}

/** Whose drops a record announces that is no event: publisher, and tag of the stream. Undefined where the header does not say both. */
export function markerOwner(
  header: Uint8Array | undefined
): { readonly incarnation: string; readonly tag: string } | undefined {
  if (header?.[0] !== formatMarker || header.length < markerFields.end) return undefined
  const incarnation = formatUuid(header.subarray(markerFields.incarnation, markerFields.tag))
  return { incarnation, tag: tagText(tagAt(header, markerFields.tag)) }
}

function tagAt(bytes: Uint8Array, from: number): number {
  const low = ((bytes[from + 1] ?? 0) << 16) | ((bytes[from + 2] ?? 0) << 8) | (bytes[from + 3] ?? 0)
  return (bytes[from] ?? 0) * 2 ** 24 + low
}

function tagOf(stream: string): number {
  const { buffer, length } = encoder.encode(stream)
  return hash(new DataView(buffer), length)
}
