/**
 * Kafka's own tool for this, in Java: for orientation, because it sends random bytes without keys and headers and makes no records of
 * events. With Kafka's own defaults: acks of all replicas, idempotent, batches of 16 KiB, a linger of 5 ms.
 */
import { findKafka, isMissing } from "@leat/brokers"
import { round } from "../measure.ts"
import type { Guarded } from "./Guarded.ts"

export interface ToolFigures {
  readonly valueBytes: number
  readonly recordsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Part of the records that warms the JVM up and is not counted. */
const warmUpPart = 0.25

export async function producerPerformance(
  guarded: Guarded,
  bootstrap: string,
  topic: string,
  load: { readonly valueBytes: number; readonly records: number }
): Promise<ToolFigures> {
  const program = await findKafka()
  if (isMissing(program)) throw new Error(program.reason)
  const options: Readonly<Record<string, string>> = {
    "--bootstrap-server": bootstrap,
    "--topic": topic,
    "--throughput": "-1",
    "--num-records": String(load.records),
    "--record-size": String(load.valueBytes),
    "--warmup-records": String(Math.round(load.records * warmUpPart)),
    "--command-property": "acks=all"
  }
  const java = ["-Xmx512m", "-Xlog:disable", "-cp", program.classPath, "org.apache.kafka.tools.ProducerPerformance"]
  const printed = await guarded.run(program.java.java, [...java, ...Object.entries(options).flat()])
  const last = /([\d.]+) records\/sec.*?([\d.]+) ms 50th.*?([\d.]+) ms 99th/.exec(
    printed.trim().split("\n").at(-1) ?? ""
  )
  if (last === null) throw new Error(`Kafka's ProducerPerformance said ${printed}`)
  const [, perSecond, p50Ms, p99Ms] = last.map(Number)
  return {
    valueBytes: load.valueBytes,
    recordsPerSecond: Math.round(perSecond ?? Number.NaN),
    p50Ms: round(p50Ms ?? Number.NaN),
    p99Ms: round(p99Ms ?? Number.NaN)
  }
}
