/** What `inspectLog` tells of a directory. Positions and bytes are exact as of one moment. */
export interface LogInspection {
  readonly directory: string
  readonly formatVersion: number
  readonly createdAtMs: number
  /** Bytes of the database file and its write-ahead log. */
  readonly fileBytes: number
  readonly topics: ReadonlyArray<TopicInspection>
  /** What did not verify when somebody read it, and is passed over. */
  readonly quarantined: ReadonlyArray<QuarantineInspection>
}

export interface TopicInspection {
  readonly topic: string
  readonly compacted: boolean
  readonly retentionMs?: number
  readonly retentionBytes?: number
  readonly partitions: ReadonlyArray<PartitionInspection>
  readonly groups: ReadonlyArray<GroupInspection>
}

export interface PartitionInspection {
  readonly partition: number
  readonly start: bigint
  readonly end: bigint
  readonly batches: number
  /** Bytes of the batches, columns included. */
  readonly bytes: number
  /** Ranges of event ids that are kept for deduplication. */
  readonly idRanges: number
}

export interface GroupInspection {
  readonly group: string
  readonly members: ReadonlyArray<MemberInspection>
  readonly lanes: ReadonlyArray<LaneInspection>
}

export interface MemberInspection {
  readonly id: number
  /** Host name, process id and thread, for a person. */
  readonly owner: string
  readonly leaseMs: number
  /** Wall clock of the member at its last heartbeat, in epoch milliseconds. */
  readonly seenAtMs: number
}

export interface LaneInspection {
  readonly partition: number
  readonly settled?: bigint
  /** Records stored and not settled. */
  readonly lag: bigint
  /** Member that holds it. */
  readonly holder?: number
  readonly generation: number
  readonly state: "free" | "held" | "revoked"
  /** Holders in a row that vanished at the settled position. */
  readonly abandoned: number
}

export interface QuarantineInspection {
  /** Absent: it belongs to no topic. */
  readonly topic?: string
  readonly partition?: number
  readonly from: bigint
  readonly to: bigint
  readonly what: string
  readonly foundAtMs: number
}
