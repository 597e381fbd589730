import fc from "fast-check"
import { type HandleOptions, Policy } from "leat"
import { reasons } from "leat/transport"
import { describe, expect, it } from "vitest"

const { strict, standard, concat, decide, print } = Policy

const tags = ["Timeout", "Unavailable", "Rejected", "Full"]
const endings = ["drop", "deadLetter", "spill", "fallback", "halt"] as const
const retries: fc.Arbitrary<Policy.Retry> = fc.record(
  {
    times: fc.nat(20),
    deadlineMs: fc.integer({ min: 0, max: 100_000 }),
    baseMs: fc.integer({ min: 0, max: 5000 }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    maxDelayMs: fc.integer({ min: 0, max: 60_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true })
  },
  { requiredKeys: ["baseMs"] }
)
const rules: fc.Arbitrary<Policy.Rule> = fc.record(
  {
    on: fc.uniqueArray(fc.constantFrom(...tags, "passing", "*"), { minLength: 1, maxLength: 3 }),
    retry: retries,
    then: fc.constantFrom(...endings)
  },
  { requiredKeys: ["on", "then"] }
)
const policies: fc.Arbitrary<Policy.Policy> = fc.array(rules, { maxLength: 5 })
const failures: fc.Arbitrary<Policy.Failure> = fc.record({
  tag: fc.constantFrom(...tags, "Other"),
  attempts: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1_000_000 })),
  elapsedMs: fc.nat(200_000),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
})
const passing = new Set(Object.entries(reasons).flatMap(([name, { isRetryable }]) => (isRetryable ? [name] : [])))
const matches = ({ on }: Policy.Rule, tag: string): boolean =>
  on.includes(tag) || on.includes("*") || (on.includes("passing") && passing.has(tag))

describe("decide", () => {
  it("has an answer to every failure: an ending of the policy or a delay that is a time", () => {
    fc.assert(
      fc.property(policies, failures, (policy, failure) => {
        const decision = decide(policy, failure)
        const ending = policy.find((rule) => matches(rule, failure.tag))?.then ?? "halt"
        const isDelay =
          "retryAfterMs" in decision && Number.isFinite(decision.retryAfterMs) && decision.retryAfterMs >= 0
        expect(isDelay ? { ending } : decision).toEqual({ ending })
      }),
      { numRuns: 2000 }
    )
  })

  it("says at once what becomes of a crash loop, unless its rule retries for ever", () => {
    fc.assert(
      fc.property(policies, failures, (policy, failure) => {
        const tag = "CrashLoop"
        const rule = policy.find(({ on }) => on.includes("*"))
        const isEndless = rule?.retry !== undefined && !("times" in rule.retry) && !("deadlineMs" in rule.retry)
        const said = decide(policy, { ...failure, tag })
        const isRetried = "retryAfterMs" in said
        expect({ isRetried, ending: isRetried ? undefined : said.ending }).toEqual({
          isRetried: isEndless,
          ending: isEndless ? undefined : (rule?.then ?? "halt")
        })
      })
    )
  })

  it("never retries more often than the rule says, nor begins a retry after its deadline", () => {
    const took = fc.array(fc.nat(3000), { minLength: 40, maxLength: 40 })
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(rules, took, chance, (rule, tookMs, random) => {
        let elapsedMs = 0
        for (const [made, ms] of tookMs.entries()) {
          elapsedMs += ms
          const decision = decide([{ ...rule, on: ["*"] }], { tag: "Timeout", attempts: made + 1, elapsedMs, random })
          if ("ending" in decision) return
          elapsedMs += decision.retryAfterMs
          expect(made).toBeLessThan(rule.retry?.times ?? Infinity)
          expect(elapsedMs).toBeLessThanOrEqual(rule.retry?.deadlineMs ?? Infinity)
        }
      })
    )
  })

  it("ends at the first failure past either limit, and not before", () => {
    const retry = { baseMs: 100, factor: 2, times: 3, deadlineMs: 1000, jitter: 0 }
    const answer = (attempts: number, elapsedMs: number) =>
      decide([{ on: ["*"], retry, then: "drop" }], { tag: "Timeout", attempts, elapsedMs, random: 0 })
    expect(answer(3, 600)).toEqual({ retryAfterMs: 400 })
    expect(answer(3, 601)).toEqual({ ending: "drop" })
    expect(answer(4, 0)).toEqual({ ending: "drop" })
  })

  it("delays by base times factor to the number of retries, up to the most, less a part of chance", () => {
    fc.assert(
      fc.property(retries, failures, (retry, { attempts, random }) => {
        const { baseMs, factor = 1, maxDelayMs = 30_000, jitter = 0.2 } = retry
        let delay = Math.min(baseMs, maxDelayMs)
        for (let made = 1; made < Math.min(attempts, 50); made++) delay = Math.min(delay * factor, maxDelayMs)
        const decision = decide([{ on: ["*"], retry: { baseMs, factor, maxDelayMs, jitter }, then: "halt" }], {
          tag: "Timeout",
          attempts: Math.min(attempts, 50),
          elapsedMs: 0,
          random
        })
        const retryAfterMs = "retryAfterMs" in decision ? decision.retryAfterMs : Number.NaN
        const floor = attempts > 10 ? 10 : 0
        const slack = delay * 1e-9
        expect(retryAfterMs).toBeLessThanOrEqual(Math.max(delay, floor) + slack)
        expect(retryAfterMs).toBeGreaterThanOrEqual(Math.max(delay * (1 - jitter), floor) - slack)
      })
    )
  })

  it("keeps to a base above the most that holds when none is said", () => {
    const policy: Policy.Policy = [{ on: ["*"], retry: { baseMs: 300_000, factor: 2 }, then: "halt" }]
    for (const attempts of [1, 5])
      expect(decide(policy, { tag: "Full", attempts, elapsedMs: 0, random: 0 })).toEqual({ retryAfterMs: 300_000 })
  })

  it("lets chance reach both ends of the jitter", () => {
    const policy: Policy.Policy = [{ on: ["*"], retry: { baseMs: 1000, jitter: 0.5 }, then: "halt" }]
    const failure = { tag: "Timeout", attempts: 1, elapsedMs: 0 }
    expect(decide(policy, { ...failure, random: 0 })).toEqual({ retryAfterMs: 1000 })
    expect(decide(policy, { ...failure, random: 0.5 })).toEqual({ retryAfterMs: 750 })
  })

  it("goes on at once when the base is 0, ten times, and from then on never without a delay: no rule can spin", () => {
    const again = { tag: "Timeout", elapsedMs: 0, random: 0.9 }
    fc.assert(
      fc.property(retries, fc.integer({ min: 11, max: 1_000_000 }), (retry, attempts) => {
        const decision = decide([{ on: ["*"], retry, then: "halt" }], { ...again, attempts })
        expect("retryAfterMs" in decision ? decision.retryAfterMs : 10).toBeGreaterThanOrEqual(10)
      })
    )
    const policy: Policy.Policy = [{ on: ["*"], retry: { baseMs: 0, factor: 2 }, then: "halt" }]
    expect(decide(policy, { ...again, attempts: 10 })).toEqual({ retryAfterMs: 0 })
    expect(decide(policy, { ...again, attempts: 11 })).toEqual({ retryAfterMs: 10 })
  })
})

