/**
 * Every error code of Kafka's protocol, as of Kafka 4.3, and what it means to leat. By code, never by text.
 *
 * Two questions are asked of a code. Why did it fail: `reasonOfCode`. And, of the answer to a produce request with acks=all, what
 * became of its records: `fateOfCode`. A reason that may be stored and the fate `unknown` always go together.
 */
import { reasons, type TransportReason } from "leat/transport"

type Row = readonly [code: number, name: string, reason: TransportReason]

const rows = [
  // The broker did not foresee it, so neither do we.
  [-1, "UNKNOWN_SERVER_ERROR", "Unknown"],
  // No error; whoever asks for its reason has lost track.
  [0, "NONE", "Unknown"],

  // Leaders, coordinators and controllers move; clients look for the new one and ask again.
  [5, "LEADER_NOT_AVAILABLE", "Unavailable"],
  [8, "BROKER_NOT_AVAILABLE", "Unavailable"],
  [9, "REPLICA_NOT_AVAILABLE", "Unavailable"],
  [14, "COORDINATOR_LOAD_IN_PROGRESS", "Unavailable"],
  [15, "COORDINATOR_NOT_AVAILABLE", "Unavailable"],
  [16, "NOT_COORDINATOR", "Unavailable"],
  [41, "NOT_CONTROLLER", "Unavailable"],
  [72, "LISTENER_NOT_FOUND", "Unavailable"],
  [74, "FENCED_LEADER_EPOCH", "Unavailable"],
  [75, "UNKNOWN_LEADER_EPOCH", "Unavailable"],
  [78, "OFFSET_NOT_AVAILABLE", "Unavailable"],
  [80, "PREFERRED_LEADER_NOT_AVAILABLE", "Unavailable"],
  [83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", "Unavailable"],
  [129, "REBOOTSTRAP_REQUIRED", "Unavailable"],
  // Not Unavailable: a leader that appended, and lost its office while it waited for the replicas, answers this too, and the next
  // leader may have the records.
  [6, "NOT_LEADER_OR_FOLLOWER", "Disconnected"],
  [13, "NETWORK_EXCEPTION", "Disconnected"],
  // Appended by the leader, not yet by enough replicas.
  [7, "REQUEST_TIMED_OUT", "Timeout"],
  // A disk that fails while it writes may have written, and replicas may have read it before.
  [56, "KAFKA_STORAGE_ERROR", "Unknown"],

  // Durability.
  [19, "NOT_ENOUGH_REPLICAS", "NotEnoughReplicas"],
  [20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "NotEnoughReplicasAfterAppend"],
  [21, "INVALID_REQUIRED_ACKS", "Unsupported"],

  // Topics. One whose id changed was deleted and created again: the name has to be looked up anew.
  [3, "UNKNOWN_TOPIC_OR_PARTITION", "UnknownTopic"],
  [100, "UNKNOWN_TOPIC_ID", "UnknownTopic"],
  [103, "INCONSISTENT_TOPIC_ID", "UnknownTopic"],
  // The name itself is impossible; waiting does not help.
  [17, "INVALID_TOPIC_EXCEPTION", "Unsupported"],
  // `ensure` looks again when somebody was faster.
  [36, "TOPIC_ALREADY_EXISTS", "Unsupported"],
  [37, "INVALID_PARTITIONS", "Unsupported"],
  [38, "INVALID_REPLICATION_FACTOR", "Unsupported"],
  [39, "INVALID_REPLICA_ASSIGNMENT", "Unsupported"],
  [40, "INVALID_CONFIG", "Unsupported"],
  // The operator's rule for topics: the backend cannot have what is asked.
  [44, "POLICY_VIOLATION", "Unsupported"],
  [60, "REASSIGNMENT_IN_PROGRESS", "Unavailable"],
  [73, "TOPIC_DELETION_DISABLED", "Unsupported"],
  [84, "ELECTION_NOT_NEEDED", "Unsupported"],
  [85, "NO_REASSIGNMENT_IN_PROGRESS", "Unsupported"],

  // The record, or the batch around it.
  [10, "MESSAGE_TOO_LARGE", "TooLarge"],
  // Larger than a segment of the topic.
  [18, "RECORD_LIST_TOO_LARGE", "TooLarge"],
  // The checksum did not hold, on the way there or on the disk. TCP has its own: what fails twice fails always.
  [2, "CORRUPT_MESSAGE", "Corrupt"],
  [32, "INVALID_TIMESTAMP", "Rejected"],
  // Also a record without a key for a compacted topic.
  [87, "INVALID_RECORD", "Rejected"],
  [43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "Unsupported"],
  [76, "UNSUPPORTED_COMPRESSION_TYPE", "Unsupported"],

  // The session of an idempotent producer. This try was not appended; whether an earlier try of the same records was, only the
  // session knew, and it is over: a new one has to be begun.
  [45, "OUT_OF_ORDER_SEQUENCE_NUMBER", "Unknown"],
  [59, "UNKNOWN_PRODUCER_ID", "Unknown"],
  // Stored by an earlier try: see `fateOfCode`. Whoever asks for a reason all the same learns that it may be stored.
  [46, "DUPLICATE_SEQUENCE_NUMBER", "Unknown"],
  // Somebody else writes in this one's name.
  [47, "INVALID_PRODUCER_EPOCH", "Fenced"],
  [49, "INVALID_PRODUCER_ID_MAPPING", "Fenced"],
  [90, "PRODUCER_FENCED", "Fenced"],

  // Transactions. An open one can be waited for or aborted, and what it wrote is then not there.
  [51, "CONCURRENT_TRANSACTIONS", "Unavailable"],
  [52, "TRANSACTION_COORDINATOR_FENCED", "Unavailable"],
  [120, "TRANSACTION_ABORTABLE", "Unavailable"],
  [48, "INVALID_TXN_STATE", "Unsupported"],
  [50, "INVALID_TRANSACTION_TIMEOUT", "Unsupported"],
  [105, "TRANSACTIONAL_ID_NOT_FOUND", "Unsupported"],

  // Groups: the coordinator has given this member's lanes away, or will not hear of the member again.
  [22, "ILLEGAL_GENERATION", "LaneLost"],
  [25, "UNKNOWN_MEMBER_ID", "LaneLost"],
  [69, "GROUP_ID_NOT_FOUND", "LaneLost"],
  [82, "FENCED_INSTANCE_ID", "LaneLost"],
  [110, "FENCED_MEMBER_EPOCH", "LaneLost"],
  // The group moves and the lane may stay: the next settle makes up for this one, or learns that the lane is lost.
  [27, "REBALANCE_IN_PROGRESS", "Unavailable"],
  [113, "STALE_MEMBER_EPOCH", "Unavailable"],
  // The coordinator gave an id: join again with it.
  [79, "MEMBER_ID_REQUIRED", "Unavailable"],
  // Until transactions that wrote offsets end.
  [88, "UNSTABLE_OFFSET_COMMIT", "Unavailable"],
  // Until the other member leaves.
  [111, "UNRELEASED_INSTANCE_ID", "Unavailable"],
  // A quota like others: passes when a member leaves.
  [81, "GROUP_MAX_SIZE_REACHED", "Full"],
  // The offset commit's metadata is ours, not a record: nothing to split.
  [12, "OFFSET_METADATA_TOO_LARGE", "Unsupported"],
  [28, "INVALID_COMMIT_OFFSET_SIZE", "Unsupported"],
  [23, "INCONSISTENT_GROUP_PROTOCOL", "Unsupported"],
  [24, "INVALID_GROUP_ID", "Unsupported"],
  [26, "INVALID_SESSION_TIMEOUT", "Unsupported"],
  [68, "NON_EMPTY_GROUP", "Unsupported"],
  [86, "GROUP_SUBSCRIBED_TO_TOPIC", "Unsupported"],
  [112, "UNSUPPORTED_ASSIGNOR", "Unsupported"],
  [128, "INVALID_REGULAR_EXPRESSION", "Unsupported"],

  // Fetching. A position that is not kept any more is a gap, which a driver sees to before anybody asks for a reason.
  [1, "OFFSET_OUT_OF_RANGE", "Unsupported"],
  [4, "INVALID_FETCH_SIZE", "Unsupported"],
  [70, "FETCH_SESSION_ID_NOT_FOUND", "Unavailable"],
  [71, "INVALID_FETCH_SESSION_EPOCH", "Unavailable"],
  [106, "FETCH_SESSION_TOPIC_ID_ERROR", "Unavailable"],
  [109, "OFFSET_MOVED_TO_TIERED_STORAGE", "Unavailable"],

  // Who we are.
  [33, "UNSUPPORTED_SASL_MECHANISM", "Unauthenticated"],
  [34, "ILLEGAL_SASL_STATE", "Unauthenticated"],
  [58, "SASL_AUTHENTICATION_FAILED", "Unauthenticated"],
  [62, "DELEGATION_TOKEN_NOT_FOUND", "Unauthenticated"],
  [66, "DELEGATION_TOKEN_EXPIRED", "Unauthenticated"],
  // The brokers among themselves cannot read who we are.
  [97, "PRINCIPAL_DESERIALIZATION_FAILURE", "Unauthenticated"],

  // What we may.
  [29, "TOPIC_AUTHORIZATION_FAILED", "Unauthorized"],
  [30, "GROUP_AUTHORIZATION_FAILED", "Unauthorized"],
  [31, "CLUSTER_AUTHORIZATION_FAILED", "Unauthorized"],
  [53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "Unauthorized"],
  [63, "DELEGATION_TOKEN_OWNER_MISMATCH", "Unauthorized"],
  [64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "Unauthorized"],
  [65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", "Unauthorized"],
  [54, "SECURITY_DISABLED", "Unsupported"],
  [61, "DELEGATION_TOKEN_AUTH_DISABLED", "Unsupported"],
  [67, "INVALID_PRINCIPAL_TYPE", "Unsupported"],
  [93, "UNACCEPTABLE_CREDENTIAL", "Unsupported"],

  // How much we may.
  [89, "THROTTLING_QUOTA_EXCEEDED", "Throttled"],

  // What a client and a broker of these versions cannot say to each other.
  [35, "UNSUPPORTED_VERSION", "Unsupported"],
  [42, "INVALID_REQUEST", "Unsupported"],
  // The broker did not try, because of others in the same request.
  [55, "OPERATION_NOT_ATTEMPTED", "Unavailable"],
  [57, "LOG_DIR_NOT_FOUND", "Unsupported"],
  [91, "RESOURCE_NOT_FOUND", "Unsupported"],
  [92, "DUPLICATE_RESOURCE", "Unsupported"],
  [104, "INCONSISTENT_CLUSTER_ID", "Unsupported"],
  [114, "MISMATCHED_ENDPOINT_TYPE", "Unsupported"],
  [115, "UNSUPPORTED_ENDPOINT_TYPE", "Unsupported"],
  [117, "UNKNOWN_SUBSCRIPTION_ID", "Unavailable"],
  // Telemetry, not a record: nothing to split.
  [118, "TELEMETRY_TOO_LARGE", "Unsupported"],

  // Share groups, which leat does not use.
  [121, "INVALID_RECORD_STATE", "LaneLost"],
  [122, "SHARE_SESSION_NOT_FOUND", "Unavailable"],
  [123, "INVALID_SHARE_SESSION_EPOCH", "Unavailable"],
  [124, "FENCED_STATE_EPOCH", "Unavailable"],
  [133, "SHARE_SESSION_LIMIT_REACHED", "Full"],

  // Kafka Streams, which leat is not.
  [130, "STREAMS_INVALID_TOPOLOGY", "Unsupported"],
  [131, "STREAMS_INVALID_TOPOLOGY_EPOCH", "Unsupported"],
  [132, "STREAMS_TOPOLOGY_FENCED", "Unsupported"],

  // Among brokers and controllers. Where one of them reaches a client all the same, epochs pass and the rest does not.
  [11, "STALE_CONTROLLER_EPOCH", "Unavailable"],
  [77, "STALE_BROKER_EPOCH", "Unavailable"],
  [107, "INELIGIBLE_REPLICA", "Unavailable"],
  [108, "NEW_LEADER_ELECTED", "Unavailable"],
  [94, "INCONSISTENT_VOTER_SET", "Unsupported"],
  [95, "INVALID_UPDATE_VERSION", "Unsupported"],
  [96, "FEATURE_UPDATE_FAILED", "Unsupported"],
  [98, "SNAPSHOT_NOT_FOUND", "Unsupported"],
  [99, "POSITION_OUT_OF_RANGE", "Unsupported"],
  [101, "DUPLICATE_BROKER_REGISTRATION", "Unsupported"],
  [102, "BROKER_ID_NOT_REGISTERED", "Unsupported"],
  [116, "UNKNOWN_CONTROLLER_ID", "Unsupported"],
  [119, "INVALID_REGISTRATION", "Unsupported"],
  [125, "INVALID_VOTER_KEY", "Unsupported"],
  [126, "DUPLICATE_VOTER", "Unsupported"],
  [127, "VOTER_NOT_FOUND", "Unsupported"]
] as const satisfies ReadonlyArray<Row>

const byCode: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row[0], row]))

