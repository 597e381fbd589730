/** Whoever reads a spill, or settles it, may be interrupted at any step: what was begun for those that come after it runs all the same. */
import { Context, Effect, Exit, Fiber, Option } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { batchOf, seededRandom, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { meanwhile } from "../../src/publish/meanwhile.js"
import { Settles } from "../../src/publish/sendOn/Settles.js"
import { Spill } from "../../src/publish/spill/Spill.js"
import { SpillLanes } from "../../src/publish/spill/SpillLanes.js"
import { sendEffect } from "../../src/transport/Sending.js"

/** Each seed lets fibers take turns in another order, and is interrupted after another number of turns. */
const seeds = Array.from({ length: 1000 }, (_, seed) => seed)

/** The seeds of those that did not end well. */
function failing(program: (turns: number) => Effect.Effect<boolean>): ReadonlyArray<number> {
  return seeds.filter((seed) => {
    const random = seededRandom(seed)
    const { exit } = simulate(seed, program(seed % 40), { givesWay: () => random() < 0.15 })
    return !Exit.isSuccess(exit) || !exit.value
  })
}

const interruptedAfter = (turns: number, effect: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
  })

const inTime = <A>(effect: Effect.Effect<A>) => Effect.timeoutOption(effect, "20 seconds")

describe("who is interrupted", () => {
  it("while it joins the group of a spill leaves a member that others can wait for", () => {
    const read = (turns: number) =>
      Effect.scoped(
        Effect.gen(function* () {
          const transport = memoryTransport(new MemoryBroker({ partitions: 1 }))
          const topic = "c.t.1.spill"
          yield* Effect.orDie(transport.ensure({ topic, partitions: 1 }))
          const writer = yield* Effect.orDie(transport.openWriter(topic))
          const value = new Uint8Array([1])
          yield* sendEffect(writer, 0, batchOf([{ key: value, value, headers: [] }]), 0, 1, 1000)
          const context = yield* Effect.context<never>()
          const spill = new Spill({ transport, topic, writer, bytesMax: () => 0 }, writer, () => false, context)
          const lanes = yield* SpillLanes.open(spill, "c/t")
          yield* interruptedAfter(turns, lanes.read(0, 0n, 1n))
          const given = yield* inTime(lanes.read(0, 0n, 1n))
          return Option.isSome(given) && given.value.records.length === 1
        })
      )
    expect(failing(read)).toEqual([])
  })

  it("while it holds back what is published for the last of a spill holds back nothing once another process has sent that", () => {
    const transport = memoryTransport(new MemoryBroker({ partitions: 1 }))
    const writer = { partitions: 1, send: () => undefined, fence: () => Effect.succeed(0n) }
    const spill = new Spill(
      { transport, topic: "c.t.1.spill", writer, bytesMax: () => 0 },
      writer,
      () => false,
      Context.empty()
    )
    spill.trip(0)
    const [part] = spill.parts
    if (part !== undefined) part.isHeld = true
    spill.isReady = true
    expect(spill.isHeldBack(0)).toBe(true)
    spill.forget()
    expect({ isHeldBack: spill.isHeldBack(0), isOn: spill.isOn(0) }).toEqual({ isHeldBack: false, isOn: false })
  })

  it("leaves no note of what it did meanwhile", () => {
    const left = (turns: number) =>
      Effect.gen(function* () {
        let notes = 0
        const noting = meanwhile(
          () => notes++,
          Effect.forever(Effect.yieldNow),
          () => notes--
        )
        yield* interruptedAfter(turns, noting)
        return notes === 0
      })
    expect(failing(left)).toEqual([])
  })

  it("while it begins to settle leaves a settling that others can wait for", () => {
    const settled = (turns: number) =>
      Effect.scoped(
        Effect.gen(function* () {
          const settles = new Settles("the spill", yield* Effect.scope, {
            answerMs: 1000,
            settle: () => Effect.yieldNow,
            trim: () => Effect.void,
            settled: () => undefined,
            trimmed: () => undefined
          })
          yield* interruptedAfter(turns, settles.settle(0, 1n))
          return yield* settles.settle(0, 2n)
        })
      )
    expect(failing(settled)).toEqual([])
  })
})
