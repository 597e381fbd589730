/**
 * What becomes of the records of a spill or a fallback that their destination refuses, as a synchronous state machine: what a lane does about them, with the rules
 * of the same sink. Failures that pass are not judged: the record is kept, and is sent again until it is stored.
 *
 * Attempts and time count from the first refusal of a range, and once for all of it: halving, which finds the records that are refused, is no attempt.
 *
 * @example
 * ```ts
 * const refusals = new Refusals(rules)
 * const to = refusals.until(from, batch.count)
 * if (isRefused(failed)) verdict = refusals.judge({ from, to, isMarker: false }, failed.error, { nowMs, random })
 * ```
 */
import { decide } from "../../Policy.ts"
import type { Run, TransportError } from "../../transport/index.ts"
import type { AnswerFacts, Halted } from "../LaneHome.ts"
import type { LaneRules } from "../LaneRules.ts"
import { isForStandIn } from "../isForStandIn.ts"
import { waitMsOf } from "../waitMsOf.ts"

/** What is done about a refusal. */
export type Verdict =
  /** All of it is sent again, after so long; undefined: as after a failure that passes. */
  | { readonly _tag: "Again"; readonly waitMs: number | undefined }
  /** The first half of it is sent. */
  | { readonly _tag: "Halve" }
  /** Of a record alone. */
  | { readonly _tag: "Drop" }
  | { readonly _tag: "SetAside" | "Halt"; readonly failure: Halted }

/** Records [from, to) of a batch that were refused together. */
interface Refused {
  readonly from: number
  readonly to: number
  /** Whether the first of them only announces drops and is no event. */
  readonly isMarker: boolean
}

/** A range that was refused, or what is left of it. */
interface Trial {
  from: number
  readonly to: number
  attempts: number
  readonly firstRefusedMs: number
  countedMs: number
  /** Whether one of it may be set aside although most of what is sent fails. */
  isLet: boolean
}

/** Of one batch. */
export class Refusals {
  readonly #rules: Pick<LaneRules, "policy" | "outage">
  readonly #most: number
  #limit: number
  #trial: Trial | undefined

  /** `most`: records that are sent at once. */
  constructor(rules: Pick<LaneRules, "policy" | "outage">, most: number) {
    this.#rules = rules
    this.#most = most
    this.#limit = most
  }

  /** Where the range that begins here ends. */
  until(from: number, count: number): number {
    const ofTrial = this.#trial !== undefined && from < this.#trial.to ? this.#trial.to : count
    return Math.min(from + this.#limit, count, ofTrial)
  }

  /** What follows is sent without a record that others fail because of: so many at most. */
  limit(count: number): void {
    this.#limit = Math.max(1, count)
  }

  /** A record has ended otherwise than stored. */
  ended(): void {
    this.#limit = this.#most
    if (this.#trial !== undefined) this.#trial.isLet = false
  }

  /** So many records were stored. */
  stored(count: number, nowMs: number): void {
    this.#limit = this.#most
    this.#rules.outage?.handled(count, nowMs)
  }

  /** Goes on after a halt, with the attempts counted from zero. */
  resume(): void {
    this.#trial = undefined
  }

  judge({ from, to, isMarker }: Refused, { reason: tag, detail }: TransportError, facts: RefusalFacts): Verdict {
    const isOne = to - from === 1
    const trial = this.#trialOf(from, to, facts.nowMs)
    if (tag === "TooLarge" && !isOne) return this.#halve(from, to)
    const { attempts } = trial
    const elapsedMs = facts.nowMs - trial.firstRefusedMs
    const decision = decide(this.#rules.policy, { tag, attempts, elapsedMs, random: facts.random })
    const isOfRecord = tag === "Rejected" || tag === "TooLarge"
    // A missing right may pass; what is wrong with the record itself does not, and it is kept elsewhere already.
    const isPassing = isForStandIn(decision) && !isOfRecord
    const waitMs = waitMsOf(trial, decision, tag, facts, trial.isLet ? undefined : this.#rules.outage)
    if (waitMs !== undefined || isPassing) {
      trial.attempts++
      return { _tag: "Again", waitMs }
    }
    trial.isLet = true
    if (!isOne) return this.#halve(from, to)
    const ending = "ending" in decision ? decision.ending : "halt"
    // A marker is no event that anybody would miss.
    if (ending === "drop" || isMarker) return { _tag: "Drop" }
    return { _tag: ending === "deadLetter" ? "SetAside" : "Halt", failure: { tag, attempts, detail } }
  }

  #trialOf(from: number, to: number, nowMs: number): Trial {
    const trial = this.#trial
    if (trial !== undefined && from < trial.to) {
      trial.from = from
      return trial
    }
    const begun = { from, to, attempts: 1, firstRefusedMs: nowMs, countedMs: Number.NEGATIVE_INFINITY, isLet: false }
    this.#trial = begun
    return begun
  }

  #halve(from: number, to: number): Verdict {
    this.#limit = Math.max(1, (to - from) >> 1)
    return { _tag: "Halve" }
  }
}

type RefusalFacts = Pick<AnswerFacts, "nowMs" | "random">

/** Whether a run was refused for good, and why. */
export function isRefused(run: Run | undefined): run is Run & { readonly error: TransportError } {
  return run?.fate === "notStored" && run.error !== undefined && !run.error.isRetryable
}