/**
 * The codes by their names in the protocol.
 *
 * @example
 * ```ts
 * kafkaCodes.NOT_ENOUGH_REPLICAS // 19
 * ```
 */
export const kafkaCodes = Object.fromEntries(rows.map(([code, name]) => [name, code])) as {
  readonly [Name in (typeof rows)[number][1]]: number
}

/**
 * Why a request failed that was answered with this code. A code that no version up to 4.3 knows is `Unknown`.
 *
 * @example
 * ```ts
 * reasonOfCode(19) // "NotEnoughReplicas"
 * ```
 */
export function reasonOfCode(code: number): TransportReason {
  return byCode.get(code)?.[2] ?? "Unknown"
}

/**
 * The protocol's name of a code, for a person; the number where it has none.
 *
 * @example
 * ```ts
 * nameOfCode(19) // "NOT_ENOUGH_REPLICAS"
 * nameOfCode(999) // "error code 999"
 * ```
 */
export function nameOfCode(code: number): string {
  return byCode.get(code)?.[1] ?? `error code ${code}`
}

/**
 * What became of the records of a produce request with acks=all that was answered with this code: a run's `fate`.
 * `DUPLICATE_SEQUENCE_NUMBER` is `stored`, without a position: an earlier try of the same batch is in the log. That holds
 * where the client numbers every batch once; one that does not (kafkajs) must not be asked to be idempotent.
 *
 * @example
 * ```ts
 * fateOfCode(0) // "stored"
 * fateOfCode(19) // "notStored"
 * fateOfCode(6) // "unknown": NOT_LEADER_OR_FOLLOWER
 * ```
 */
export function fateOfCode(code: number): "stored" | "notStored" | "unknown" {
  if (code === kafkaCodes.NONE || code === kafkaCodes.DUPLICATE_SEQUENCE_NUMBER) return "stored"
  return reasons[reasonOfCode(code)].mayBeStored ? "unknown" : "notStored"
}
