/** What an inbox says of one call of a handler, in place of the handler. */
import type { Failure } from "./Failure.ts"

type Verdict = Extract<Failure, { readonly copies: number } | { readonly apart: true }>

export class InboxVerdict {
  readonly #verdict: Verdict

  constructor(verdict: Verdict) {
    this.#verdict = verdict
  }

  /** The verdict that something is, which may be anything: no getter of it runs, and no trap. */
  static of(told: unknown): Verdict | undefined {
    return typeof told === "object" && told !== null && #verdict in told ? told.#verdict : undefined
  }
}
