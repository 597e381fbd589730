/** Reads whole messages: where they and their parts end, and what earlier occurrences gave. */
import protobuf, { type Reader } from "protobufjs/minimal.js"
import { MalformedEvent } from "./CodecError.ts"
import { depthMax } from "./depthMax.ts"
import { readEnd } from "./readFields.ts"

/** Reads the fields of a message up to `end`; `depth` is how many messages stand around it. */
export type ReadMessage<T> = (reader: Reader, end: number, depth: number) => T

/** Decodes a whole message; every fault becomes `MalformedEvent`. */
export function decodeWith<T>(name: string, bytes: Uint8Array, read: ReadMessage<T>): T {
  const reader = protobuf.Reader.create(bytes)
  try {
    return read(reader, reader.len, 0)
  } catch (error) {
    if (error instanceof MalformedEvent) throw new MalformedEvent(name, error.offset, error.detail)
    throw new MalformedEvent(name, reader.pos, error instanceof Error ? error.message : String(error))
  }
}

/** The end of a message field that begins here; `depth` is how many messages stand around the one that has the field. */
export function readMessageEnd(reader: Reader, end: number, depth: number): number {
  if (depth + 1 >= depthMax) throw new MalformedEvent("", reader.pos, `messages are more than ${depthMax} deep`)
  return readEnd(reader, end)
}

/**
 * The list that earlier occurrences of the message began, or a new one. It was made by this decoding, so it is added to and
 * not copied: copies would make the time quadratic in the bytes.
 */
export function listSoFar<T>(earlier: ReadonlyArray<T> | undefined): Array<T> {
  return earlier === undefined ? [] : (earlier as Array<T>)
}

/** The map that earlier occurrences of the message began, or a new one. */
export function mapSoFar<K, V>(earlier: ReadonlyMap<K, V> | undefined): Map<K, V> {
  return earlier === undefined ? new Map() : (earlier as Map<K, V>)
}
