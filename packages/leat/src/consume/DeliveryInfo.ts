/** What passes between a subscription, its lanes and the handlers. */
import { Context, type Effect } from "effect"
import type { Ledger } from "../ledger/Ledger.ts"
import type { Fault, ReadHalted, ReadLane } from "./ReadLane.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import type { Lane, ReceivedRecord, Transport } from "../transport/index.ts"
import type { Wake } from "../Wake.ts"
import type { RecordMeta } from "../record/Wire.ts"

/** What a handler is told beside the event: where it stands, when it was offered and stored, and what came with it. */
export interface DeliveryInfo extends RecordMeta {
  /** The key as text (UTF-8); empty when the record has none. */
  readonly key: string
  /** Null: the record has no key. */
  readonly keyBytes: Uint8Array | null
  readonly topic: string
  readonly partition: number
  /** Position in the partition. */
  readonly position: bigint
  /** 1 for the first attempt of this process. */
  readonly attempt: number
  /** Epoch milliseconds the backend gives for the record. */
  readonly storedAtMs: number
}

/**
 * What is being handled, for whoever publishes inside a handler: its correlation, causation and trace go along by
 * themselves. Undefined outside of handlers.
 *
 * @example
 * ```ts
 * const causedBy = Effect.map(CurrentDelivery, (delivery) => delivery?.id)
 * ```
 */
export const CurrentDelivery = Context.Reference<DeliveryInfo | undefined>("leat/CurrentDelivery", {
  defaultValue: () => undefined
})

export interface SourceOptions<T> {
  readonly transport: Transport
  readonly topic: string
  readonly stream: string
  readonly group: string
  readonly unordered: boolean
  readonly settings: SubscriptionSettings
  readonly ledger: Ledger
  readonly decode: (record: ReceivedRecord, meta: RecordMeta) => DecodedValue<T>
  /** Handles one delivery; fails with whatever the policy is to judge by its tag. */
  readonly handle: (deliveries: ReadonlyArray<HandlerInput<T>>) => Effect.Effect<void, unknown>
  /** Whether stopping waits for handlers that run. Not where they wait for a consumer that has gone. */
  readonly drainsOnStop: boolean
  /** For handlers of batches: records that one call of `handle` gets at most. Absent: one by one, in order per key. */
  readonly bundleRecords?: number
}

/** The value of a record: an event, a tombstone, or why it is neither. */
export type DecodedValue<T> =
  | { readonly _tag: "Event"; readonly event: T }
  | { readonly _tag: "Tombstone" }
  | { readonly _tag: "Fault"; readonly fault: Fault }

export interface HandlerInput<T> {
  /** Undefined: a tombstone. */
  readonly event: T | undefined
  readonly info: DeliveryInfo
}

/** Why and where a lane of a subscription stands still until `resume`. */
export interface HaltedReadLane extends ReadHalted {
  readonly partition: number
}

export interface Running {
  readonly machine: ReadLane
  readonly wake: Wake
  readonly lane: Lane
  /** How long the lane may drain when it ends, in milliseconds. */
  drainMs: number
}

/** Decodes a record and reads what it says of itself. */
export type Decode<T> = (record: ReceivedRecord) => DecodedValue<T> & { readonly meta: RecordMeta }
