// A `globalSetup` of vitest: one Kafka for all projects that list this file, started before their first test.
import type { TestProject } from "vitest/node"
import { failInContinuousIntegration } from "./ContinuousIntegration.ts"
import { isMissing } from "./KafkaMissing.ts"
import type { KafkaMissing } from "./KafkaMissing.ts"
import type { SharedKafka } from "./SharedKafka.ts"
import { shareKafka } from "./SharedKafka.ts"

interface Shared {
  users: number
  kafka: Promise<SharedKafka | KafkaMissing>
}

// vitest loads this file once per project, all in one process: what they share cannot live in the module.
const place: typeof globalThis & { leatSharedKafka?: Shared | undefined } = globalThis

const say = (sentence: string) => void process.stderr.write(`leat: ${sentence}\n`)

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = (place.leatSharedKafka ??= { users: 0, kafka: shareKafka(process.env, say) })
  shared.users += 1
  const kafka = await shared.kafka
  if (isMissing(kafka)) {
    failInContinuousIntegration(kafka)
    say(`tests that need a Kafka are skipped: ${kafka.reason}`)
    project.provide("kafkaBootstrap", undefined)
    project.provide("kafkaReason", kafka.reason)
    return () => Promise.resolve()
  }
  project.provide("kafkaBootstrap", kafka.bootstrap)
  project.provide("kafkaReason", undefined)
  return async () => {
    shared.users -= 1
    if (shared.users > 0) return
    place.leatSharedKafka = undefined
    await kafka.close()
  }
}
