import type { Capabilities } from "leat/transport"

/** How a log is opened; the same fields as in a cluster section of a route document. All but the directory have defaults. */
export interface LogOptions {
  /** Where the log lives; created when it is not there. One directory is one log, for any number of processes of one machine. */
  readonly directory: string
  /** Partitions of a topic that is created by its first use; 4 when absent. */
  readonly partitions?: number | undefined
  /** Largest record (key + headers + value) in bytes; 1 MiB when absent. */
  readonly recordBytesMax?: number | undefined
  /**
   * What topics keep that say nothing themselves: batches younger than `timeMs`, and the newest `bytes` of each partition. Everything when absent.
   * After a boot, nothing from before it is deleted by its age for an hour.
   */
  readonly retention?:
    | {
        readonly timeMs?: number | undefined
        readonly bytes?: number | undefined
        /**
         * How long event ids are kept after the last append of the process that made them, in milliseconds, to the hour; 7 days when absent.
         * An event that is sent again after that is stored again.
         */
        readonly idsMs?: number | undefined
      }
    | undefined
  /** Most bytes that the log's file may take; beyond it sends fail with `Full`. What the volume has when absent. */
  readonly bytesMax?: number | undefined
  /** How long a member of a group may give no sign of life before it loses its lanes, in milliseconds; 3000 when absent. */
  readonly leaseMs?: number | undefined
}

export const defaults = {
  partitions: 4,
  recordBytesMax: 1024 * 1024,
  leaseMs: 3000,
  idsMs: 7 * 24 * 3_600_000
} as const

/**
 * What a log can do: everything that one machine can promise. The largest record, in bytes, and for how long ids are kept are a matter of options.
 *
 * @example
 * ```ts
 * logCapabilities({ recordBytesMax: 65_536 }).acks // ["fsync"]
 * ```
 */
export function logCapabilities(options: Pick<LogOptions, "recordBytesMax" | "retention"> = {}): Capabilities {
  const { recordBytesMax, retention } = options
  return {
    ordering: "perPartition",
    pipeline: 1,
    batch: "atomic",
    appendWithPosition: true,
    replay: { offset: true, time: true },
    groups: "lease",
    handover: "drain",
    backpressure: "lane",
    fencing: "hard",
    acks: ["fsync"],
    dedupe: { kind: "messageId", windowMs: retention?.idsMs ?? defaults.idsMs },
    transactions: false,
    compaction: true,
    headers: { binary: true, duplicates: true },
    recordBytesMax: recordBytesMax ?? defaults.recordBytesMax,
    lag: "exact",
    partitions: "fixed",
    ephemeral: false
  }
}
