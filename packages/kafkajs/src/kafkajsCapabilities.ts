import { kafkaCapabilities, type KafkaOptions } from "@leat/kafka"
import type { Capabilities } from "leat/transport"

/**
 * What this driver can do. Only the largest record, in bytes, is a matter of options.
 *
 * @example
 * ```ts
 * kafkajsCapabilities({ recordBytesMax: 65_536 }).ordering // "exceptAfterInDoubt"
 * ```
 */
export function kafkajsCapabilities(options: Pick<KafkaOptions, "recordBytesMax"> = {}): Capabilities {
  return kafkaCapabilities(options, {
    // One request of a partition at a time, in order. What was written and never answered may still land, and nothing that
    // kafkajs has can end that: its idempotence is broken.
    ordering: "exceptAfterInDoubt",
    fencing: "none",
    // One record batch in each request: a broker takes it whole or not at all.
    batch: "atomic",
    appendWithPosition: true,
    // Rebalances are cooperative and driven from here: a partition is asked for by nobody else before it is released.
    handover: "drain",
    backpressure: "lane",
    dedupe: { kind: "none", windowMs: 0 }
  })
}
