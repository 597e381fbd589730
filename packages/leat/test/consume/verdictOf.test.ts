import { Policy } from "leat"
import { describe, expect, it } from "vitest"
import { verdictOf } from "../../src/consume/verdictOf.ts"
import { nextTierOf } from "../../src/consume/SetAside.ts"

const nextTier = { tier: 1, delayMs: 60_000 }
const policy: Policy.Policy = [
  { on: ["Declined"], then: "deadLetter" },
  { on: ["Once"], retry: { times: 0, baseMs: 10 }, then: "halt" },
  { on: ["passing"], retry: { baseMs: 10, jitter: 0 }, then: "halt" },
  { on: ["*"], retry: { times: 2, baseMs: 10, jitter: 0 }, then: "drop" }
]
const verdict = (tag: string, attempts: number, next: typeof nextTier | undefined = nextTier, rules = policy) =>
  verdictOf({ policy: rules, nextTier: next }, { tag, attempts, elapsedMs: 0, random: 0 })

describe("what fails is moved", () => {
  it("when the retries of its rule are used up, whatever its ending is", () => {
    expect(verdict("Bug", 2)).toEqual({ retryAfterMs: 10 })
    expect(verdict("Bug", 3)).toEqual({ move: nextTier })
    expect(verdict("Once", 1)).toEqual({ move: nextTier })
  })

  it("not where nothing says that waiting may help: a rule without retry, or no rule", () => {
    expect(verdict("Declined", 1)).toEqual({ ending: "deadLetter" })
    expect(verdict("Bug", 9, nextTier, [])).toEqual({ ending: "halt" })
    expect(verdict("Bug", 9, nextTier, Policy.strict)).toEqual({ ending: "halt" })
  })

  it.each(["Malformed", "CrashLoop"])("not as %s, which stays what it is", (tag) => {
    expect(verdict(tag, 3)).toEqual({ ending: "drop" })
  })

  it("not while its rule retries for ever, and not behind the last tier", () => {
    expect(verdict("Timeout", 1_000_000)).toHaveProperty("retryAfterMs")
    expect(verdictOf({ policy }, { tag: "Bug", attempts: 3, elapsedMs: 0, random: 0 })).toEqual({ ending: "drop" })
  })
})

it("the tier behind one is the next of the list, and there is none behind the last, nor behind one that is not listed", () => {
  const settings = { retryDelaysMs: [10, 20] }
  const tiers = [0, 1, 2, 3, 7].map((tier) => nextTierOf(settings, tier))
  expect(tiers).toEqual([{ tier: 1, delayMs: 10 }, { tier: 2, delayMs: 20 }, undefined, undefined, undefined])
  expect(nextTierOf({ retryDelaysMs: [] }, 0)).toBeUndefined()
})
