/**
 * Events as somebody without leat would make records of them, when they are to be what leat stores: the same key, the same value,
 * and headers that say the same. Written to be fast, because what it costs is the measure for leat.
 */
import { Buffer } from "node:buffer"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import protobuf from "protobufjs/minimal.js"
import { partitions, type Wire } from "./plan.ts"

/** Who publishes: leat's `source`. */
export const source = "benchmark"

const epoch = 1

/** What the headers of one wire hold, however a client wants to be given them. */
export interface RawHeaders<H> {
  /** Headers of the next event of a bucket. */
  readonly next: (bucket: number) => H
}

/** Turns names and values into headers of one client; called once for what is the same in all records. */
export interface HeaderShape<H> {
  readonly compact: (leat: Buffer) => H
  readonly cloudEvents: (
    constant: ReadonlyArray<readonly [name: string, value: string]>
  ) => (id: string, time: string) => H
}

const writer = protobuf.Writer.create()

/** The value in a buffer of its own. */
export function encode(event: BeaconSighting): Buffer {
  writer.reset()
  BeaconSighting.encodeInto(event, writer)
  return writer.finish() as Buffer
}

/** The value in a buffer that the next one overwrites: for clients that copy it at once. */
export function encodeShared(event: BeaconSighting): Buffer {
  writer.reset()
  BeaconSighting.encodeInto(event, writer)
  return writer.finish(true) as Buffer
}

export const bucketOf = (key: Buffer): number => murmur2(key) % BeaconSighting.buckets
export const partitionOf = (bucket: number): number => bucket % partitions

export function rawHeaders<H>(wire: Wire, incarnation: string, shape: HeaderShape<H>): RawHeaders<H> {
  return wire === "compact" ? compactHeaders(incarnation, shape) : cloudEventsHeaders(incarnation, shape)
}

function compactHeaders<H>(incarnation: string, { compact }: HeaderShape<H>): RawHeaders<H> {
  const seqs = new Float64Array(BeaconSighting.buckets)
  const opening = Buffer.concat([Buffer.of(3), Buffer.from(incarnation.replaceAll("-", ""), "hex")])
  const tag = murmur2(Buffer.from(BeaconSighting.stream))
  return {
    next: (bucket) => {
      const seq = seqs[bucket] ?? 0
      seqs[bucket] = seq + 1
      const header = Buffer.allocUnsafe(opening.length + 10 + varintBytes(bucket) + varintBytes(seq) + 1)
      opening.copy(header)
      let at = header.writeUIntBE(Date.now(), opening.length, 6)
      at = header.writeUInt32BE(tag, at)
      at = writeVarint(header, at, bucket)
      at = writeVarint(header, at, seq)
      header[at] = epoch
      return compact(header)
    }
  }
}

function cloudEventsHeaders<H>(incarnation: string, { cloudEvents }: HeaderShape<H>): RawHeaders<H> {
  const seqs = new Float64Array(BeaconSighting.buckets)
  const headers = cloudEvents([
    ["ce_specversion", "1.0"],
    ["ce_source", source],
    ["ce_type", BeaconSighting.name],
    ["content-type", "application/protobuf"],
    ["ce_leatepoch", String(epoch)]
  ])
  const opening = `${incarnation}/${BeaconSighting.stream}/`
  let timeMs = 0
  let time = ""
  return {
    next: (bucket) => {
      const seq = seqs[bucket] ?? 0
      seqs[bucket] = seq + 1
      const nowMs = Date.now()
      if (nowMs !== timeMs) {
        timeMs = nowMs
        time = new Date(nowMs).toISOString()
      }
      return headers(`${opening}${bucket}/${seq}`, time)
    }
  }
}

function varintBytes(value: number): number {
  return value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : value < 1 << 28 ? 4 : 5
}

function writeVarint(target: Buffer, at: number, value: number): number {
  for (; value > 127; value >>>= 7) target[at++] = (value & 127) | 128
  target[at++] = value
  return at
}

/** As Kafka's default partitioner in Java has it, made positive. */
function murmur2(key: Buffer): number {
  const { length } = key
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let k = Math.imul(key.readInt32LE(at), m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = length - at
  if (rest === 3) h ^= (key[at + 2] ?? 0) << 16
  if (rest >= 2) h ^= (key[at + 1] ?? 0) << 8
  if (rest >= 1) {
    h ^= key[at] ?? 0
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  h ^= h >>> 15
  return h & 0x7fffffff
}
