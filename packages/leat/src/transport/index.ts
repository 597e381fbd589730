/**
 * The SPI: what a backend must be able to do to carry leat's events, and how it says what it cannot do.
 *
 * A driver never batches by time, never partitions, never drops, never commits by itself, and never re-sends (except where
 * its protocol makes a re-send exactly-once and in order, inside the time given to `send`). It imports this module and
 * nothing else of leat; `TransportSuite` in `leat/testing` holds it to what its capabilities declare.
 *
 * @example
 * ```ts
 * const writer = yield* transport.openWriter("risk.beacons.sighting")
 * writer.send(0, batch, 0, batch.count, timeoutMs, answer) // answer([{ from: 0, to: 128, fate: "stored", base: 4711n }])
 * ```
 */
import type { Effect, Scope, Stream } from "effect"
import type { OutgoingBatch } from "../record/OutgoingBatch.ts"
import type { ReceivedRecords } from "./ReceivedRecords.ts"
import type { TransportError } from "./TransportError.ts"

export { batchOf, type PlainRecord } from "../record/batchOf.ts"
export * from "../record/index.ts"
export { RecordBatch } from "../record/RecordBatch.ts"
export {
  type DeadLetter,
  deadLetterHeaders,
  type DeadLetterResolution,
  deadLetterTopics,
  type FoundDeadLetter,
  readDeadLetter,
  readResolution,
  replayHeader,
  resolutionHeader,
  retryTopic,
  undeliveredTopic
} from "../record/DeadLetter.ts"
export type { OutgoingBatch } from "../record/OutgoingBatch.ts"
export { formFault } from "../given/formFault.ts"
export { type CrashLosses, crashLossesOf, type FoundEvents, hasBucket } from "../ledger/crashLoss.ts"
export { HeldLane, type HeldLaneOptions, type LaneSource } from "./HeldLane.ts"
export { OfferedLanes } from "./OfferedLanes.ts"
export { OpeningTrouble } from "./OpeningTrouble.ts"
export { hasReference, isReference } from "./ReferenceText.ts"
export type { AnnouncedLane, AnnouncedStream, Announcement, BucketNext, LedgerStore } from "./Announcement.ts"
export { type EffectWriter, sendEffect, writerOf } from "./Sending.ts"
export { ColumnBatch, type ReceivedRecords } from "./ReceivedRecords.ts"
export * from "./TransportError.ts"

/** Position of a record in its partition; gaps are allowed, going back is not. */
export type Position = bigint

/** How hard an acknowledgement is: nothing, one node, the in-sync majority, on disk. */
export type Acknowledgement = "none" | "leader" | "quorum" | "fsync"

/** What a backend can do, with numbers. The conformance suite reads the same data. */
export interface Capabilities {
  /**
   * Of the records of one partition. `exceptAfterInDoubt`: a send whose outcome is unknown may land after a later one,
   * because `fence` is not possible.
   */
  readonly ordering: "perPartition" | "exceptAfterInDoubt" | "none"
  /**
   * Ranges of one partition that may be on their way at once; 1: one after the other. With more, a range is stored only if every range
   * handed over before it is, or has been answered: when one is not stored, those that were handed over meanwhile are not either.
   */
  readonly pipeline: number
  /**
   * What can become of a batch that fails: all or nothing, a stored prefix, each record for itself. With `each` one that is not stored, and is sent again,
   * stands behind others of its key: such a transport is refused for a contract that needs order.
   */
  readonly batch: "atomic" | "prefix" | "each"
  /** Whether a stored run says at which position it begins. */
  readonly appendWithPosition: boolean
  /** Whether reading can begin at any position that is kept, or at a time. */
  readonly replay: { readonly offset: boolean; readonly time: boolean }
  /** Who shares the partitions out among the members of a group: the broker, leases on common storage, nobody. */
  readonly groups: "broker" | "lease" | "none"
  /** `drain`: a revoked member may settle before another gets the lane. `fence`: it may not, but its late settle is refused. */
  readonly handover: "drain" | "fence" | "none"
  /** Whether not pulling holds back one lane, or the whole member. */
  readonly backpressure: "lane" | "member"
  /** Whether after `fence` nothing sent earlier can land. `none`: leat never fences there. */
  readonly fencing: "hard" | "soft" | "none"
  /** The acknowledgements that a cluster configured so gives; what `NEED_FSYNC` and `NEED_QUORUM` ask about. */
  readonly acks: ReadonlyArray<Acknowledgement>
  /**
   * `messageId`: a record whose event id its partition has taken within the last `windowMs` (`Infinity`: ever) is told stored,
   * without a position, and not stored again.
   */
  readonly dedupe: { readonly kind: "none" | "producerSession" | "messageId"; readonly windowMs: number }
  /** Whether several sends can be stored all or nothing. */
  readonly transactions: boolean
  /** Whether a topic can keep the last record of each key only. */
  readonly compaction: boolean
  /** Whether header values may be any bytes, and names may repeat. */
  readonly headers: { readonly binary: boolean; readonly duplicates: boolean }
  /** Largest record (key + headers + value) in bytes. */
  readonly recordBytesMax: number
  /** How true `bounds` is of what a group has settled. */
  readonly lag: "exact" | "approximate" | "none"
  /** Whether a topic can be given more partitions later. */
  readonly partitions: "fixed" | "growable"
  /** Whether everything is gone when the process ends. */
  readonly ephemeral: boolean
}

