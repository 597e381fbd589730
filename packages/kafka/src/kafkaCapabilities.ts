/** What Kafka can do, whichever client asks it; the rest is for each driver to say. */
import type { Capabilities } from "leat/transport"
import { kafkaDefaults, type KafkaOptions } from "./KafkaOptions.ts"

/** What depends on how a client is used: a driver states these, and may state less than Kafka of the others. */
export type OwnCapabilities = Pick<
  Capabilities,
  "ordering" | "batch" | "appendWithPosition" | "handover" | "backpressure" | "fencing" | "dedupe"
> &
  Partial<Capabilities>

/**
 * Capabilities of a Kafka driver. Only the largest record, in bytes, is a matter of options.
 *
 * @example
 * ```ts
 * const capabilities = kafkaCapabilities(options, {
 *   ordering: "exceptAfterInDoubt",
 *   batch: "atomic",
 *   appendWithPosition: true,
 *   handover: "drain",
 *   backpressure: "lane",
 *   fencing: "none",
 *   dedupe: { kind: "none", windowMs: 0 }
 * })
 * ```
 */
export function kafkaCapabilities(
  { recordBytesMax }: Pick<KafkaOptions, "recordBytesMax">,
  own: OwnCapabilities
): Capabilities {
  return {
    pipeline: 1,
    replay: { offset: true, time: true },
    groups: "broker",
    // With acks=all. Brokers acknowledge from memory: no fsync.
    acks: ["quorum"],
    transactions: false,
    compaction: true,
    headers: { binary: true, duplicates: true },
    recordBytesMax: recordBytesMax ?? kafkaDefaults.recordBytesMax,
    lag: "exact",
    partitions: "growable",
    ephemeral: false,
    ...own
  }
}
