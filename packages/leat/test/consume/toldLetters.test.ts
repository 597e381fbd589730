/** What the log says of dead letters, and of what handlers fail with. */
import { Cause, Effect, Exit, Logger, type Scope } from "effect"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { open, routes, until } from "./support.ts"

interface Line {
  readonly level: string
  readonly text: string
  readonly stack: string
}

/** Runs a story on virtual time, and returns what the log was told. */
function told(
  given:
    | Effect.Effect<void, unknown, Scope.Scope>
    | ((lines: ReadonlyArray<Line>) => Effect.Effect<void, unknown, Scope.Scope>)
): ReadonlyArray<Line> {
  const lines: Array<Line> = []
  const logger = Logger.make(({ logLevel, message, cause }) => {
    const error = cause.reasons.length === 0 ? undefined : Cause.squash(cause)
    lines.push({ level: logLevel, text: String(message), stack: error instanceof Error ? String(error.stack) : "" })
  })
  const story = typeof given === "function" ? given(lines) : given
  const { exit } = simulate(1, story.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return lines
}

const texts = (lines: ReadonlyArray<Line>) => lines.map(({ text }) => text)

/** What a stack has to name. */
function failsHere(text: string): Effect.Effect<void> {
  throw new TypeError(`cannot read ${text}`)
}

const note = (text: string) => ({ key: text, text })
const policy = [{ on: ["*"], then: "deadLetter" as const }]

describe("a group that dead-letters", () => {
  it("says so at once by default, with the topic, the error and its stack", () => {
    const lines = told(
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", ({ text }) => (text === "bad" ? failsHere(text) : Effect.void))
        yield* notes.publishAll([note("good"), note("bad")])
        yield* until("it is told", () => leat.ledger.snapshot().lanes[0]?.deadLettered["TypeError"] === 1)
      })
    )
    expect(lines).toEqual([
      {
        level: "Warn",
        text: "the group g of test.notes has dead-lettered an event, which is in notes.g.dlq now (position 1 of partition 0 of notes): TypeError after 6 attempts: cannot read bad",
        stack: expect.stringMatching(/^TypeError: cannot read bad\n +at failsHere /) as string
      }
    ])
  })

  it("says in one line how many more there were in five minutes, and the next one at once when there were none", () => {
    const lines = told((sofar) =>
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        const fails = (text: string) => Object.assign(new Error(`planted ${text}`), { _tag: text.slice(0, 1) })
        yield* notes.handle("g", ({ text }) => (text === "good" ? Effect.void : Effect.fail(fails(text))), { policy })
        // As many that are good: an outage would hold letters back.
        const publish = (names: ReadonlyArray<string>) =>
          Effect.forEach(names, (name) => notes.publishAll([note("good"), note("good"), note(name)]))
        yield* publish(["a0"])
        yield* Effect.sleep("10 seconds")
        yield* publish(Array.from({ length: 200 }, (_, index) => (index % 4 === 0 ? `b${index}` : `a${index}`)))
        yield* Effect.sleep("4 minutes")
        expect(texts(sofar)).toHaveLength(1)
        yield* Effect.sleep("2 minutes")
        expect(texts(sofar)).toHaveLength(2)
        yield* Effect.sleep("1 hour")
        expect(texts(sofar)).toHaveLength(2)
        yield* publish(["c1"])
        yield* Effect.sleep("1 second")
      })
    )
    expect(texts(lines)).toEqual([
      "the group g of test.notes has dead-lettered an event, which is in notes.g.dlq now (position 2 of partition 0 of notes): a after 1 attempt: planted a0",
      "the group g of test.notes has dead-lettered 200 events more in 5 minutes, which are in notes.g.dlq now (150 a, 50 b); the last one: a after 1 attempt: planted a199",
      "the group g of test.notes has dead-lettered an event, which is in notes.g.dlq now (position 605 of partition 0 of notes): c after 1 attempt: planted c1"
    ])
  })

  it("says what was not said yet when it ends", () => {
    const lines = told(
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", () => failsHere("it"), { policy })
        yield* notes.publishAll([note("a"), note("b"), note("c")])
        yield* until("all are set aside", () => leat.ledger.snapshot().lanes[0]?.deadLettered["TypeError"] === 3)
      })
    )
    expect(texts(lines)).toEqual([
      expect.stringContaining("has dead-lettered an event") as string,
      expect.stringContaining("has dead-lettered 2 events more") as string
    ])
  })

  it("has a bound for the names of failures in a line", () => {
    const lines = told(
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", ({ text }) => Effect.fail({ _tag: `Tag${text}` }), { policy })
        yield* notes.publishAll(Array.from({ length: 18 }, (_, index) => note(String(index))))
        yield* Effect.sleep("6 minutes")
      })
    )
    expect(lines[1]?.text).toContain("(1 Tag1, 1 Tag2, 1 Tag3, 1 Tag4, 13 others)")
    expect(lines[1]?.stack).toBe("")
  })
})

describe("what a handler fails with", () => {
  it("comes with the warning of a halt, and is in what is halted, which prints as before", () => {
    const lines = told(
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        const subscription = yield* notes.handle("g", () => failsHere("it"), { policy: [] })
        yield* notes.publish(note("a"))
        yield* until("it halts", () => subscription.halted().length > 0)
        const [halt] = subscription.halted()
        expect(halt?.error).toBeInstanceOf(TypeError)
        expect(Object.keys(halt ?? {})).toEqual([
          "scope",
          "tag",
          "position",
          "attempts",
          "detail",
          "topic",
          "partition"
        ])
      })
    )
    expect(lines).toEqual([
      {
        level: "Warn",
        text: expect.stringContaining("stands on partition 0 at position 0 until it is resumed") as string,
        stack: expect.stringMatching(/^TypeError: cannot read it\n +at failsHere /) as string
      }
    ])
  })

  it("that cannot be read hides no warning", () => {
    const { proxy, revoke } = Proxy.revocable(new Error("gone"), {})
    revoke()
    const hostile = Object.defineProperty(new Error("x"), "stack", {
      get: () => {
        throw new Error("no stack for you")
      }
    })
    for (const thrown of [proxy, hostile])
      expect(
        told(
          Effect.gen(function* () {
            const leat = yield* open(routes())
            const notes = yield* leat.stream(noteContract())
            yield* notes.handle("g", () => Effect.fail(thrown), { policy })
            yield* notes.publish(note("a"))
            yield* until("it is set aside", () => leat.ledger.snapshot().lanes[0]?.deadLettered["Error"] === 1)
          })
        )
      ).toHaveLength(1)
  })

  it("is named by the warning of an outage", () => {
    const lines = told(
      Effect.gen(function* () {
        const leat = yield* open(routes())
        const notes = yield* leat.stream(noteContract())
        yield* notes.handle("g", () => Effect.fail(new Error("database is down")), { policy })
        yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => note(String(index))))
        yield* Effect.sleep("1 minute")
      })
    )
    const outage = lines.find(({ text }) => text.includes("fails with most of what it handles"))
    expect(outage?.text).toContain("; the last one failed with Error: database is down")
    expect(outage?.stack).toMatch(/^Error: database is down\n/)
  })
})
