import { log } from "@leat/log"
import { Effect, type Scope } from "effect"
import { waitUntil } from "leat/testing"
import type { Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { Place } from "../../leat/src/control/ControlRecord.ts"
import { type ControlStream, openControlStream } from "../../leat/src/control/ControlStream.ts"
import { temporaryDirectory } from "./support/temporary.ts"

const topic = "leat-control"
const place: Place = { cluster: "c", topic: "t", partitions: 1 }
const table = (base: number, document: string) =>
  ({ kind: "table", base, document, places: new Map([["X", place]]) }) as const

const opened = (transport: Transport, author: string) =>
  openControlStream({ transport, topic, author, beatEvery: "100 millis", lookEvery: "20 millis", snapshotEvery: 30 })

const reaches = (stream: ControlStream, document: string) =>
  waitUntil(
    document,
    Effect.sync(() => stream.control.document === document)
  )

const within = <A, E>(directory: string, use: (transport: Transport) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.flatMap(log.open("local", { directory }), use))

describe("a control stream on the log", () => {
  it("has one winner, is followed, is trimmed behind snapshots, and is there when everybody starts again", () => {
    const first = (directory: string) =>
      within(directory, (transport) =>
        Effect.gen(function* () {
          const one = yield* opened(transport, "one")
          const two = yield* opened(transport, "two")
          const written = yield* Effect.all([one.write(table(0, "of one")), two.write(table(0, "of two"))], {
            concurrency: "unbounded"
          })
          expect(written.filter(({ counts }) => counts)).toHaveLength(1)
          yield* one.join("X")
          yield* two.write(table(1, "second"))
          yield* reaches(one, "second")
          const isTrimmed = Effect.map(transport.bounds(topic), ([bounds]) => (bounds?.start ?? 0n) > 10n)
          yield* waitUntil("it is trimmed", isTrimmed, { withinMs: 30_000 })
        })
      )
    const again = (directory: string) =>
      within(directory, (transport) =>
        Effect.gen(function* () {
          const [bounds] = yield* transport.bounds(topic)
          expect(Number(bounds?.start)).toBeGreaterThan(10)
          const three = yield* opened(transport, "three")
          expect(three.control).toMatchObject({ version: 2, document: "second" })
          // It was closed, and has left what it wrote.
          expect(three.control.streams.get("X")?.writers.get("one")).toBe("left")
          expect((yield* three.write(table(2, "third"))).counts).toBe(true)
        })
      )
    const story = Effect.flatMap(temporaryDirectory, (directory) => Effect.andThen(first(directory), again(directory)))
    return Effect.runPromise(Effect.scoped(story))
  }, 60_000)
})
