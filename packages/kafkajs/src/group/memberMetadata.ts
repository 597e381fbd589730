/**
 * The metadata that members of a group exchange through the coordinator: subscribed topics, held partitions (KIP-429), and assignments. Layout
 * and protocol name are those of Kafka's own clients, so a group may have other cooperative clients as members.
 */
import { BytesReader } from "../protocol/BytesReader.ts"

export const protocolName = "cooperative-sticky"

/** Partitions by topic. */
export type Partitions = ReadonlyMap<string, ReadonlyArray<number>>

export interface MemberMetadata {
  readonly topics: ReadonlyArray<string>
  /** Partitions that the member has not released. */
  readonly held: Partitions
  /** Generation of their assignment; -1: unknown. Of two claims the higher generation is right. */
  readonly generation: number
}

/** Version 1 of the subscription. The generation is in the user data, as with Java's assignor of this name. */
export function writeMemberMetadata({ topics, held, generation }: MemberMetadata): Buffer {
  const user = Buffer.alloc(4)
  user.writeInt32BE(generation)
  return Buffer.concat([
    int16(1),
    int32(topics.length),
    ...topics.map(string),
    int32(user.length),
    user,
    partitionsOf(held)
  ])
}

export function readMemberMetadata(bytes: Buffer): MemberMetadata {
  const reader = new BytesReader(bytes)
  const version = reader.int16()
  const topics = reader.array(() => reader.string() ?? "")
  const user = reader.block()
  const held = version >= 1 ? readPartitions(reader) : new Map<string, ReadonlyArray<number>>()
  if (version >= 2) return { topics, held, generation: reader.int32() }
  return { topics, held, generation: user?.length === 4 ? user.readInt32BE(0) : -1 }
}

export function writeAssignment(given: Partitions): Buffer {
  return Buffer.concat([int16(1), partitionsOf(given), int32(0)])
}

/** Empty if nothing was assigned. */
export function readAssignment(bytes: Buffer | null): Partitions {
  if (bytes === null || bytes.length < 2) return new Map()
  const reader = new BytesReader(bytes, 2)
  return readPartitions(reader)
}

const readPartitions = (reader: BytesReader): Partitions =>
  new Map(reader.array(() => [reader.string() ?? "", reader.array(() => reader.int32())] as const))

function partitionsOf(of: Partitions): Buffer {
  const rows = Array.from(of, ([topic, partitions]) =>
    Buffer.concat([string(topic), int32(partitions.length), ...partitions.map(int32)])
  )
  return Buffer.concat([int32(rows.length), ...rows])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([int16(bytes.length), bytes])
}
