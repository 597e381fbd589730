import { Effect, Exit, Fiber, Logger, type Scope } from "effect"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { note, openNotes } from "./stories.ts"

const refused = { faults: { send: () => ({ kind: "fail", reason: "Unauthorized" }) as const } }

/** What is warned of while a program runs on virtual time. */
function warningsOf<E>(program: Effect.Effect<void, E, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const { exit } = simulate(1, Effect.provide(Effect.scoped(program), Logger.layer([logger])))
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  return lines.filter((line) => line.startsWith("a flush has waited"))
}

describe("a flush", () => {
  it.each(["leat", "notes"] as const)(
    "of %s that waits for a halted lane names it, once and after ten seconds",
    (door) => {
      let told: ReadonlyArray<string> = []
      const warnings = warningsOf(
        Effect.gen(function* () {
          const opened = yield* openNotes({ ...refused, policy: [{ on: ["Unauthorized"], then: "halt" }], drain: 0 })
          opened.notes.offer(note("k", "1"))
          const flushing = yield* Effect.forkChild(opened[door].flush)
          yield* Effect.sleep("9 seconds")
          expect(opened.leat.halted()).toHaveLength(1)
          told = opened.leat.halted().map(({ sink }) => sink)
          yield* Effect.sleep("60 seconds")
          yield* Fiber.interrupt(flushing)
        })
      )
      expect(told).toEqual(["local/notes"])
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(
        /waited for 10 seconds, .* resumed: test\.notes to local\/notes, partition 0 \(Unauthorized: /
      )
    }
  )

  it("completes when the lane is resumed, and says nothing of one that only retries", () => {
    const faults = {
      send: ({ call }: { readonly call: number }) =>
        call < 4 ? ({ kind: "fail", reason: "Unavailable" } as const) : undefined
    }
    const policy = [{ on: ["Unavailable"], retry: { base: "8 seconds" }, then: "halt" }]
    const warnings = warningsOf(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ faults, policy })
        notes.offer(note("k", "1"))
        expect(yield* leat.flush).toEqual({
          stored: 1,
          deadLettered: {},
          deadLetters: [],
          dropped: {},
          mayBeStored: 0,
          spilled: 0,
          fellBack: 0
        })
      })
    )
    expect(warnings).toEqual([])
    const resumed = warningsOf(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({ faults, policy: [{ on: ["*"], then: "halt" }] })
        notes.offer(note("k", "1"))
        const flushing = yield* Effect.forkChild(leat.flush)
        for (let turn = 0; turn < 4; turn++) {
          yield* Effect.sleep("1 second")
          yield* leat.resume
        }
        expect(yield* Fiber.join(flushing)).toEqual({
          stored: 1,
          deadLettered: {},
          deadLetters: [],
          dropped: {},
          mayBeStored: 0,
          spilled: 0,
          fellBack: 0
        })
      })
    )
    expect(resumed).toEqual([])
  })
})
