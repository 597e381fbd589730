/**
 * What to do when something fails: an ordered list of rules. First match wins, no match is `halt`, composition is
 * concatenation (associative, with the empty list as identity). A policy is plain data: print it, diff it, store it in a
 * route document. `leat` exports this module as `Policy`.
 *
 * @example
 * ```ts
 * import { Policy } from "leat"
 *
 * const realtime: Policy.Policy = [
 *   { on: ["Unavailable", "Timeout"], retry: { times: 5, baseMs: 50, factor: 2 }, then: "drop" },
 *   { on: ["*"], then: "halt" }
 * ]
 * yield* sightings.handle("positions", (event) => estimate(event), { policy: realtime })
 * ```
 */

/**
 * Where a record ends when its retries are used up. `deadLetter` and `spill` are refused in route documents until a sink
 * can do them; in a policy given in code they halt.
 */
export type Ending = "drop" | "deadLetter" | "spill" | "halt"

/** How often, and with which delays, a rule tries again. Without bounds it never gives up. */
export interface Retry {
  /** Retries after the first attempt; absent: no limit by number. */
  readonly times?: number
  /** No retry begins later than this after the first attempt, in milliseconds; absent: no limit by time. */
  readonly deadlineMs?: number
  /** Delay before the first retry, in milliseconds. */
  readonly baseMs: number
  /** Each delay is the last one times this; 1 when absent. */
  readonly factor?: number
  /** Upper bound of a delay in milliseconds; absent: 30,000. */
  readonly maxDelayMs?: number
  /** Part of each delay that chance may take away, 0 to 1; absent: 0.2, so that many lanes do not come back in step. */
  readonly jitter?: number
}

/** What to do about some failures: perhaps retries, then an ending. */
export interface Rule {
  /**
   * Tags of the failures this rule is for: the `reason` of a `TransportError`, the `_tag` of a typed error, else the name
   * of the error; `*` is any.
   */
  readonly on: ReadonlyArray<string>
  /** Absent: the ending at once. */
  readonly retry?: Retry
  readonly then: Ending
}

/** Rules in order; the first whose `on` names the failure decides, and no match is `halt`. */
export type Policy = ReadonlyArray<Rule>

/** One failure, as the policy sees it. Attempts and elapsed time count per record, across tags. */
export interface Failure {
  readonly tag: string
  /** Attempts made so far, 1 or more. */
  readonly attempts: number
  /** Milliseconds since the first attempt began. */
  readonly elapsedMs: number
  /** Chance for the jitter, [0, 1). */
  readonly random: number
}

/** Try again after so many milliseconds, or end so. */
export type Decision = { readonly retryAfterMs: number } | { readonly ending: Ending }

const maxDelayMsDefault = 30_000
const jitterDefault = 0.2

/**
 * What happens to a record after this failure. Pure and total: the chance for the jitter is an argument.
 *
 * @example
 * ```ts
 * Policy.decide(realtime, { tag: "Timeout", attempts: 1, elapsedMs: 80, random: 0.5 }) // { retryAfterMs: 45 }
 * Policy.decide(realtime, { tag: "Timeout", attempts: 6, elapsedMs: 3000, random: 0.5 }) // { ending: "drop" }
 * ```
 */
export function decide(policy: Policy, failure: Failure): Decision {
  const rule = policy.find(({ on }) => on.includes(failure.tag) || on.includes("*"))
  if (rule === undefined) return { ending: "halt" }
  const { retry } = rule
  if (retry === undefined || failure.attempts > (retry.times ?? Infinity)) return { ending: rule.then }
  const delay = Math.min(
    // The power of a lane that retries for ever is Infinity some day, and 0 times Infinity is no delay.
    retry.baseMs * Math.min((retry.factor ?? 1) ** (failure.attempts - 1), Number.MAX_VALUE),
    retry.maxDelayMs ?? maxDelayMsDefault
  )
  const retryAfterMs = delay * (1 - (retry.jitter ?? jitterDefault) * failure.random)
  if (failure.elapsedMs + retryAfterMs > (retry.deadlineMs ?? Infinity)) return { ending: rule.then }
  return { retryAfterMs }
}

/**
 * Concatenation: the rules of the first policy are asked first.
 *
 * @example
 * ```ts
 * Policy.concat([{ on: ["Malformed"], then: "drop" }], Policy.atLeastOnce)
 * ```
 */
export function concat(...policies: ReadonlyArray<Policy>): Policy {
  return policies.flat()
}

/**
 * What a leg or subscription without a policy does: passing faults are retried for ever, everything else stops the lane and
 * asks for a person. Nothing is lost that was not decided to be.
 *
 * @example
 * ```ts
 * Policy.decide(Policy.atLeastOnce, { tag: "TooLarge", attempts: 1, elapsedMs: 0, random: 0 }) // { ending: "halt" }
 * ```
 */
export const atLeastOnce: Policy = [
  {
    on: [
      "Unavailable",
      "Timeout",
      "Disconnected",
      "Throttled",
      "NotEnoughReplicas",
      "NotEnoughReplicasAfterAppend",
      "UnknownTopic",
      "Full",
      "Unknown"
    ],
    retry: { baseMs: 100, factor: 2, maxDelayMs: 10_000 },
    then: "halt"
  }
]

/**
 * One line per rule, for people and diffs.
 *
 * @example
 * ```ts
 * Policy.print([{ on: ["Timeout"], retry: { times: 5, baseMs: 50, factor: 2 }, then: "drop" }])
 * // ["on Timeout: 5 retries from 50 ms x2, then drop"]
 * ```
 */
export function print(policy: Policy): ReadonlyArray<string> {
  return policy.map(({ on, retry, then }) => {
    const tries =
      retry === undefined
        ? ""
        : `${retry.times ?? "unlimited"} retries from ${retry.baseMs} ms x${retry.factor ?? 1}` +
          (retry.deadlineMs === undefined ? "" : ` within ${retry.deadlineMs} ms`) +
          ", "
    return `on ${on.join(", ")}: ${tries}then ${then}`
  })
}
