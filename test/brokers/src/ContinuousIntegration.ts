import type { KafkaMissing } from "./KafkaMissing.ts"

/** Where CI is set, what is missing is a fault: a suite that is skipped there would never be missed. */
export function failInContinuousIntegration({ reason }: KafkaMissing): void {
  if (!["", "0", "false", undefined].includes(process.env["CI"])) throw new Error(`CI needs a Kafka: ${reason}`)
}
