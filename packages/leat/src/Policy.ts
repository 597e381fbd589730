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
 *   { on: ["passing"], retry: { times: 5, baseMs: 50, factor: 2 }, then: "drop" },
 *   { on: ["*"], then: "halt" }
 * ]
 * yield* sightings.handle("positions", (event) => estimate(event), { policy: realtime })
 * ```
 */
import { meant } from "./given/nearest.ts"
import { isObject, shown, takes } from "./given/takes.ts"
import { breakerOpen, isPassing, spillExpired } from "./reasons.ts"

/**
 * Where a record ends when its retries are used up. `deadLetter`: a topic keeps it, of a subscription one of the group's own, of a leg
 * `{topic}.undelivered`; where none can, its key halts, or its lane. `spill`: a local disk keeps it until its destination takes it, in order; of
 * legs only. `fallback`: another cluster takes it; of legs only.
 */
export type Ending = "drop" | "deadLetter" | "spill" | "fallback" | "halt"

/** How often, and with which delays, a rule tries again. Without bounds it never gives up. */
export interface Retry {
  /** Retries after the first attempt; absent: no limit by number. */
  readonly times?: number | undefined
  /** No retry begins later than this after the first attempt, in milliseconds; absent: no limit by time. */
  readonly deadlineMs?: number | undefined
  /** Delay before the first retry, in milliseconds. From the eleventh retry on no delay is below 10 ms, also with a base of 0. */
  readonly baseMs: number
  /** Each delay is the last one times this; 1 when absent. */
  readonly factor?: number | undefined
  /** Upper bound of a delay in milliseconds; absent: 30,000, or the base where that is more. */
  readonly maxDelayMs?: number | undefined
  /** Part of each delay that chance may take away, 0 to 1; absent: 0.2, so that many lanes do not come back in step. */
  readonly jitter?: number | undefined
  /**
   * Legs only: retries of the destination, of all its partitions together, are at most this share of its first sends, 0 to 1, and one in a second
   * in any case. A retry beyond it waits; it is not given up for that. Of several rules that say one the first counts, for the retries of
   * all. Absent in all: no limit.
   */
  readonly budget?: number | undefined
}

/** What to do about some failures: perhaps retries, then an ending. */
export interface Rule {
  /**
   * Tags of the failures this rule is for: the `reason` of a `TransportError`, the `_tag` of a typed error, else the name
   * of the error; `passing` is every reason that may pass by itself (`isRetryable`), `*` is any failure. `BreakerOpen`, which a leg with a breaker
   * has, is in neither: such a rule has no `retry`, and says `drop` or `spill`. Nor is `SpillExpired`, which a spill with an `age` has: no `retry`, and
   * `drop` or `deadLetter`.
   */
  readonly on: ReadonlyArray<string>
  /** Absent: the ending at once. A `CrashLoop` is tried again only where this has no limit. */
  readonly retry?: Retry | undefined
  /**
   * Subscriptions only: how long one attempt of a handler may take, in milliseconds; then it is told to end, and fails as `HandlerTimeout`. Of
   * several rules that say one the first counts. Absent in all: no limit.
   */
  readonly timeoutMs?: number | undefined
  readonly then: Ending
}

/** Rules in order; the first whose `on` names the failure decides, and no match is `halt`. */
export type Policy = ReadonlyArray<Rule>

/** A policy of which a subscription can do all endings. */
export type HandlerPolicy = ReadonlyArray<Rule & { readonly then: "drop" | "deadLetter" | "halt" }>

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

/** Retries without a floor: a short fault is passed as fast as the rule says, a long one does not keep a core busy. */
const retriesUnbounded = 10
/** The least delay after that, in milliseconds. */
const delayMsFloor = 10

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
  takes("Policy.decide", "a policy and a failure", Array.isArray(policy) && isObject(failure), policy)
  const rule = policy.find(({ on }) => names(on, failure.tag))
  if (rule === undefined) return { ending: "halt" }
  // The attempts of a crash loop were the processes that died, and each process would count them anew: only a rule that never gives up goes on.
  const retry = failure.tag === "CrashLoop" && isLimited(rule.retry) ? undefined : rule.retry
  if (retry === undefined || failure.attempts > (retry.times ?? Infinity)) return { ending: rule.then }
  const delay = Math.min(
    // The power of a lane that retries for ever is Infinity some day, and 0 times Infinity is no delay.
    retry.baseMs * Math.min((retry.factor ?? 1) ** (failure.attempts - 1), Number.MAX_VALUE),
    retry.maxDelayMs ?? Math.max(maxDelayMsDefault, retry.baseMs)
  )
  const shortened = delay * (1 - (retry.jitter ?? jitterDefault) * failure.random)
  const retryAfterMs = failure.attempts > retriesUnbounded ? Math.max(shortened, delayMsFloor) : shortened
  if (failure.elapsedMs + retryAfterMs > (retry.deadlineMs ?? Infinity)) return { ending: rule.then }
  return { retryAfterMs }
}

function isLimited(retry: Retry | undefined): boolean {
  return retry?.times !== undefined || retry?.deadlineMs !== undefined
}

/**
 * Whether the rule that decides about a failure tries again at all. One without `retry` says that no retry helps; so does a policy that has no
 * rule for it.
 *
 * @example
 * ```ts
 * Policy.isRetried(Policy.standard, "Malformed") // false
 * Policy.isRetried(Policy.standard, "CardDeclined") // true
 * ```
 */
export function isRetried(policy: Policy, tag: string): boolean {
  takes("Policy.isRetried", "a policy", Array.isArray(policy), policy)
  return policy.find(({ on }) => names(on, tag))?.retry !== undefined
}

function names(on: ReadonlyArray<string>, tag: string): boolean {
  if (tag === breakerOpen || tag === spillExpired) return on.includes(tag)
  return on.includes(tag) || on.includes("*") || (on.includes("passing") && isPassing(tag))
}

/**
 * How long one attempt of a handler may take, in milliseconds; Infinity where no rule says.
 *
 * @example
 * ```ts
 * Policy.attemptMs([{ on: ["HandlerTimeout"], timeoutMs: 30_000, then: "deadLetter" }]) // 30000
 * ```
 */
export function attemptMs(policy: Policy): number {
  takes("Policy.attemptMs", "a policy", Array.isArray(policy), policy)
  return policy.find(({ timeoutMs }) => timeoutMs !== undefined)?.timeoutMs ?? Number.POSITIVE_INFINITY
}

/**
 * How long after the first attempt the rule for a failure still tries again, in milliseconds; Infinity where it does not say.
 *
 * @example
 * ```ts
 * Policy.deadlineMs([{ on: ["passing"], retry: { baseMs: 100, deadlineMs: 60_000 }, then: "drop" }], "Timeout") // 60000
 * ```
 */
export function deadlineMs(policy: Policy, tag: string): number {
  takes("Policy.deadlineMs", "a policy", Array.isArray(policy), policy)
  return policy.find(({ on }) => names(on, tag))?.retry?.deadlineMs ?? Number.POSITIVE_INFINITY
}

/**
 * The most retries of a destination, as a share of what is sent to it for the first time; undefined where no rule says.
 *
 * @example
 * ```ts
 * Policy.retryBudget([{ on: ["passing"], retry: { baseMs: 100, budget: 0.2 }, then: "halt" }]) // 0.2
 * ```
 */
export function retryBudget(policy: Policy): number | undefined {
  takes("Policy.retryBudget", "a policy", Array.isArray(policy), policy)
  return policy.find(({ retry }) => retry?.budget !== undefined)?.retry?.budget
}

/** One fault of a policy: where, as in `[0].retry.baseMs`, and what to do, one sentence. */
export interface PolicyFault {
  readonly path: string
  readonly message: string
}

/** A day: no timer that a process keeps is longer. */
const delayMsMax = 86_400_000

/** Least and most of each number of a retry. */
const retryBounds = [
  ["times", 0, 1_000_000_000, "a whole number"],
  ["deadlineMs", 0, 366 * delayMsMax, "milliseconds"],
  ["baseMs", 0, delayMsMax, "milliseconds"],
  ["factor", 1, 100, "a number"],
  ["maxDelayMs", 0, delayMsMax, "milliseconds"],
  ["jitter", 0, 1, "a number"],
  ["budget", 0, 1, "a number"]
] as const

/**
 * What is wrong with a policy: of a document, or given in code, where types let any number pass. Empty when it can be followed.
 *
 * @example
 * ```ts
 * Policy.faults([{ on: ["Timeout"], retry: { baseMs: Number.NaN }, then: "drop" }])
 * // [{ path: "[0].retry.baseMs", message: "NaN is not milliseconds from 0 to 86400000" }]
 * ```
 */
export function faults(policy: Policy): ReadonlyArray<PolicyFault> {
  const rules: unknown = policy
  if (typeof rules === "string") return [{ path: "", message: notNamed }]
  if (!Array.isArray(rules)) return [{ path: "", message: "is no list of rules: [{ on: [...], then: ... }]" }]
  // Spread, because holes of a list are passed over by its methods, and read by `decide`.
  return [...rules].flatMap((rule: unknown, index) => {
    const at = `[${index}]`
    if (!isObject(rule)) return [{ path: at, message: "is no rule: { on: [...], then: ... }" }]
    return [...unknownNames(rule, ruleNames, at), ...ruleFaults(rule, at)]
  })
}

const endings: ReadonlyArray<Ending> = ["drop", "deadLetter", "spill", "fallback", "halt"]

/** Names are for documents: in code a policy is a value. */
const notNamed =
  "is no list of rules: [{ on: [...], then: ... }]; in code policies have no names, and `Policy` of leat has the rules of strict and of standard: Policy.strict, Policy.standard"

function ruleFaults(
  { on, retry, timeoutMs, then }: Partial<Record<keyof Rule, unknown>>,
  at: string
): ReadonlyArray<PolicyFault> {
  const found: Array<PolicyFault> = []
  const tags: ReadonlyArray<unknown> = Array.isArray(on) ? [...on] : []
  if (tags.length === 0) found.push({ path: `${at}.on`, message: 'name a failure, or "*" for any' })
  if (tags.some((tag) => typeof tag !== "string"))
    found.push({ path: `${at}.on`, message: "the names of failures are texts" })
  if (tags.includes("")) found.push({ path: `${at}.on`, message: "a failure without a name is never met" })
  if (!endings.some((ending) => ending === then)) {
    const hint = typeof then === "string" ? meant(then, endings) : ""
    found.push({ path: `${at}.then`, message: `say drop, deadLetter, spill, fallback or halt${hint}` })
  }
  const limit: unknown = timeoutMs
  if (limit !== undefined && !(typeof limit === "number" && limit >= 1 && limit <= delayMsMax)) {
    const message = `${shown(limit)} is not milliseconds from 1 to ${delayMsMax}`
    found.push({ path: `${at}.timeoutMs`, message })
  }
  if (retry === undefined) return found
  if (!isObject(retry)) return [...found, { path: `${at}.retry`, message: "is no object: { baseMs: 100, ... }" }]
  found.push(...unknownNames(retry, retryNames, `${at}.retry`))
  for (const [field, min, max, unit] of retryBounds) {
    const value: unknown = retry[field]
    if (value === undefined && field !== "baseMs") continue
    const isNumber = typeof value === "number" && value >= min && value <= max
    if (isNumber && (field !== "times" || Number.isInteger(value))) continue
    const message = `${shown(value)} is not ${unit} from ${min} to ${max}`
    found.push({ path: `${at}.retry.${field}`, message })
  }
  return found
}

const ruleNames: ReadonlyArray<string> = ["on", "retry", "timeoutMs", "then"]
const retryNames: ReadonlyArray<string> = retryBounds.map(([field]) => field)

/** A name that is not known would be passed over in silence. The document says `base: 50 millis` where code says `baseMs: 50`. */
function unknownNames(given: object, known: ReadonlyArray<string>, at: string): ReadonlyArray<PolicyFault> {
  return Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => ({ path: `${at}.${name}`, message: `is not known here; in code a rule has ${known.join(", ")}` }))
}

/**
 * Concatenation: the rules of the first policy are asked first.
 *
 * @example
 * ```ts
 * Policy.concat([{ on: ["Malformed"], then: "drop" }], Policy.standard)
 * ```
 */
export function concat<R extends Rule>(...policies: ReadonlyArray<ReadonlyArray<R>>): ReadonlyArray<R> {
  return policies.flat()
}

/**
 * What a leg without a policy does: passing faults are retried for ever, everything else stops the lane and asks for a person. Nothing is
 * lost that was not decided to be. In a document it is called `strict`.
 *
 * @example
 * ```ts
 * Policy.decide(Policy.strict, { tag: "TooLarge", attempts: 1, elapsedMs: 0, random: 0 }) // { ending: "halt" }
 * ```
 */
export const strict: HandlerPolicy = [
  { on: ["passing"], retry: { baseMs: 100, factor: 2, maxDelayMs: 10_000 }, then: "halt" }
]

/**
 * What a subscription without a policy does: passing faults are retried for ever; what cannot be read, or ends the process, is dead-lettered at
 * once, and what fails otherwise after five retries within about three seconds. Nothing is lost. In a document it is called `standard`.
 *
 * @example
 * ```ts
 * Policy.decide(Policy.standard, { tag: "Malformed", attempts: 1, elapsedMs: 0, random: 0 }) // { ending: "deadLetter" }
 * ```
 */
export const standard: HandlerPolicy = [
  ...strict,
  { on: ["Malformed", "CrashLoop"], then: "deadLetter" },
  { on: ["*"], retry: { times: 5, baseMs: 100, factor: 2 }, then: "deadLetter" }
]

/** The policies that a document can name without having them. */
export const builtIn: Readonly<Record<string, Policy>> = { strict, standard }

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
  takes("Policy.print", "a list of rules", Array.isArray(policy), policy)
  return policy.map(({ on, retry, timeoutMs, then }) => {
    const tries =
      retry === undefined
        ? ""
        : `${retry.times ?? "unlimited"} retries from ${retry.baseMs} ms x${retry.factor ?? 1}` +
          (retry.deadlineMs === undefined ? "" : ` within ${retry.deadlineMs} ms`) +
          (retry.budget === undefined ? "" : `, at most ${retry.budget} of first sends`) +
          ", "
    const limit = timeoutMs === undefined ? "" : `, ${timeoutMs} ms for each attempt`
    return `on ${on.join(", ")}: ${tries}then ${then}${limit}`
  })
}
