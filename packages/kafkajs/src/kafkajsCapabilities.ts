import { kafkaCapabilities, type KafkaOptions } from "@leat/kafka"
import type { Capabilities } from "leat/transport"

/**
 * The capabilities of this driver. Only the largest record depends on the options.
 *
 * @example
 * ```ts
 * kafkajsCapabilities({ recordBytesMax: 65_536 }).ordering // "exceptAfterInDoubt"
 * ```
 */
export function kafkajsCapabilities(options: Pick<KafkaOptions, "recordBytesMax"> = {}): Capabilities {
  return kafkaCapabilities(options, {
    // One request in flight per partition. A request without an answer may still be stored later, and nothing can fence it: the
    // idempotence of kafkajs is broken.
    ordering: "exceptAfterInDoubt",
    fencing: "none",
    // One record batch in each request, which brokers store as a whole or not at all.
    batch: "atomic",
    appendWithPosition: true,
    // Rebalances are cooperative: a partition is assigned to another member only after its release.
    handover: "drain",
    backpressure: "lane",
    dedupe: { kind: "none", windowMs: 0 }
  })
}
