import type { JsonValue } from "@bufbuild/protobuf"

/** One record as a line of JSON: for reading, and with all that publishing it again needs. */
export interface EventLine {
  readonly topic: string
  /** Of the topic, so that it can be made again. */
  readonly partitions: number
  readonly compacted?: true
  readonly partition: number
  readonly position: number
  /** ISO 8601, and the same in epoch milliseconds, as the log has it. */
  readonly time: string
  readonly timeMs: number
  /** The key as text, where it is text. */
  readonly key?: string
  readonly id?: string
  readonly type?: string
  /** The event in protobuf's JSON. */
  readonly event?: JsonValue
  /** Why there is no event, although there is a value. */
  readonly fault?: string
  /** It is no event: the writer announces what it had to drop. */
  readonly marker?: true
  /** Bytes, in base64; null where the record has none. */
  readonly rawKey: string | null
  readonly headers: ReadonlyArray<readonly [name: string, base64: string]>
  readonly rawValue: string | null
}
