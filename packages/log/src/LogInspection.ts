/** What `inspectLog` tells of a directory, exact as of one moment. Positions are those of the transport, sizes are bytes. */
export interface LogInspection {
  /** Absolute path. */
  readonly directory: string
  /** Version of the file's format. */
  readonly formatVersion: number
  /** Epoch milliseconds. */
  readonly createdAtMs: number
  /** Bytes of the database file and its write-ahead log. */
  readonly fileBytes: number
  readonly topics: ReadonlyArray<TopicInspection>
  /** What did not verify when somebody read it, and is passed over. */
  readonly quarantined: ReadonlyArray<QuarantineInspection>
}

/** One topic, and the groups that read it. */
export interface TopicInspection {
  readonly topic: string
  readonly compacted: boolean
  /** How long batches are kept, in milliseconds; absent: for ever. */
  readonly retentionMs?: number
  /** Bytes that each partition keeps; absent: all. */
  readonly retentionBytes?: number
  readonly partitions: ReadonlyArray<PartitionInspection>
  readonly groups: ReadonlyArray<GroupInspection>
}

/** What one partition holds: the positions [start, end). */
export interface PartitionInspection {
  readonly partition: number
  /** First position that can still be read. */
  readonly start: bigint
  /** Position that the next record will get. */
  readonly end: bigint
  /** Batches that are kept. */
  readonly batches: number
  /** Bytes of the batches, columns included. */
  readonly bytes: number
  /** Ranges of event ids that are kept for deduplication. */
  readonly idRanges: number
}

/** One group of a topic: who is in it and where it stands. */
export interface GroupInspection {
  readonly group: string
  readonly members: ReadonlyArray<MemberInspection>
  readonly lanes: ReadonlyArray<LaneInspection>
}

/** One member of a group, as its last heartbeat left it. */
export interface MemberInspection {
  /** Number of the member in the log; `holder` of a lane names it. */
  readonly id: number
  /** Host name, process id and thread, for a person. */
  readonly owner: string
  /** How long it may give no sign of life, in milliseconds. */
  readonly leaseMs: number
  /** Wall clock of the member at its last heartbeat, in epoch milliseconds. */
  readonly seenAtMs: number
}

/** One partition for one group: how far it is settled, and who holds it. */
export interface LaneInspection {
  readonly partition: number
  /** First position that is not settled; absent: nothing is. */
  readonly settled?: bigint
  /** Records stored and not settled. */
  readonly lag: bigint
  /** `id` of the member that holds it; absent: nobody does. */
  readonly holder?: number
  /** Raised each time the lane is given to somebody. */
  readonly generation: number
  readonly state: "free" | "held" | "revoked"
  /** Holders in a row that vanished at the settled position. */
  readonly abandoned: number
}

/** Something of the file that did not verify: the positions [from, to) are passed over, with the gap `corrupt`. */
export interface QuarantineInspection {
  /** Absent: it belongs to no topic. */
  readonly topic?: string
  readonly partition?: number
  readonly from: bigint
  readonly to: bigint
  /** One sentence for a person. */
  readonly what: string
  /** Epoch milliseconds. */
  readonly foundAtMs: number
}