describe("the name passing", () => {
  const anyTag = fc.oneof(fc.constantFrom(...Object.keys(reasons)), fc.string())

  it("stands for each reason that is tried again, and for nothing else: as if all of them were listed", () => {
    fc.assert(
      fc.property(anyTag, failures, retries, fc.constantFrom(...endings), (tag, failure, retry, then) => {
        fc.pre(tag !== "passing")
        const asked = { ...failure, tag }
        const byName = decide([{ on: ["passing"], retry, then }], asked)
        expect(byName).toEqual(decide([{ on: [...passing], retry, then }], asked))
      })
    )
  })

  it.each(Object.entries(reasons))("decides about %s exactly when it can pass", (tag, { isRetryable }) => {
    const decision = decide([{ on: ["passing"], then: "drop" }], { tag, attempts: 1, elapsedMs: 0, random: 0 })
    expect(decision).toEqual({ ending: isRetryable ? "drop" : "halt" })
  })

  it.each(["constructor", "__proto__", "toString", ""])("is none of %j, whose name every object has", (tag) => {
    const decision = decide([{ on: ["passing"], then: "drop" }], { tag, attempts: 1, elapsedMs: 0, random: 0 })
    expect(decision).toEqual({ ending: "halt" })
  })
})

describe.each(["BreakerOpen", "SpillExpired"])("%s", (tag) => {
  it("is judged by a rule that names it alone: the others are for what was tried", () => {
    const failure = { tag, attempts: 1, elapsedMs: 0, random: 0 }
    const others: Policy.Policy = [
      { on: ["passing"], then: "drop" },
      { on: ["*"], then: "drop" }
    ]
    expect(Policy.decide(others, failure)).toEqual({ ending: "halt" })
    expect(Policy.decide([...others, { on: [tag], then: "deadLetter" }], failure)).toEqual({
      ending: "deadLetter"
    })
  })
})

describe("the deadline", () => {
  it("is that of the rule for the failure, and none where it says none", () => {
    const policy: Policy.Policy = [
      { on: ["Timeout"], retry: { baseMs: 1, deadlineMs: 50 }, then: "drop" },
      { on: ["passing"], retry: { baseMs: 1 }, then: "drop" }
    ]
    expect(["Timeout", "Unavailable", "Rejected"].map((tag) => Policy.deadlineMs(policy, tag))).toEqual([
      50,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY
    ])
  })
})

