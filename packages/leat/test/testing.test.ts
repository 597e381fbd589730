import { Effect, Exit, References } from "effect"
import { Leat } from "leat"
import { NotCaughtUp, open } from "leat/promise"
import { HandlersFailed, simulate, waitUntilQuiet } from "leat/testing"
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

describe("waitUntilQuiet, of what handlers fail with", () => {
  const policy = [{ on: ["*"], then: "deadLetter" as const }]
  const dropping = [{ on: ["*"], then: "drop" as const }]
  const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })

  it("rejects with the first error by default: an assertion in a handler fails its test", async () => {
    await using leat = await open({ source: "test", logger: () => undefined })
    const notes = await leat.stream(noteContract())
    await notes.handle("g", ({ text }) => expect(text).toBe("right"))
    for (const text of ["right", "wrong"]) notes.offer({ key: "a", text })
    const error: unknown = await waitUntilQuiet(leat).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(HandlersFailed)
    expect(error).toMatchObject({
      _tag: "HandlersFailed",
      failures: [{ stream: "test.notes", group: "g", name: "AssertionError", ended: "deadLettered", events: 1 }],
      cause: { name: "AssertionError", actual: "wrong", expected: "right" }
    })
    expect((error as Error).message).toMatch(
      /^the group g of test\.notes has dead-lettered 1 event \(AssertionError: expected 'wrong' to be 'right'/
    )
    // Once: what is told is not told again.
    await waitUntilQuiet(leat)
  })

  it("says what was dropped too, of all groups, and in batches", () => {
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test" })
      const notes = yield* leat.stream(noteContract())
      yield* notes.handle("g", () => Effect.fail(failure("Stale")), { policy: dropping })
      yield* notes.handleBatch("h", () => Effect.fail(failure("Bad")), { policy })
      for (const text of ["1", "2"]) notes.offer({ key: "a", text })
      const error = yield* Effect.flip(waitUntilQuiet(leat))
      return error.message
    }).pipe(Effect.scoped)
    expect(run(program)).toEqual(
      Exit.succeed(
        "the group g of test.notes has dropped 2 events (Stale: planted Stale)\nthe group h of test.notes has dead-lettered 2 events (Bad: planted Bad)"
      )
    )
  })

  it("lets a test say which failures it expects, and fails for others", () => {
    const program = (expectedFailures: "any" | ReadonlyArray<string> | undefined) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test" })
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", ({ text }) => Effect.fail(failure(text)), { policy })
        for (const text of ["Stale", "Bad", "Stale"]) notes.offer({ key: "a", text })
        return yield* Effect.match(waitUntilQuiet(leat, { expectedFailures }), {
          onSuccess: () => "quiet",
          onFailure: ({ message }) => message
        })
      }).pipe(Effect.scoped)
    expect(run(program("any"))).toEqual(Exit.succeed("quiet"))
    expect(run(program(["Stale", "Bad"]))).toEqual(Exit.succeed("quiet"))
    expect(run(program(["Stale"]))).toEqual(
      Exit.succeed("the group g of test.notes has dead-lettered 1 event (Bad: planted Bad)")
    )
  })

  it("refuses names that are no list", async () => {
    await using leat = await open({ source: "test" })
    // @ts-expect-error It is what no type lets through.
    await expect(waitUntilQuiet(leat, { expectedFailures: "Stale" })).rejects.toThrow(
      'waitUntilQuiet: takes expectedFailures: "any", or a list of names, and not a text'
    )
  })

  it("names what still fails when it takes too long, and what a lane stands for", () => {
    const program = (rules: typeof policy | [], withinMs: number) =>
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test" })
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", () => Effect.fail(failure("Down")), { policy: rules })
        for (let index = 0; index < 100; index++) notes.offer({ key: `k${index}`, text: "1" })
        const { cause, message } = yield* Effect.flip(waitUntilQuiet(leat, { withinMs }))
        return [message, cause instanceof Error ? cause.message : cause]
      }).pipe(Effect.scoped)
    expect(run(program(policy, 3000))).toEqual(
      Exit.succeed([
        "the leat test becoming quiet did not happen within 3000 ms; the group g of test.notes fails with Down: planted Down",
        "planted Down"
      ])
    )
    expect(run(program([], 3000))).toMatchObject({
      value: [expect.stringContaining("Down: planted Down"), "planted Down"]
    })
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
