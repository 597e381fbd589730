import { Effect, Exit, References } from "effect"
import { Leat } from "leat"
import { NotCaughtUp, open } from "leat/promise"
import { simulate, waitUntilQuiet } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "./contracts/Note.ts"

const echo = noteContract({ name: "test.Echo", stream: "test.echoes" })
const run = <A, E>(program: Effect.Effect<A, E>): Exit.Exit<A, E> =>
  simulate(1, Effect.provideService(program, References.MinimumLogLevel, "None")).exit

describe("waitUntilQuiet", () => {
  it("waits for what handlers publish, over all streams, until nobody has anything left to do", () => {
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test" })
      const [notes, echoes] = [yield* leat.stream(noteContract()), yield* leat.stream(echo)]
      const seen: Array<string> = []
      // Three echoes of each note, each published by the one before.
      yield* notes.handle("g", (note) =>
        Effect.andThen(
          Effect.sleep(30),
          Effect.sync(() => void echoes.offer(note))
        )
      )
      yield* echoes.handle("g", ({ key, text }) =>
        Effect.sync(() => {
          seen.push(text)
          if (text.length < 4) echoes.offer({ key, text: `${text}.` })
        })
      )
      yield* waitUntilQuiet(leat)
      for (const key of ["a", "b", "c"]) notes.offer({ key, text: `${key}.` })
      yield* waitUntilQuiet(leat)
      return seen.toSorted()
    }).pipe(Effect.scoped)
    expect(run(program)).toEqual(Exit.succeed(["a.", "a..", "a...", "b.", "b..", "b...", "c.", "c..", "c..."]))
  })

  it("fails for a lane that halts, and when it takes too long", () => {
    const waited = (handler: Effect.Effect<void, string>) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test" })
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", () => handler, { policy: [] })
        notes.offer({ key: "a", text: "1" })
        return yield* Effect.flip(waitUntilQuiet(leat, { withinMs: 2000 }))
      }).pipe(Effect.scoped)
    expect(run(waited(Effect.fail("bad")))).toMatchObject({ value: { _tag: "NotCaughtUp", reason: "Halted" } })
    expect(run(waited(Effect.never))).toMatchObject({ value: { _tag: "NotInTime", ms: 2000 } })
  })

  it("is a promise for a leat of promises", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const seen: Array<string> = []
    await notes.handle("g", async ({ text }) => {
      await new Promise((resolve) => setTimeout(resolve, 10))
      seen.push(text)
    })
    for (const text of ["1", "2", "3"]) notes.offer({ key: "a", text })
    await waitUntilQuiet(leat)
    expect(seen).toEqual(["1", "2", "3"])
    await notes.handle("halts", () => Promise.reject(new Error("bad")), { policy: [] })
    await expect(waitUntilQuiet(leat)).rejects.toBeInstanceOf(NotCaughtUp)
  })
})

describe("simulate", () => {
  it("ends a program that runs for ever, after as many tasks as it is told", () => {
    const endless = Effect.forever(Effect.sleep(1))
    expect(() => simulate(1, endless, { stepsMax: 1000 })).toThrow("the program did not end within 1000 steps")
    expect(simulate(1, Effect.repeat(Effect.sleep(1), { times: 100 }), { stepsMax: 1000 }).exit._tag).toBe("Success")
  })

  it("ends a program that goes round in a circle, after as many tasks without any time as it is told", () => {
    const circling = Effect.andThen(Effect.sleep(7), Effect.forever(Effect.yieldNow))
    expect(() => simulate(1, circling, { stepsAtOnceMax: 100 })).toThrow(
      "the program goes round in a circle 7 ms after it began: no time passes within 100 steps"
    )
    const idle = Effect.repeat(Effect.sleep(1), { times: 1000 })
    expect(simulate(1, idle, { stepsAtOnceMax: 100 }).exit._tag).toBe("Success")
  })
})
