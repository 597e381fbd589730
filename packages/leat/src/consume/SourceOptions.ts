/** What passes between a subscription, its lanes and the handlers. */
import type { Context, Effect, Scheduler, Stream } from "effect"
import type { Consumer } from "./Consumer.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { Ledger } from "../ledger/Ledger.ts"
import type { Failure, ReadHalted } from "./Failure.ts"
import type { Signs } from "./holdBack.ts"
import type { Histogram } from "../Telemetry.ts"
import type { PlaceEpochs } from "./PlaceEpochs.ts"
import type { LaneBatch } from "./ReadLane.ts"
import type { CompactionWatch } from "../transport/CompactionWatch.ts"
import type { Lane, Transport, TransportError } from "../transport/index.ts"

/** A record that is no event for a handler: a tombstone, or what the policy is asked about instead. */
export class NoEvent {
  /** Absent: a tombstone. */
  readonly failure: Failure | undefined

  constructor(failure?: Failure) {
    this.failure = failure
  }
}

/** Events that go to one call of a handler of batches. */
export type EventBatch<T> = ReadonlyArray<{ readonly event: T; readonly info: DeliveryInfo }>

/** What a call of a handler comes to: success is the end of its events, unless it is an `InboxVerdict`. */
type Call = Effect.Effect<unknown, unknown>

/** Who is called for what is read. What an effect fails with is judged by the policy, by its tag. */
export type Handler<T> =
  | {
      readonly kind: "one"
      readonly onEvent: (event: T, info: DeliveryInfo) => Call
      readonly onTombstone: ((info: DeliveryInfo) => Call) | undefined
    }
  | {
      readonly kind: "batch"
      /** A tombstone comes by itself. */
      readonly onTombstone: ((info: DeliveryInfo) => Call) | undefined
      /** Records that one call gets at most. */
      readonly records: number
      /** How long a batch that is not full waits for more, in milliseconds. */
      readonly waitMs: number
      readonly onEvents: (events: EventBatch<T>) => Call
    }

export interface SourceOptions<T> {
  readonly transport: Transport
  /** Name of the cluster in the document. */
  readonly cluster: string
  readonly topic: string
  /** The topic whose dead letters it has; `topic` when absent. */
  readonly lettersOf?: string
  /** Which retry topic it is, from 1; absent: none. */
  readonly tier?: number
  /** What tells poison from other faults, where it is not to be told by this topic alone. */
  readonly signs?: Signs
  /** Of a stream that may be moved: which ranges of the topic are read, and when. */
  readonly epochs?: PlaceEpochs
  /** Called when a record was moved to a retry topic, with its tier. */
  readonly onMoved?: (tier: number) => void
  readonly stream: string
  /** Full protobuf message name: records that say another one are skipped. */
  readonly type: string
  readonly group: string
  readonly unordered: boolean
  /** Whether the topic is that of a compacted contract: whoever joins one that is not there makes it. */
  readonly isCompacted?: boolean
  /** Is told of the topic of a contract that is not compacted. */
  readonly compactionWatch?: CompactionWatch
  /** Whether logs may not have the keys. */
  readonly isKeyPersonal: boolean
  readonly ledger: Ledger
  /** The event of the value of a record, or why it is none. Never throws. */
  readonly decode: (value: Uint8Array | null) => T | NoEvent
  readonly handler: Handler<T>
  /** Where events wait for a consumer who takes them: their time begins then. */
  readonly consumer: Consumer | undefined
  /** How long handlers took. */
  readonly duration: Histogram
  /** What handlers run in. */
  readonly context: Context.Context<never>
  readonly scheduler: Scheduler.Scheduler
}

/** A lane as it is read: that of the driver, or what stands in front of it. */
export interface ReadableLane extends Omit<Lane, "batches"> {
  readonly batches: Stream.Stream<LaneBatch, TransportError>
}

/** Why and where a lane of a subscription stands still until `resume`. */
export interface HaltedReadLane extends ReadHalted {
  /** That of the stream, or one of the group's own: what is replayed for it, or a retry topic. */
  readonly topic: string
  readonly partition: number
}
