/** What keeps a step of a move from being done for now: it is tried again. */
import { TaggedError } from "../given/TaggedError.ts"

export class Trouble extends TaggedError("Trouble")<{
  /** For a person, as the rest of a sentence. */
  readonly why: string
  /** What the cluster says. */
  readonly reason?: string
}> {
  override get message(): string {
    return this.why
  }
}