describe("faults", () => {
  const able = rules.filter(({ then }) => then === "drop" || then === "halt")

  const holes = Object.assign([], { length: 1 })

  it.each([
    [{ on: ["*"], then: "drop" }, "", "is no list of rules"],
    [
      "strict",
      "",
      "is no list of rules: [{ on: [...], then: ... }]; in code policies have no names, and `Policy` of leat"
    ],
    [["patient"], "[0]", "is no rule"],
    [[{ on: ["*"], retry: { base: "50 millis", baseMs: 50 }, then: "drop" }], "[0].retry.base", "is not known here"],
    [[{ on: ["*"], retry: { times: 3 }, then: "drop" }], "[0].retry.baseMs", "undefined is not milliseconds"],
    [[{ on: ["*"], retry: { baseMs: "5" }, then: "drop" }], "[0].retry.baseMs", '"5" is not milliseconds'],
    [[{ on: ["*"], retry: 5, then: "drop" }], "[0].retry", "is no object"],
    [[{ on: "Timeout", then: "drop" }], "[0].on", "name a failure"],
    [[{ on: [5], then: "drop" }], "[0].on", "are texts"],
    // Holes, which the methods of lists pass over.
    [holes, "[0]", "is no rule"],
    [[{ on: holes, then: "drop" }], "[0].on", "are texts"],
    [[{ on: ["*"], then: "retry" }], "[0].then", "say drop, deadLetter, spill, fallback or halt"],
    [[{ on: ["*"], then: "spil" }], "[0].then", "did you mean spill?"],
    [[{ on: ["*"], than: "drop", then: "drop" }], "[0].than", "is not known here"]
  ])("name what JavaScript gives and types would refuse: %j", (given, path, message) => {
    // @ts-expect-error It is what no type lets through.
    const found = Policy.faults(given)
    expect(found).toHaveLength(1)
    expect(found[0]?.path).toBe(path)
    expect(found[0]?.message).toContain(message)
  })

  it("are none of a policy with numbers in their bounds", () => {
    fc.assert(
      fc.property(fc.array(able), (policy) => {
        expect(Policy.faults(policy)).toEqual([])
      })
    )
    expect(Policy.faults(strict)).toEqual([])
  })

  it.each(["times", "deadlineMs", "baseMs", "factor", "maxDelayMs", "jitter", "budget"])(
    "name %s where it is no number of its kind",
    (field) => {
      const nonsense = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, -0.5, 1e300]
      for (const value of field === "times" ? [...nonsense, 0.5] : nonsense) {
        const policy: Policy.Policy = [
          { on: ["*"], then: "halt" },
          { on: ["*"], retry: { baseMs: 1, [field]: value }, then: "drop" }
        ]
        expect(Policy.faults(policy).map(({ path }) => path)).toEqual([`[1].retry.${field}`])
        expect(Policy.faults(policy)[0]?.message).toMatch(/^\S+ is not .* from \d+ to \d+$/)
      }
    }
  )

  it("are none of a budget, of which the first that is said counts", () => {
    const rule = (budget?: number): Policy.Rule => {
      return { on: ["Full"], retry: { baseMs: 1, ...(budget === undefined ? {} : { budget }) }, then: "halt" }
    }
    expect(Policy.faults([rule(0), rule(1)])).toEqual([])
    expect(Policy.retryBudget([{ on: ["*"], then: "halt" }, rule(), rule(0), rule(1)])).toBe(0)
    expect(Policy.retryBudget(strict)).toBeUndefined()
  })

  it("name a rule for no failure, and an ending that no sink has", () => {
    const policy: Policy.Policy = [
      { on: [], then: "halt" },
      { on: [""], then: "elsewhere" as "halt" }
    ]
    expect(Policy.faults(policy).map(({ path }) => path)).toEqual(["[0].on", "[1].on", "[1].then"])
  })
})

