/** Compression of the records that a producer sends. Which codecs there are depends on how librdkafka was built. */
import type { TransportError } from "leat/transport"
import type { KafkaJavascript } from "./client.ts"
import { failure } from "./failure.ts"

export const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const

/** A codec, as Kafka calls it. */
export type Compression = (typeof compressions)[number]

export function isCompression(value: unknown): value is Compression {
  return compressions.some((one) => one === value)
}

/** The failure of opening a cluster with a codec that the addon of this machine does not have. */
export function missingCodec(
  { features }: Pick<KafkaJavascript, "features">,
  compression: Compression
): TransportError | undefined {
  if (compression === "none" || features.includes(compression)) return undefined
  const detail =
    `the addon of @confluentinc/kafka-javascript on this machine was built without ${compression}; choose another \`compression\` ` +
    `(it has ${compressions.filter((one) => features.includes(one)).join(", ")}), or build it with ${compression}: ` +
    "`npm run confluent` in leat's repository does, elsewhere it needs the headers of that library"
  return failure("Unsupported", "open", detail)
}
