/** What an application watches leat with has faults of its own: they keep no event from going its way. */
import { Effect, Exit, Logger, References, type Scope, Stream, Tracer } from "effect"
import { Leat, TransportError } from "leat"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { bent } from "./consume/support.js"
import { noteContract } from "./contracts/Note.js"

function story<E>(program: Effect.Effect<void, E, Scope.Scope>): void {
  const { exit } = simulate(1, Effect.scoped(program))
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
}

const broken = new Error("planted")

/** A tracer that throws when a span of this name is made, or when it is ended. */
const tracerThatThrows = (name: string, when: "made" | "ended"): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      if (!options.name.startsWith(name)) return new Tracer.NativeSpan(options)
      if (when === "made") throw broken
      const span = new Tracer.NativeSpan(options)
      span.end = () => {
        throw broken
      }
      return span
    }
  })

const loggerThatThrows = Logger.layer([
  Logger.make(() => {
    throw broken
  })
])

const failure = (operation: string) =>
  new TransportError({ reason: "Unavailable", transport: "test", operation, detail: "planted" })

describe("a tracer that throws", () => {
  it.each(["send", "process", "commit"].flatMap((name) => [[name, "made"] as const, [name, "ended"] as const]))(
    "when a span of %s is %s changes nothing",
    (name, when) =>
      story(
        Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test" })
          const notes = yield* leat.stream(noteContract())
          const attempts: Array<number> = []
          const subscription = yield* notes.handle("g", (_, { attempt }) =>
            Effect.sync(() => void attempts.push(attempt))
          )
          yield* Effect.timeout(notes.publish({ key: "k", text: "1" }), "1 second")
          yield* Effect.sleep("1 second")
          expect(attempts).toEqual([1])
          expect(yield* subscription.lag).toBe(0n)
          expect(subscription.halted()).toEqual([])
        }).pipe(
          Effect.provideService(Tracer.Tracer, tracerThatThrows(name, when)),
          Effect.provideService(References.MinimumLogLevel, "None")
        )
      )
  )

  it("does not hide how a handler ends", () =>
    story(
      Effect.gen(function* () {
        const leat = yield* Leat.make({ source: "test" })
        const notes = yield* leat.stream(noteContract())
        const options = { policy: [{ on: ["Broken"], then: "drop" }] } as const
        yield* notes.handle("g", () => Effect.fail({ _tag: "Broken" }), options)
        yield* notes.publish({ key: "k", text: "1" })
        yield* Effect.sleep("1 second")
        const dropped = leat.ledger.snapshot().lanes.flatMap((lane) => Object.entries(lane.dropped))
        expect(dropped).toEqual([["Broken", 1]])
      }).pipe(Effect.provideService(Tracer.Tracer, tracerThatThrows("process", "ended")))
    ))
})

describe("a logger that throws", () => {
  it("keeps no subscription from joining again", () =>
    story(
      Effect.gen(function* () {
        let joined = 0
        const driver = bent((transport) => ({
          ...transport,
          subscribe: (asked) =>
            Stream.suspend(() => (joined++ < 2 ? Stream.fail(failure("subscribe")) : transport.subscribe(asked)))
        }))
        const leat = yield* Leat.make({ source: "test", drivers: [driver] })
        const notes = yield* leat.stream(noteContract())
        let handled = 0
        yield* notes.handle("g", () => Effect.sync(() => handled++))
        yield* notes.publish({ key: "k", text: "1" })
        yield* Effect.sleep("10 seconds")
        expect(handled).toBe(1)
      }).pipe(Effect.provide(loggerThatThrows))
    ))

  it("keeps no best-effort sink from being tried again", () =>
    story(
      Effect.gen(function* () {
        let openings = 0
        const driver = bent((transport) => ({
          ...transport,
          openWriter: (topic) =>
            Effect.suspend(() =>
              topic === "far" && openings++ < 2 ? Effect.fail(failure("openWriter")) : transport.openWriter(topic)
            )
        }))
        const routes = {
          version: 1,
          clusters: { main: { transport: "memory" } },
          routes: [
            {
              match: { stream: "*" },
              to: [
                { cluster: "main", topic: "near", read: true },
                { cluster: "main", topic: "far", required: false, timeout: "1 second" }
              ]
            }
          ]
        }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [driver] })
        yield* leat.stream(noteContract())
        yield* Effect.sleep("2 minutes")
        expect(leat.sinks().map(({ closed }) => closed)).toEqual([undefined, undefined])
      }).pipe(Effect.provide(loggerThatThrows))
    ))
})
