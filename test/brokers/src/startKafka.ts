import { prepareQuickStarts } from "./ClassArchive.ts"
import type { Kafka, KafkaOptions } from "./KafkaCluster.ts"
import { startCluster } from "./KafkaCluster.ts"
import { isMissing, KafkaMissingError } from "./KafkaMissing.ts"
import { findKafka } from "./KafkaProgram.ts"

/**
 * Starts an Apache Kafka of one or three nodes, of this process's own: to be killed, stopped and thrown away. Rejects with a
 * `KafkaMissingError` on a machine that has none and cannot get one.
 */
export async function startKafka(
  options: KafkaOptions = {},
  say: (sentence: string) => void = () => undefined
): Promise<Kafka> {
  const program = await findKafka(process.env, say)
  if (isMissing(program)) throw new KafkaMissingError(program)
  await prepareQuickStarts(program, say)
  return startCluster(program, options)
}
