/** What the two threads of an open log say to each other. Data only; blocks of bytes are handed over, not copied. */
import type { From, TopicSpec, TopicStatus } from "leat/transport"
import type { Fault } from "./Fault.ts"
import type { LogInspection } from "./LogInspection.ts"

/** How a worker is started. */
export interface WorkerSettings {
  /** Absolute path. */
  readonly directory: string
  readonly isReadOnly: boolean
  readonly partitions: number
  readonly recordBytesMax: number
  readonly retentionMs: number | undefined
  readonly retentionBytes: number | undefined
  readonly idsMs: number
  readonly bytesMax: number | undefined
  readonly leaseMs: number
}

/** Positions are numbers here: a log would need centuries to reach 2^53. */
export interface AppendResult {
  /** Position of the first record that was stored; the others follow. */
  readonly base: number
  /** Indexes of records that were not stored again, because the partition has their event. */
  readonly duplicates: ReadonlyArray<number>
}

/** A stretch of a partition: bytes, or why there are none. */
export type Segment =
  | { readonly kind: "block"; readonly bytes: Uint8Array<ArrayBuffer>; readonly from: number; readonly to: number }
  | { readonly kind: "gap"; readonly reason: "expired" | "corrupt"; readonly from: number; readonly to: number }

export interface ReadResult {
  readonly segments: ReadonlyArray<Segment>
  readonly next: number
}

export interface BoundsRow {
  readonly partition: number
  readonly start: number
  readonly end: number
  readonly settled?: number
}

/** Sequences [first, last] of a bucket. `stream` is as `EventIdCursor` has it: the name, or a tag that stands for it. */
export interface IdRange {
  readonly stream: string
  readonly bucket: number
  readonly first: number
  readonly last: number
}

/** Each call and what answers it. */
export interface Calls {
  readonly open: { readonly ask: object; readonly answer: null }
  /** What the topic has, or would be created with by `topic`, which creates it. */
  readonly partitions: { readonly ask: { readonly topic: string }; readonly answer: { readonly partitions: number } }
  readonly topic: { readonly ask: { readonly topic: string }; readonly answer: { readonly partitions: number } }
  readonly ensure: { readonly ask: { readonly spec: TopicSpec }; readonly answer: TopicStatus }
  readonly append: {
    readonly ask: {
      readonly topic: string
      readonly partition: number
      readonly bytes: Uint8Array<ArrayBuffer>
      /** Instant of `monotonicMs`. */
      readonly deadlineMs: number
    }
    readonly answer: AppendResult
  }
  readonly fence: {
    readonly ask: { readonly topic: string; readonly partition: number }
    readonly answer: { readonly end: number }
  }
  readonly bounds: {
    readonly ask: { readonly topic: string; readonly group: string | undefined }
    readonly answer: ReadonlyArray<BoundsRow>
  }
  /** Names of the groups that have lanes or members in a topic. */
  readonly groups: { readonly ask: { readonly topic: string }; readonly answer: ReadonlyArray<string> }
  readonly locate: {
    readonly ask: { readonly topic: string; readonly partition: number; readonly timesMs: ReadonlyArray<number> }
    readonly answer: { readonly end: number; readonly positions: ReadonlyArray<number> }
  }
  readonly read: {
    readonly ask: { readonly topic: string; readonly partition: number; readonly from: number; readonly to: number }
    readonly answer: ReadResult
  }
  readonly join: {
    readonly ask: {
      /** Chosen by who asks, so that no lane can come before it is known. */
      readonly subscription: number
      /** What the subscriptions of one group share: a lease, and a place in the group. */
      readonly member: number
      readonly topic: string
      readonly group: string
      readonly from: From
      readonly drainMs: number
    }
    readonly answer: null
  }
  /** The subscription is given no more lanes; it keeps those it has until it releases them, or leaves. */
  readonly takeNoMore: { readonly ask: { readonly subscription: number }; readonly answer: null }
  /** With its last subscription a member leaves the group. */
  readonly leave: { readonly ask: { readonly subscription: number }; readonly answer: null }
  /** Answered when there is something, or the lane has ended. */
  readonly pull: {
    readonly ask: { readonly lane: number; readonly from: number }
    readonly answer: ReadResult | { readonly ended: true }
  }
  readonly settle: { readonly ask: { readonly lane: number; readonly position: number }; readonly answer: null }
  readonly release: { readonly ask: { readonly lane: number }; readonly answer: null }
  readonly compact: { readonly ask: object; readonly answer: null }
  /** Answered when all of it is deleted: a write of its own for each part. */
  readonly trim: {
    readonly ask: { readonly topic: string; readonly partition: number; readonly before: number }
    readonly answer: null
  }
  readonly inspect: { readonly ask: object; readonly answer: LogInspection }
  /** Ranges of event ids of one incarnation that the partitions of a topic have taken, if none of its ids were deleted. */
  readonly ids: {
    readonly ask: { readonly topic: string; readonly incarnation: Uint8Array }
    readonly answer: { readonly isComplete: boolean; readonly ranges: ReadonlyArray<IdRange> }
  }
  readonly close: { readonly ask: object; readonly answer: null }
}

export type CallName = keyof Calls

/** To the worker. */
export type Request = {
  [N in CallName]: { readonly call: number; readonly name: N } & Calls[N]["ask"]
}[CallName]

/** From the worker. */
export type Reply =
  | { readonly call: number; readonly answer: Calls[CallName]["answer"] }
  | { readonly call: number; readonly fault: Fault; readonly mayBeStored: boolean }
  | LaneEvent

/** What becomes of lanes without anybody asking. */
export type LaneEvent =
  | {
      readonly event: "given"
      readonly subscription: number
      readonly lane: number
      readonly partition: number
      readonly start: number
      readonly abandoned: number
    }
  | { readonly event: "revoked" | "lost"; readonly subscription: number; readonly lane: number }
  /** It will be given no more lanes. */
  | { readonly event: "failed"; readonly subscription: number; readonly fault: Fault }
