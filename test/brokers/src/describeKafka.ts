import { describe, inject } from "vitest"
import { missingAddon } from "./confluentAddon.ts"
import { failInContinuousIntegration } from "./ContinuousIntegration.ts"
import { isMissing } from "./KafkaMissing.ts"
import { findKafka } from "./KafkaProgram.ts"

declare module "vitest" {
  interface ProvidedContext {
    readonly kafkaBootstrap: string | undefined
    /** Why there is none. */
    readonly kafkaReason: string | undefined
  }
}

export interface SuiteNeeds {
  /** The native addon of the Confluent client too. */
  readonly isConfluent?: boolean
  /** A codec that the addon must have. */
  readonly codec?: string
  /** Its tests run side by side, and beside other suites of the file that are so too: for those that mostly wait. */
  readonly isConcurrent?: boolean
}

/**
 * A suite that needs a Kafka, which it shares with others: it takes topics and groups of its own and kills nobody. Where there is
 * none the suite is skipped, and its name says why. The vitest project must list `vitestSetup.ts` as `globalSetup`.
 */
export function describeKafka(
  name: string,
  define: (bootstrap: string) => void,
  { isConfluent = false, codec, isConcurrent = false }: SuiteNeeds = {}
): void {
  const bootstrap = inject("kafkaBootstrap")
  const reason = inject("kafkaReason") ?? "the vitest project does not list vitestSetup.ts of @leat/brokers"
  const missing = bootstrap === undefined ? reason : isConfluent ? missingAddon(codec) : undefined
  describeUnless(missing, name, () => define(bootstrap ?? ""), isConcurrent)
}

/** A suite that starts, and may kill, Kafkas of its own, by `startKafka`. To be awaited at the top of a test file. */
export async function describeOwnKafka(
  name: string,
  define: () => void,
  { isConfluent = false, codec, isConcurrent = false }: SuiteNeeds = {}
): Promise<void> {
  const found = await findKafka()
  if (isMissing(found)) failInContinuousIntegration(found)
  const missing = isMissing(found) ? found.reason : isConfluent ? missingAddon(codec) : undefined
  describeUnless(missing, name, define, isConcurrent)
}

function describeUnless(reason: string | undefined, name: string, define: () => void, isConcurrent = false): void {
  const title = reason === undefined ? name : `${name} (skipped: ${reason})`
  // oxlint-disable-next-line vitest/valid-title, vitest/valid-describe-callback
  describe(title, { skip: reason !== undefined, concurrent: isConcurrent }, define)
}
