import { Effect } from "effect"
import { batchOf, type EffectWriter, sendEffect, type Run, type Writer, writerOf } from "leat/transport"
import { describe, expect, it } from "vitest"

const batch = batchOf([{ key: "k", value: "1" }])
const fatesOf = (send: Writer["send"]): Promise<ReadonlyArray<Run["fate"]>> =>
  Effect.runPromise(Effect.map(sendEffect({ send }, 0, batch, 0, 1, 1000), (runs) => runs.map(({ fate }) => fate)))
const written = (sent: Effect.Effect<ReadonlyArray<Run>, unknown>): Promise<ReadonlyArray<Run["fate"]>> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const writer = yield* writerOf("test", { partitions: 1, send: () => sent, fence: () => Effect.succeed(0n) })
      const runs = yield* sendEffect(writer, 0, batch, 0, 1, 1000)
      return runs.map(({ fate }) => fate)
    }).pipe(Effect.scoped)
  )

describe("a send as an effect", () => {
  it("says what the driver says", async () => {
    expect(await fatesOf((_, __, from, to, ___, answer) => answer([{ from, to, fate: "notStored" }]))).toEqual([
      "notStored"
    ])
  })

  it("knows nothing where the driver throws", async () => {
    const broken = () => {
      throw new Error("the socket is gone")
    }
    expect(await fatesOf(broken)).toEqual(["unknown"])
  })

  it.for([
    ["fails", Effect.fail(new Error("no"))],
    ["dies", Effect.die("no")],
    ["is interrupted", Effect.interrupt]
  ] as const)("knows nothing where the driver's effect %s", async ([, sent]) => {
    expect(await written(sent)).toEqual(["unknown"])
  })

  it("is given the time that it has and no instant, because the wall clock may be set meanwhile", async () => {
    const given: Array<number> = []
    const send = (...[, , from, to, ms]: Parameters<EffectWriter["send"]>) =>
      Effect.sync((): ReadonlyArray<Run> => {
        given.push(ms)
        return [{ from, to, fate: "stored" }]
      })
    const writing = Effect.gen(function* () {
      const writer = yield* writerOf("test", { partitions: 1, send, fence: () => Effect.succeed(0n) })
      return yield* sendEffect(writer, 0, batch, 0, 1, 1000)
    })
    await Effect.runPromise(Effect.scoped(writing))
    expect(given).toEqual([1000])
  })
})
