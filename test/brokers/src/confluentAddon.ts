import { createRequire } from "node:module"
import { isContinuousIntegration } from "./ContinuousIntegration.ts"

/** Why the native addon of the Confluent client cannot be used here; undefined: it can. In CI that is an error. */
export function missingAddon(): string | undefined {
  try {
    createRequire(import.meta.url)("@confluentinc/kafka-javascript")
    return undefined
  } catch (error) {
    const reason = "the addon of @confluentinc/kafka-javascript is not there: npm run confluent makes it"
    if (isContinuousIntegration()) throw new Error(`CI needs it: ${reason}`, { cause: error })
    return reason
  }
}
