import { inspectLog, logTransport, readLog } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect, Stream } from "effect"
import { batchOf } from "leat/testing"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { temporaryDirectory } from "./support/temporary.js"

const send = (directory: string, value: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* (yield* logTransport({ directory })).openWriter("t")
      return yield* sendEffect(writer, 0, batchOf([{ key: "k", value }]), 0, 1, 10_000)
    })
  )

/** Names and bytes of all that stands in a directory. */
const contents = (directory: string): unknown =>
  readdirSync(directory)
    .toSorted()
    .map((name) => [name, readFileSync(join(directory, name)).toString("base64")])

describe("a reader", () => {
  it("leaves a closed log exactly as it was, and sees what is written meanwhile", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        yield* send(directory, "first")
        const before = contents(directory)
        yield* inspectLog(directory)
        expect(contents(directory)).toEqual(before)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { inspect, read, bounds } = yield* readLog(directory)
            expect((yield* inspect).topics.map(({ topic }) => topic)).toEqual(["t"])
            yield* send(directory, "second")
            expect((yield* bounds("t"))[0]?.end).toBe(2n)
            const batches = yield* Stream.runCollect(read("t", 0, { fromPosition: 0n }))
            const values = batches.flatMap(({ records }) =>
              records.map(({ value }) => String(Buffer.from(value ?? [])))
            )
            expect(values).toEqual(["first", "second"])
          })
        )
        expect(readdirSync(directory).toSorted()).toEqual(["log.sqlite", "wake"])
      }).pipe(Effect.scoped)
    ))

  it("creates nothing where there is no log", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const error = yield* Effect.flip(readLog(join(directory, "none")))
        expect(error).toMatchObject({ reason: "UnknownTopic" })
        expect(readdirSync(directory)).toEqual([])
      }).pipe(Effect.scoped)
    ))
})
