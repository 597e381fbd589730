import { askMetadata } from "./KafkaFrames.ts"
import type { KafkaMissing } from "./KafkaMissing.ts"
import { KafkaMissingError } from "./KafkaMissing.ts"
import { startKafka } from "./startKafka.ts"

const answerMsMax = 10_000

/** A Kafka that many tests use at once: nobody may kill it. */
export interface SharedKafka {
  readonly bootstrap: string
  readonly close: () => Promise<void>
}

/** The one named in KAFKA_BROKERS, else one node of our own. */
export async function shareKafka(
  environment: NodeJS.ProcessEnv,
  say: (sentence: string) => void
): Promise<SharedKafka | KafkaMissing> {
  const named = environment["KAFKA_BROKERS"]
  if (named !== undefined && named !== "") {
    await mustAnswer(named)
    return { bootstrap: named, close: () => Promise.resolve() }
  }
  try {
    const { bootstrap, close } = await startKafka({}, say)
    return { bootstrap, close }
  } catch (error) {
    if (error instanceof KafkaMissingError) return { reason: error.reason }
    throw error
  }
}

/** Whoever names a broker wants the tests to use it: one that does not answer is a fault, no reason to skip. */
async function mustAnswer(bootstrap: string): Promise<void> {
  const [first = ""] = bootstrap.split(",")
  const [, host = "", port = ""] = /^(.+):(\d+)$/.exec(first) ?? []
  if (host === "") throw new Error(`KAFKA_BROKERS is ${bootstrap}, which is not host:port[,host:port...]`)
  await askMetadata(host, Number(port), answerMsMax).catch((cause: unknown) => {
    throw new Error(`no Kafka answers at ${first}, which KAFKA_BROKERS names`, { cause })
  })
}
