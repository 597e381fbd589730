import type { KafkaMissing } from "./KafkaMissing.ts"

export const isContinuousIntegration = (): boolean => !["", "0", "false", undefined].includes(process.env["CI"])

/** Where CI is set, what is missing is a fault: a suite that is skipped there would never be missed. */
export function failInContinuousIntegration({ reason }: KafkaMissing): void {
  if (isContinuousIntegration()) throw new Error(`CI needs a Kafka: ${reason}`)
}
