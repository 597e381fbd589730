import { createRequire } from "node:module"
import { isContinuousIntegration } from "./ContinuousIntegration.ts"

/** Why the native addon of the Confluent client cannot be used here, or not for a codec; undefined: it can. In CI that is an error. */
export function missingAddon(codec?: string): string | undefined {
  const remedy = "npm run confluent makes it"
  const reason = (text: string, cause?: unknown) => {
    if (isContinuousIntegration()) throw new Error(`CI needs it: ${text}`, { cause })
    return text
  }
  try {
    const { features } = createRequire(import.meta.url)("@confluentinc/kafka-javascript") as Client
    if (codec === undefined || features.includes(codec)) return undefined
  } catch (error) {
    const [said = ""] = String(error).split("\n")
    return reason(`the addon of @confluentinc/kafka-javascript does not load (${said}): ${remedy}`, error)
  }
  return reason(`the addon of @confluentinc/kafka-javascript was built without ${codec}: ${remedy} with it`)
}

interface Client {
  readonly features: ReadonlyArray<string>
}