/** What became of records [from, to) of a batch. */
export interface Run {
  /** Index of the first record. */
  readonly from: number
  /** Index after the last record. */
  readonly to: number
  /** `unknown`: no answer came, or one that leaves it open; leat fences before it sends again. */
  readonly fate: "stored" | "notStored" | "unknown"
  /** Position of record `from`; the others follow without gaps. Absent: the backend does not say. */
  readonly base?: Position
  /**
   * Why, when not stored. Absent in `notStored` beside a run with an error: nothing is wrong with these records, they were refused
   * together with others. They are sent again, which is no attempt of theirs.
   */
  readonly error?: TransportError
}

/**
 * What is written to one topic; open until its scope closes.
 *
 * @example
 * ```ts
 * const writer = yield* transport.openWriter("risk.beacons.sighting")
 * const [run] = yield* sendEffect(writer, 0, batch, 0, batch.count, timeoutMs)
 * if (run?.fate === "unknown") yield* writer.fence(0)
 * ```
 */
export interface Writer {
  /** Number of partitions of the topic when the writer was opened. */
  readonly partitions: number
  /**
   * Hands records [from, to) over. Must not throw and must not wait. `answer` must be called once, `timeoutMs` later at the latest, and
   * may be called before `send` returns. It says of each record what became of it: the runs are disjoint, in order, and cover exactly
   * that range, with `unknown` where no answer came. What is not said, or said later, counts as `unknown`. A driver may put what it was
   * handed in one turn into one request.
   *
   * What was `unknown` comes again after the fence as the same bytes of the same arena, which nobody else uses until then: a
   * driver that has learned in the meantime what became of it may say so instead of sending it twice.
   */
  readonly send: (
    partition: number,
    batch: OutgoingBatch,
    from: number,
    to: number,
    timeoutMs: number,
    answer: (runs: ReadonlyArray<Run>) => void
  ) => void
  /** After this, nothing sent earlier can still land. Returns the end position. Fails where that cannot be promised; interrupted when it takes too long. */
  readonly fence: (partition: number) => Effect.Effect<Position, TransportError>
}

/**
 * Where a new group, or one whose position expired, begins: at an end, or at the first record of a time (epoch
 * milliseconds) or a position, or later.
 *
 * @example
 * ```ts
 * yield* sightings.handle("positions", (event) => estimate(event), { from: { timeMs: Date.UTC(2026, 0, 1) } })
 * ```
 */
export type From = "earliest" | "latest" | { readonly timeMs: number } | { readonly position: Position }

/** What one member of a group asks for. */
export interface Subscription {
  readonly topic: string
  readonly group: string
  /** Applies only to partitions for which the group has settled nothing yet. */
  readonly from: From
  /** How long a revoked lane may take to drain before it is taken, in milliseconds. */
  readonly drainMs: number
}

/** One record as it is stored. */
export interface ReceivedRecord {
  /** Where it stands in its partition. */
  readonly position: Position
  /** Null: the record has no key. */
  readonly key: Uint8Array | null
  /** Null: a tombstone. */
  readonly value: Uint8Array | null
  /** In the order they were written; names may repeat. */
  readonly headers: ReadonlyArray<readonly [name: string, value: Uint8Array]>
  /** Epoch milliseconds at which the backend, or the producer, says the record was written. */
  readonly timeMs: number
}

