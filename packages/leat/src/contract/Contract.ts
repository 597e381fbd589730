/**
 * A contract: everything leat knows of one event type. `protoc-gen-leat` generates contracts from `.proto` files; nobody
 * writes one by hand.
 */
import type { Writer } from "protobufjs/minimal.js"

/** What a contract demands of the transport that carries it; checked when routes are compiled. */
export type Need = "order" | "replay" | "fsync" | "quorum" | "compaction"

/** The value whose bytes order events: UTF-8 of a string, raw bytes, or the decimal text of an integer. */
export type Key = string | Uint8Array | bigint | number

/**
 * What a contract says of its stream, apart from the code for its type: what routes are checked against and events are
 * printed by.
 */
export interface ContractInfo {
  /** Full protobuf message name, which is also the CloudEvents `type`: `risk.v1.BeaconSighting`. */
  readonly name: string
  /** Logical stream, dot-separated, unique among contracts: `risk.beacons.sighting`. */
  readonly stream: string
  /** Number of buckets keys are hashed into; fixed for ever, because a bucket is the unit whose `seq` is gapless. */
  readonly buckets: number
  /** Whether a later event of one key replaces the earlier; only then is a tombstone allowed. */
  readonly compacted: boolean
  /** Whether events carry no key and no order. */
  readonly unordered: boolean
  /** What the cluster of every leg must declare; nothing when empty. */
  readonly needs: ReadonlyArray<Need>
  /** Dotted field path of the key in proto spelling (`beacon_id`); undefined when `unordered`. */
  readonly keyPath: string | undefined
  /**
   * Where personal data stands, which is masked wherever leat prints an event: property names with dots between them, `[]`
   * behind one for every element of a list, `{}` for every value of a map, `<login>` for the value of a oneof in that case:
   * `places[].code`, `detail<login>.user`. `a.b = a` says that at `a.b` stands the same as at `a`, and `children[] = $` that it
   * is the event once more: so messages inside themselves are told, however deep.
   */
  readonly personal: ReadonlyArray<string>
  /**
   * Digest of the fields of the message and of those in it: two contracts of one message with the same layout write the same bytes. Absent in what
   * was generated before there was one; then the code is compared.
   */
  readonly layout?: string | undefined
}

/**
 * One event type: what it says of its stream, and the code that reads and writes it.
 *
 * @example
 * ```ts
 * import { BeaconSighting } from "./gen/risk/v1/beacon.ts"
 *
 * BeaconSighting.stream // "risk.beacons.sighting"
 * BeaconSighting.key({ ...sighting, beaconId: "b7" }) // "b7"
 * ```
 */
export interface Contract<T> extends ContractInfo {
  /** The key of an event; undefined when `unordered`. */
  readonly key: (event: T) => Key | undefined
  /** Appends the protobuf encoding of `event` to `writer`. Throws `InvalidEvent` for a value that would not come back as it was. */
  readonly encodeInto: (event: T, writer: Writer) => void
  /** Decodes one message. Copies what it keeps out of `bytes`. Throws `MalformedEvent`. */
  readonly decode: (bytes: Uint8Array) => T
}
