import { Buffer } from "node:buffer"
import type { JsonValue } from "@bufbuild/protobuf"
import { Peer } from "./Peer.ts"
import type { Program } from "./programs/Program.ts"

/** A header as others see it; Kafka knows headers without a value. */
export type ForeignHeader = readonly [name: string, value: Buffer | null]

/** What others make of a record: bytes, and the value parsed with nothing but the .proto, in protobuf's JSON mapping. */
export interface ForeignRecord {
  readonly partition: number
  readonly offset: number
  /** Epoch milliseconds. */
  readonly timeMs: number
  readonly key: Buffer | null
  readonly headers: ReadonlyArray<ForeignHeader>
  /** Null: a tombstone. */
  readonly value: JsonValue
}

/** What others are to publish: fields of a message by their names in the .proto. */
export interface ForeignEvent {
  readonly key: Uint8Array | null
  /** Null: a tombstone. */
  readonly value: JsonValue
  readonly headers?: ReadonlyArray<ForeignHeader>
}

/** A Kafka client that is not of this language. */
export interface ForeignClient {
  /** All that a topic holds, partition by partition; the values are messages of the type with this full name. */
  readonly read: (topic: string, type: string) => Promise<ReadonlyArray<ForeignRecord>>
  /** Publishes in this order, and waits until all is stored; the client's own partitioner, or the one named. */
  readonly write: (
    topic: string,
    type: string,
    events: ReadonlyArray<ForeignEvent>,
    partitioner?: string
  ) => Promise<void>
  readonly close: () => Promise<void>
}

interface WireRecord extends Omit<ForeignRecord, "key" | "headers"> {
  readonly key: string | null
  readonly headers: ReadonlyArray<readonly [name: string, value: string | null]>
}

/** `Peer.java` or `peer.py`: bytes go back and forth as base64. */
export class PeerClient implements ForeignClient {
  readonly #peer: Peer

  constructor(program: Program, bootstrap: string, descriptorSet: string) {
    this.#peer = new Peer(program, [bootstrap, descriptorSet])
  }

  async read(topic: string, type: string): Promise<ReadonlyArray<ForeignRecord>> {
    const { records } = await this.#peer.ask<{ readonly records: ReadonlyArray<WireRecord> }>({
      do: "read",
      topic,
      type
    })
    const read = records.map(({ key, headers, ...record }) => ({
      ...record,
      key: bytesOf(key),
      headers: headers.map(([name, value]) => [name, bytesOf(value)] as const)
    }))
    return read.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
  }

  async write(topic: string, type: string, events: ReadonlyArray<ForeignEvent>, partitioner?: string): Promise<void> {
    const records = events.map(({ key, value, headers = [] }) => ({
      key: base64Of(key),
      value,
      headers: headers.map(([name, bytes]) => [name, base64Of(bytes)])
    }))
    await this.#peer.ask({ do: "write", topic, type, records, ...(partitioner === undefined ? {} : { partitioner }) })
  }

  close(): Promise<void> {
    return this.#peer.close()
  }
}

const bytesOf = (base64: string | null) => (base64 === null ? null : Buffer.from(base64, "base64"))
const base64Of = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString("base64"))
