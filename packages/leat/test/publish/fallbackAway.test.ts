/** A process that starts while the cluster of a leg with a fallback cannot be reached. */
import { Effect, Exit, Scope } from "effect"
import { type Driver, TransportError, type Writer } from "leat/transport"
import { describe, expect, it } from "vitest"
import { fallbackPlaces, isBack, openFalling, stored } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

describe("a process that starts while its cluster is away", () => {
  for (const back of ["redrive", "stay"] as const)
    it(`publishes to the fallback, and goes to its cluster once that is there: ${back}`, () => {
      const places = fallbackPlaces()
      story(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const first = yield* Scope.provide(openFalling(places, { back }), scope)
          places.farFaults = isAway
          yield* first.notes.publish(note("k", "0"))
          yield* Scope.close(scope, Exit.void)
          places.farFaults = {}
          let isThere = false
          const error = new TransportError({
            reason: "Unavailable",
            transport: "memory",
            operation: "open",
            detail: "not there"
          })
          const writers: Array<Writer> = []
          const sending = new Set<Writer>()
          const farDriver = (driver: Driver): Driver => ({
            ...driver,
            open: (...asked) =>
              Effect.suspend(() => (isThere ? driver.open(...asked) : Effect.fail(error))).pipe(
                Effect.map((transport) => ({
                  ...transport,
                  openWriter: (topic) =>
                    Effect.map(transport.openWriter(topic), (inner) => {
                      const writer: Writer = {
                        ...inner,
                        send: (...sent) => {
                          sending.add(writer)
                          inner.send(...sent)
                        }
                      }
                      writers.push(writer)
                      return writer
                    })
                }))
              )
          })
          const { leat, notes } = yield* openFalling(places, { back, farDriver })
          yield* notes.publish(note("k", "1"))
          expect(legRow(leat)).toMatchObject({ fellBack: 1, stored: 0, balanced: true })
          expect(leat.sinks()[0]?.trouble).toMatch(/^is not open yet after \d seconds?: /)
          isThere = true
          yield* until("it is back", isBack(leat), 60_000)
          expect(leat.sinks()[0]?.trouble).toBeUndefined()
          yield* notes.publish(note("k", "2"))
          expect(stored(places)).toEqual(back === "redrive" ? ["0", "1", "2"] : ["2"])
          expect(legRow(leat)).toMatchObject({ recovered: back === "redrive" ? 2 : 0, balanced: true })
          // Whoever sends on has a writer of its own.
          expect(sending.size).toBe(back === "redrive" ? 2 : 1)
        })
      )
    })
})
