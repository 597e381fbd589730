/** A reason is any text that a driver, a handler or its error says. */
import { Effect, Exit, References, type Scope } from "effect"
import { Leat, TransportError } from "leat"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { bent, routes } from "../consume/support.js"

const hostile = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "a;b:c\n",
  "a".repeat(10_000),
  "\u{1F600}"
]

function story<E>(program: Effect.Effect<void, E, Scope.Scope>): void {
  const quiet = program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
  const { exit } = simulate(1, quiet)
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
}

describe("the ledger counts by any reason", () => {
  it.each(hostile)("of a handler: %j", (tag) =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes() })
        const notes = yield* leat.stream(noteContract())
        // A name is cut at 255 characters.
        const told = tag.slice(0, 255)
        const options = { policy: [{ on: ["*"], then: "drop" }] } as const
        for (let times = 1; times <= 2; times++) {
          const subscription = yield* notes.handle("g", () => Effect.fail({ _tag: tag }), options)
          yield* notes.publishAll([
            { key: "k", text: "1" },
            { key: "k", text: "2" }
          ])
          yield* Effect.sleep(1000)
          const { lanes, balanced } = leat.ledger.snapshot()
          expect(lanes.map(({ dropped }) => Object.entries(dropped))).toEqual([[[told, 2 * times]]])
          expect(balanced).toBe(true)
          yield* subscription.stop
        }
        expect(leat.ledger.snapshot().lanes.map(({ dropped }) => Object.entries(dropped))).toEqual([[[told, 4]]])
      })
    )
  )

  it("of a handler that throws a string: by the string where it is a name, and as `Error` where it is a sentence", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test", routes: routes() })
        const notes = yield* leat.stream(noteContract())
        const policy = [{ on: ["*"], then: "drop" }] as const
        yield* notes.handle("g", ({ text }) => Effect.fail(text), { policy })
        yield* notes.publishAll([
          { key: "k", text: "NotFound" },
          { key: "k", text: "the customer of 1 Main Street is away" },
          { key: "k", text: "x".repeat(65) }
        ])
        yield* Effect.sleep(1000)
        expect(leat.ledger.snapshot().lanes.map(({ dropped }) => dropped)).toEqual([{ NotFound: 1, Error: 2 }])
      })
    ))

  it.each(hostile)("of a driver: %j", (reason) =>
    story(
      Effect.gen(function* () {
        const fault = new TransportError({
          reason: reason as TransportError["reason"],
          transport: "test",
          operation: "send",
          detail: ""
        })
        const driver = bent((transport) => ({
          ...transport,
          openWriter: (topic) =>
            Effect.map(transport.openWriter(topic), (writer) => ({
              ...writer,
              send: (_partition, _batch, from, to, _timeoutMs, answer) =>
                answer([{ from, to, fate: "notStored", error: fault }])
            }))
        }))
        const document = {
          ...routes({}, { leg: [{ on: ["*"], then: "drop" }] }),
          routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes", policy: "leg" }] }]
        }
        const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        for (let times = 1; times <= 2; times++) {
          const error = yield* Effect.flip(notes.publish({ key: "k", text: "1" }))
          expect(error._tag === "NotStored" ? Object.entries(error.outcome.dropped) : error).toEqual([[reason, 1]])
          const { legs, balanced } = leat.ledger.snapshot()
          expect(legs.map(({ dropped }) => Object.entries(dropped))).toEqual([[[reason, times]]])
          expect(balanced).toBe(true)
        }
      })
    )
  )
})
