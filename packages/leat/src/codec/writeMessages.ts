/** Writes whole messages, and checks what holds values: messages, lists, maps and oneofs. */
import type { Writer } from "protobufjs/minimal.js"
import { InvalidEvent } from "./CodecError.ts"
import { depthMax } from "./depthMax.ts"

/** Appends the fields of a message; `depth` is how many messages stand around it. */
export type WriteMessage<T> = (message: T, writer: Writer, depth: number) => void

/** Writes an event; `type` is the name its paths begin with. Throws `InvalidEvent`. */
export function encodeWith<T extends object>(type: string, event: T, writer: Writer, write: WriteMessage<T>): void {
  checkMessage(event, type)
  try {
    write(event, writer, 0)
  } catch (error) {
    throw error instanceof InvalidEvent ? error.within(event, type) : error
  }
}

/** Writes a message field of a message at `depth`. */
export function writeMessage<T extends object>(
  writer: Writer,
  tag: number,
  value: T,
  path: string,
  depth: number,
  write: WriteMessage<T>
): void {
  checkMessage(value, path)
  if (depth + 1 >= depthMax) throw new InvalidEvent(path, value, `at most ${depthMax} messages deep`)
  writer.uint32(tag).fork()
  try {
    write(value, writer, depth + 1)
  } catch (error) {
    throw error instanceof InvalidEvent ? error.within(value, path) : error
  }
  writer.ldelim()
}

/** A message must be an object. */
export function checkMessage(value: object, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidEvent(path, value, "a message")
  }
}

/** A repeated field must be an array. */
export function checkList(value: ReadonlyArray<unknown>, path: string): void {
  if (!Array.isArray(value)) throw new InvalidEvent(path, value, "an array")
}

/** A map field must be a `Map`. */
export function checkMap(value: ReadonlyMap<unknown, unknown>, path: string): void {
  if (!(value instanceof Map)) throw new InvalidEvent(path, value, "a Map")
}

/** A oneof that is set must be `{ case, value }`. */
export function checkChoice(value: object, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidEvent(path, value, "an object with case and value")
  }
}

/** A oneof whose `case` is none of its fields. */
export function unknownCase(value: { readonly case: unknown }, path: string): never {
  throw new InvalidEvent(path, value.case, "the name of one of its fields")
}