/** Records of one partition that came together. */
export interface ReceivedBatch {
  /**
   * In rising position; gaps between them, and before `next`, are records that are not there (any more). Their bytes are the reader's:
   * nobody writes to them any more.
   */
  readonly records: ReadonlyArray<ReceivedRecord>
  /** The same as columns over one buffer, from drivers that have them so (`ColumnBatch`): what leat reads then, instead of objects. */
  readonly columns?: ReceivedRecords
  /** Position after this batch, gaps included. */
  readonly next: Position
  /** Why positions are missing in this batch, when some are. `corrupt`: they were stored, and their bytes no longer verify. */
  readonly gap?: "compacted" | "expired" | "control" | "corrupt"
}

/**
 * One partition in the hands of one member of a group.
 *
 * @example
 * ```ts
 * yield* lane.batches.pipe(
 *   Stream.runForEach(({ records, next }) => Effect.andThen(consume(records), lane.settle(next)))
 * )
 * yield* lane.release
 * ```
 */
export interface Lane {
  /** Names the lane in ledger and logs. */
  readonly id: string
  readonly partition: number
  /** Where the group's settled position stands: the first record that will come is at or after it. */
  readonly start: Position
  /**
   * How many members in a row took this lane at this same position and vanished without settling past it or releasing it;
   * 0 where the backend cannot tell. A member that lives and did not drain in time has not vanished.
   */
  readonly abandoned: number
  /**
   * Not pulling is back-pressure. End = revoked: drain, settle, release. Failure `LaneLost` = gone: settle nothing. After any
   * other failure leat leaves the group, and joins it again where the reason may pass.
   */
  readonly batches: Stream.Stream<ReceivedBatch, TransportError>
  /**
   * Completes when this member no longer holds the lane: revoked, lost, or released; at once where that is so already. A lane
   * that is not pulled (full, halted, with a backlog) has no other way to hear of it. May be awaited any number of times.
   */
  readonly revoked: Effect.Effect<void>
  /**
   * Everything before `position` is done. Never goes back: settling less than before changes nothing. Fails with `LaneLost`
   * when another member has the lane. One that has not answered after 30 seconds is interrupted, and begun again.
   */
  readonly settle: (position: Position) => Effect.Effect<void, TransportError>
  /** This member settles nothing more; the lane may be given away. */
  readonly release: Effect.Effect<void>
}

/** Positions or times, half open: [from, to). `to` absent: up to the end as it is when the read starts. */
export type Range =
  | { readonly fromPosition: Position; readonly toPosition?: Position }
  | { readonly fromTimeMs: number; readonly toTimeMs?: number }

/** What a partition holds, and how far a group has got. `end - settled` is its lag. */
export interface PartitionBounds {
  readonly partition: number
  /** First position that can still be read. */
  readonly start: Position
  /** Position the next record will get, at the earliest. */
  readonly end: Position
  /**
   * The group's settled position. Before its first settle: where it begins in the partition, once a member was given it and unless that is
   * the start. Absent when no group was asked for, or nothing of that is so.
   */
  readonly settled?: Position
}

/** How a topic shall be. */
export interface TopicSpec {
  readonly topic: string
  /** 1 or more. */
  readonly partitions: number
  /** Keep the last record of each key only; no when absent. */
  readonly compacted?: boolean
  /**
   * What each partition keeps: records younger than `timeMs` (milliseconds), and the newest `bytes`. The backend's default
   * when absent; `Infinity`: nothing is deleted for its age or for its size, whatever the default is.
   */
  readonly retention?: { readonly timeMs?: number; readonly bytes?: number }
}

/**
 * What `ensure` found. `differs` lists each property that is not as asked; nothing was changed. Of a compacted topic that deletes by a retention nobody
 * asked for, a property whose name begins with `retention` must say so: a compacted contract loses there.
 */
export type TopicStatus =
  | { readonly status: "created" | "exists"; readonly partitions: number }
  | {
      readonly status: "differs"
      readonly partitions: number
      readonly differences: ReadonlyArray<{ readonly property: string; readonly asked: string; readonly found: string }>
    }

/**
 * A connection to one cluster: what a driver opens.
 *
 * @example
 * ```ts
 * const transport = yield* leat.transport("memory")
 * const [first] = yield* transport.bounds("risk.beacons.sighting", "positions")
 * ```
 */
