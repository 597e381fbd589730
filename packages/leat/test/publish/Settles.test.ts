import { Effect, Exit } from "effect"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { Settles } from "../../src/publish/sendOn/Settles.js"

describe("settles of a spill or a fallback", () => {
  it("settles each position also where an answer comes before whoever asked for it goes on", () => {
    // Each seed lets the fibers take turns in another order.
    for (let seed = 0; seed < 20; seed++) {
      const asked: Array<bigint> = []
      const program = Effect.gen(function* () {
        const scope = yield* Effect.scope
        const settles = new Settles("the spill", scope, {
          answerMs: 1000,
          settle: (_, position) => Effect.sync(() => void asked.push(position)),
          trim: () => Effect.void,
          settled: () => undefined,
          trimmed: () => undefined
        })
        for (let position = 1n; position <= 2000n; position++)
          expect(yield* settles.settle(0, position), `seed ${seed}, position ${position}`).toBe(true)
      })
      const { exit } = simulate(seed, Effect.scoped(program))
      if (Exit.isFailure(exit)) throw new Error("it was not settled", { cause: exit.cause })
      expect(asked.at(-1)).toBe(2000n)
    }
  })
})