describe("concat", () => {
  it("asks the first policy first, and the second where no rule of the first matches", () => {
    fc.assert(
      fc.property(policies, policies, failures, (first, second, failure) => {
        const asked = first.some((rule) => matches(rule, failure.tag)) ? first : second
        expect(decide(concat(first, second), failure)).toEqual(decide(asked, failure))
      })
    )
  })

  it("of policies that a subscription can carry out is one, for the compiler too", () => {
    const money: Policy.HandlerPolicy = [{ on: ["AmountMismatch"], then: "halt" }]
    const options: ReadonlyArray<HandleOptions> = [
      { policy: strict },
      { policy: [...money, ...standard] },
      { policy: concat(money, standard) },
      { policy: concat([{ on: ["Malformed"], then: "drop" }], standard) }
    ]
    expect(options.map(({ policy = [] }) => policy.map(({ then }) => then))).toEqual([
      ["halt"],
      ["halt", "halt", "deadLetter", "deadLetter"],
      ["halt", "halt", "deadLetter", "deadLetter"],
      ["drop", "halt", "deadLetter", "deadLetter"]
    ])
    // @ts-expect-error A subscription has nothing to spill.
    const spilling: HandleOptions = { policy: concat(standard, [{ on: ["Bug"], then: "spill" as const }]) }
    expect(spilling.policy).toHaveLength(4)
  })

  it("is associative, and the empty policy changes nothing", () => {
    fc.assert(
      fc.property(policies, policies, policies, (a, b, c) => {
        expect(concat(concat(a, b), c)).toEqual(concat(a, concat(b, c)))
        expect(concat(a, b, c)).toEqual(concat(a, concat(b, c)))
        expect(concat([], a)).toEqual(a)
        expect(concat(a, [])).toEqual(a)
      })
    )
  })
})

describe("print", () => {
  it("has one line for each rule with its tags, limits and ending", () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const lines = print(policy)
        expect(lines.length).toBe(policy.length)
        for (const [index, { on, retry, then }] of policy.entries()) {
          const line = lines[index] ?? ""
          for (const tag of on) expect(line).toContain(tag)
          expect(line).toMatch(new RegExp(`then ${then}$`))
          expect(line.includes("retries")).toBe(retry !== undefined)
          if (retry === undefined) continue
          const { times = "unlimited", baseMs, deadlineMs } = retry
          expect(line).toContain(`${times} retries from ${baseMs} ms`)
          expect(line).toContain(deadlineMs === undefined ? "" : `within ${deadlineMs} ms`)
        }
      })
    )
  })

  it("reads as a sentence", () => {
    const retry = { times: 5, baseMs: 50, factor: 2, deadlineMs: 900 }
    expect(print([{ on: ["Timeout", "Full"], retry, then: "drop" }])).toEqual([
      "on Timeout, Full: 5 retries from 50 ms x2 within 900 ms, then drop"
    ])
  })
})

describe("standard", () => {
  const isPassing = (tag: string) => Object.entries(reasons).some(([name, one]) => name === tag && one.isRetryable)
  const at = (tag: string, attempts: number) => decide(standard, { tag, attempts, elapsedMs: 0, random: 0 })

  it("retries what passes for ever, and dead-letters anything else after five retries", () => {
    const anyTag = fc.oneof(fc.constantFrom(...Object.keys(reasons)), fc.string())
    fc.assert(
      fc.property(anyTag, fc.integer({ min: 1, max: 1000 }), (tag, attempts) => {
        fc.pre(tag !== "Malformed" && tag !== "CrashLoop")
        const decision = at(tag, attempts)
        if (isPassing(tag) || attempts <= 5) return "retryAfterMs" in decision
        return "ending" in decision && decision.ending === "deadLetter"
      })
    )
    const delays = [1, 2, 3, 4, 5].map((attempts) => at("Declined", attempts))
    expect(delays.map((one) => ("retryAfterMs" in one ? one.retryAfterMs : 0))).toEqual([100, 200, 400, 800, 1600])
  })

  it("dead-letters at once what cannot be read, and what ends the process", () => {
    expect([at("Malformed", 1), at("CrashLoop", 1)]).toEqual([{ ending: "deadLetter" }, { ending: "deadLetter" }])
  })
})

describe("strict", () => {
  it("never drops, whatever fails", () => {
    const anyTag = fc.oneof(fc.constantFrom(...Object.keys(reasons)), fc.string())
    fc.assert(
      fc.property(anyTag, failures, (tag, failure) => {
        const decision = decide(strict, { ...failure, tag })
        const { retryAfterMs, ending } = { retryAfterMs: 0, ending: "halt", ...decision }
        expect(ending).toBe("halt")
        expect(retryAfterMs).toBeLessThanOrEqual(10_000)
      })
    )
  })

  it.each(Object.entries(reasons))("retries %s for ever exactly when it can pass", (tag, { isRetryable }) => {
    const decision = decide(strict, { tag, attempts: 1e6, elapsedMs: 1e12, random: 0.5 })
    expect("retryAfterMs" in decision).toBe(isRetryable)
  })

  it("prints no limit that a rule does not have", () => {
    expect(Policy.print([{ on: ["*"], then: "halt" }])).toEqual(["on *: then halt"])
    expect(Policy.print([{ on: ["*"], retry: { baseMs: 5, budget: 0.2 }, then: "drop" }])).toEqual([
      "on *: unlimited retries from 5 ms x1, at most 0.2 of first sends, then drop"
    ])
    expect(Policy.print([{ on: ["*"], retry: { baseMs: 5 }, then: "drop" }])).toEqual([
      "on *: unlimited retries from 5 ms x1, then drop"
    ])
  })
})