export interface Transport {
  /** Of the kind, for errors: `memory`. */
  readonly name: string
  /** What it can do, as probed: never more than it keeps. */
  readonly capabilities: Capabilities
  /**
   * Opens a topic for writing, and creates it where the backend does that on first use. Fails with `UnknownTopic` where it
   * does not. What outlives the call is forked in its scope: a child of the call ends with it, in every call of this interface.
   */
  readonly openWriter: (topic: string) => Effect.Effect<Writer, TransportError, Scope.Scope>
  /**
   * Number of partitions that a topic has, or that `openWriter` would create it with. Creates nothing. Fails with `UnknownTopic`
   * where the topic is not there and `openWriter` would not create it.
   */
  readonly partitionsOf: (topic: string) => Effect.Effect<number, TransportError>
  /**
   * Emits a lane for each partition this member is given. Leaving has two steps: who no longer runs the stream is given no more
   * lanes and drains those it has; when the scope ends it is gone, and what it still holds is taken from it.
   *
   * Subscriptions of one group on one transport should be one member, with one lease, where the backend has such: topics come and
   * go under it, and that must not revoke a lane of another topic. A second subscription to the same topic and group must be
   * another member. What fails for one topic should end that subscription alone.
   */
  readonly subscribe: (subscription: Subscription) => Stream.Stream<Lane, TransportError, Scope.Scope>
  /**
   * Reads a range without a group, and ends: dead letters, audit, read-back. Fails with `UnknownTopic` for a topic or
   * partition that is not there.
   */
  readonly read: (topic: string, partition: number, range: Range) => Stream.Stream<ReceivedBatch, TransportError>
  /** Start, end and, for a group, settled positions: lag and health. One row for each partition; fails with `UnknownTopic`. */
  readonly bounds: (topic: string, group?: string) => Effect.Effect<ReadonlyArray<PartitionBounds>, TransportError>
  /**
   * Creates a topic or reports how it differs from what is asked. Fails with `Unsupported` for what the backend cannot
   * have.
   */
  readonly ensure: (spec: TopicSpec) => Effect.Effect<TopicStatus, TransportError>
  /** Names of the topics that there are. Absent: the backend cannot tell. */
  readonly topics?: Effect.Effect<ReadonlyArray<string>, TransportError>
  /**
   * Names of the groups that have a settled position in the topic, with members or without; each once. A group that has settled nothing
   * may be among them once a member was given a partition. Must name all of them, or fail: nobody
   * reads on what those that are named have settled. Fails with `UnknownTopic` for a topic that is not there. Absent: the backend cannot tell.
   */
  readonly groups?: (topic: string) => Effect.Effect<ReadonlyArray<string>, TransportError>
  /**
   * Deletes what stands before `before`, for good: reading starts there from then on, and `bounds` say so. What is stored behind it stays.
   * Never goes back: a position before the start changes nothing. One beyond the end deletes all that is there. Fails with `UnknownTopic`
   * for a topic or partition that is not there; creates none. Absent: the backend cannot.
   */
  readonly trim?: (topic: string, partition: number, before: Position) => Effect.Effect<void, TransportError>
}

/** A cluster section of the route document, less `transport`; each driver decodes its own. */
export type ClusterConfig = Readonly<Record<string, unknown>>

/**
 * What a driver package exports: how to check a cluster section and how to open it.
 *
 * @example
 * ```ts
 * import { log } from "@leat/log"
 *
 * log.inspect({ directory: "" }) // { issues: [{ path: "directory", message: "..." }] }
 * const leat = yield* Leat.make({ source: "mobile-app", routes, drivers: [log] })
 * ```
 */
export interface Driver {
  /** The name route documents use: `memory`, `@leat/kafkajs`. */
  readonly name: string
  /**
   * What a cluster configured so can do; `issues` are faults of the section, one sentence each. Pure. `addresses` say where it is:
   * two clusters of a document with an equal one are one place, whatever their names, drivers and further settings. Without
   * addresses each cluster is a place of its own. References stand in them as they are written. `keepsMs`: after how many milliseconds a topic
   * deletes what it has, where nothing else is asked for it; absent: the section does not say.
   */
  readonly inspect: (config: ClusterConfig) =>
    | {
        readonly capabilities: Capabilities
        readonly addresses?: ReadonlyArray<string | object>
        readonly keepsMs?: number | undefined
      }
    | { readonly issues: ReadonlyArray<{ readonly path: string; readonly message: string }> }
  /**
   * Opens a transport; it is closed with the scope. A leat waits a minute for that, and warns of what breaks there. Fails with `Unsupported` for a section that `inspect` finds fault with. What
   * `inspect` saw as references stands resolved in `config`; no error may say any of it. `reread` resolves them anew, for
   * secrets that change while the transport is open. One that waits should say why, to `OpeningTrouble`.
   */
  readonly open: (
    cluster: string,
    config: ClusterConfig,
    reread?: Effect.Effect<ClusterConfig, TransportError>
  ) => Effect.Effect<Transport, TransportError, Scope.Scope>
}
