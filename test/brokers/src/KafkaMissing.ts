/** Why this machine cannot run a Kafka: one sentence that says what is missing and what to do about it. */
export interface KafkaMissing {
  readonly reason: string
}

export const isMissing = (found: object): found is KafkaMissing => "reason" in found

/** Thrown where somebody asks for a running Kafka and the machine has none. */
export class KafkaMissingError extends Error implements KafkaMissing {
  override readonly name = "KafkaMissingError"
  readonly reason: string

  constructor(missing: KafkaMissing) {
    super(missing.reason)
    this.reason = missing.reason
  }
}
