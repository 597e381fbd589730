/** A stream that is moved by hand: its control stream as a list of states, its writers, and raw reads of where it lay. For tests of readers. */
import { Clock, Effect, Stream } from "effect"
import { formatEventId, MemoryBroker, memoryTransport } from "leat"
import { batchOf, type PlainRecord, sendEffect, type Transport } from "leat/transport"
import protobuf from "protobufjs/minimal.js"
import { apply, type Control, emptyControl } from "../../src/control/Control.ts"
import type { ControlRecord, Place, Positions } from "../../src/control/ControlRecord.ts"
import type { Placement } from "../../src/control/Placement.ts"
import { compactFields, formatEvent, markerOf, streamTag } from "../../src/record/CompactHeader.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { noteContract } from "../contracts/Note.ts"

export const contract = noteContract()
export const { stream } = contract

/** Two that write, by the last digit of their incarnations. */
export type WriterName = 0 | 1

export interface Sent {
  readonly writer: WriterName
  readonly key: number
  readonly seq: number
}

export interface Written extends Sent {
  /** Undefined: the record says none. */
  readonly epoch: number | undefined
  readonly wire: "compact" | "cloudevents"
}

export interface RawRecord {
  readonly topic: string
  readonly partition: number
  readonly position: number
  readonly epoch: number | undefined
  /** `writer/key/seq`; undefined: it is no event. */
  readonly event: string | undefined
  readonly timeMs: number
}

const incarnationOf = (writer: WriterName) => Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? writer + 1 : 7))
const textOf = (bytes: Uint8Array) => {
  const hex = Buffer.from(bytes).toString("hex")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}

const varint = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]

/** As the wires are described, and not by the code that writes them. */
function headersOf({ writer, key, seq, epoch, wire }: Written): NonNullable<PlainRecord["headers"]> {
  const incarnation = incarnationOf(writer)
  if (epoch === undefined) return []
  if (wire === "cloudevents") {
    const id = formatEventId({ incarnation: textOf(incarnation), stream, bucket: key, seq })
    return [
      ["ce_id", Buffer.from(id)],
      ["ce_leatepoch", Buffer.from(`${epoch}`)]
    ]
  }
  const header = new Uint8Array([
    ...Array(compactFields.numbers).fill(0),
    ...varint(key),
    ...varint(seq),
    ...varint(epoch)
  ])
  header[0] = formatEvent
  header.set(incarnation, compactFields.incarnation)
  new DataView(header.buffer).setUint32(compactFields.tag, streamTag(stream))
  return [["leat", header]]
}

export const recordOf = (one: Written): PlainRecord => {
  const writer = protobuf.Writer.create()
  contract.encodeInto({ key: `${one.key}`, text: `${one.writer}/${one.key}/${one.seq}` }, writer)
  return { key: `${one.key}`, value: writer.finish(), headers: headersOf(one) }
}

export class MovedStream {
  /** What the control stream says, record by record. */
  readonly states: Array<Control> = [emptyControl]
  readonly #listeners = new Set<() => void>()
  readonly brokers: ReadonlyMap<string, MemoryBroker>

  constructor(places: Iterable<Place>) {
    const brokers = new Map<string, MemoryBroker>()
    for (const { cluster, topic, partitions } of places) {
      const broker = brokers.get(cluster) ?? new MemoryBroker()
      broker.ensure({ topic, partitions })
      brokers.set(cluster, broker)
    }
    this.brokers = brokers
  }

  transport(cluster: string): Transport {
    const broker = this.brokers.get(cluster)
    if (broker === undefined) throw new Error(`no cluster ${cluster}`)
    return memoryTransport(broker)
  }

  get control(): Control {
    return this.states.at(-1) ?? emptyControl
  }

  get placement(): Placement {
    const placement = this.control.streams.get(stream)
    if (placement === undefined) throw new Error("the stream is not placed")
    return placement
  }

  get step(): number {
    return this.placement.step
  }

  /** Writes a record; it has to count. */
  say(record: ControlRecord): void {
    const next = apply(this.control, record)
    if (next === this.control) throw new Error(`a ${record.kind} does not count`)
    this.states.push(next)
    for (const heard of this.#listeners) heard()
  }

  listen(heard: () => void): () => void {
    this.#listeners.add(heard)
    return () => this.#listeners.delete(heard)
  }

  place(place: Place, epoch = 1): void {
    this.say({ kind: "placed", stream, base: this.control.version, place, epoch })
  }

  direct(place: Place): void {
    this.say({ kind: "table", base: this.control.version, document: "", places: new Map([[stream, place]]) })
  }

  append({ cluster, topic, partitions }: Place, ...records: ReadonlyArray<Written>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const clock = yield* Clock.Clock
      const writer = yield* this.transport(cluster).openWriter(topic)
      for (const one of records) {
        const batch = batchOf([{ ...recordOf(one), timeMs: clock.currentTimeMillisUnsafe() }])
        yield* sendEffect(writer, one.key % partitions, batch, 0, 1, 1000)
      }
    }).pipe(Effect.scoped, Effect.orDie)
  }

  /** A record that announces drops, and is no event. */
  mark({ cluster, topic }: Place, partition: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const writer = yield* this.transport(cluster).openWriter(topic)
      const headers = [["leat", markerOf(incarnationOf(0), stream)] as const]
      yield* sendEffect(writer, partition, batchOf([{ key: null, value: null, headers }]), 0, 1, 1000)
    }).pipe(Effect.scoped, Effect.orDie)
  }

  ends({ cluster, topic }: Place): Effect.Effect<Positions> {
    return Effect.orDie(Effect.map(this.transport(cluster).bounds(topic), (rows) => rows.map(({ end }) => Number(end))))
  }

  /** What the group has settled, 0 where it says nothing. */
  settled({ cluster, topic }: Place, group: string): Effect.Effect<Positions> {
    return Effect.orDie(
      Effect.map(this.transport(cluster).bounds(topic, group), (rows) =>
        rows.map(({ settled = 0n }) => Number(settled))
      )
    )
  }

  raw({ cluster, topic, partitions }: Place): Effect.Effect<ReadonlyArray<RawRecord>> {
    const read = (partition: number) =>
      Effect.map(Stream.runCollect(this.transport(cluster).read(topic, partition, { fromPosition: 0n })), (batches) =>
        Array.from(batches).flatMap(({ records }) =>
          records.map(({ position, headers, value, timeMs }): RawRecord => {
            const { epoch } = readMeta(headers, stream)
            const event = value === null ? undefined : contract.decode(value).text
            return { topic, partition, position: Number(position), epoch, event, timeMs }
          })
        )
      )
    return Effect.orDie(
      Effect.map(Effect.forEach(Array.from({ length: partitions }).keys(), read), (all) => all.flat())
    )
  }
}

/** A transport that counts the members that are in each of its topics. */
export function counting(inner: Transport, members: Map<string, number>): Transport {
  const count = (topic: string, by: number) => members.set(topic, (members.get(topic) ?? 0) + by)
  return {
    ...inner,
    subscribe: (asked) =>
      Stream.unwrap(
        Effect.as(
          Effect.acquireRelease(
            Effect.sync(() => count(asked.topic, 1)),
            () => Effect.sync(() => count(asked.topic, -1))
          ),
          inner.subscribe(asked)
        )
      )
  }
}
