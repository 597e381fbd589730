import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MemoryBroker, memoryTransport } from "leat"
import { type Run, type Transport, TransportError, type TransportReason } from "leat/transport"
import { describe } from "vitest"
import { openForwarder } from "../../src/transport/Forwarder.js"

const error = (reason: TransportReason) =>
  new TransportError({ reason, transport: "scripted", operation: "send", detail: "as the script says" })

/** What a scripted broker says to one send of [from, to). */
type Answer = (from: number, to: number) => ReadonlyArray<Run>
const stored: Answer = (from, to) => [{ from, to, fate: "stored" }]
const unknown: Answer = (from, to) => [{ from, to, fate: "unknown", error: error("Timeout") }]
const fails =
  (reason: TransportReason): Answer =>
  (from, to) => [{ from, to, fate: "notStored", error: error(reason) }]

/** A transport that answers by a script, and then stores; what it was asked is in `calls`. */
function scripted(answers: ReadonlyArray<Answer>, fences: ReadonlyArray<TransportReason | undefined> = []) {
  const inner = memoryTransport(new MemoryBroker({ partitions: 3 }))
  const calls: Array<string> = []
  let sends = 0
  let fenced = 0
  const transport: Transport = {
    ...inner,
    openWriter: () =>
      Effect.succeed({
        partitions: 3,
        send: (partition, _, from, to, __, answer) => {
          calls.push(`${partition}: ${from}-${to}`)
          answer((answers[sends++] ?? stored)(from, to))
        },
        fence: () => {
          calls.push("fence")
          const reason = fences[fenced++]
          return reason === undefined ? Effect.succeed(0n) : Effect.fail(error(reason))
        }
      })
  }
  return { transport, calls }
}

const append = (transport: Transport, count: number, onWaiting: (error: TransportError) => void = () => undefined) =>
  Effect.gen(function* () {
    const forwarder = yield* openForwarder(transport, { topic: "t", partitions: 3 })
    const records = Array.from({ length: count }, (_, index) => ({ key: `${index}`, value: "v" }))
    const running = yield* Effect.forkChild(forwarder.append(1, records, onWaiting))
    yield* TestClock.adjust("10 minutes")
    return (yield* Fiber.join(running)).map((one) => one?.reason)
  }).pipe(Effect.scoped)

describe("what is forwarded", () => {
  it.effect("is sent once where all goes well", () =>
    Effect.gen(function* () {
      const { transport, calls } = scripted([])
      expect(yield* append(transport, 3)).toEqual([undefined, undefined, undefined])
      expect(calls).toEqual(["1: 0-3"])
      expect(yield* append(transport, 0)).toEqual([])
    })
  )

  it.effect("is fenced when it is in doubt, until the fence holds, and sent again before what stands behind it", () =>
    Effect.gen(function* () {
      const { transport, calls } = scripted([fails("Rejected"), unknown], ["Unavailable"])
      const waiting: Array<string> = []
      expect(yield* append(transport, 2, ({ reason }) => waiting.push(reason))).toEqual([undefined, undefined])
      expect(calls).toEqual(["1: 0-2", "1: 0-1", "fence", "fence", "1: 0-1", "1: 1-2"])
      expect(waiting).toEqual(["Unavailable", "Timeout"])
    })
  )

  it.effect(
    "is fenced when a part of it is in doubt, and stays in order when a part behind what failed is stored",
    () =>
      Effect.gen(function* () {
        const parts: Answer = () => [
          { from: 0, to: 1, fate: "stored" },
          { from: 1, to: 2, fate: "notStored", error: error("Throttled") },
          { from: 2, to: 3, fate: "unknown", error: error("Timeout") },
          { from: 3, to: 4, fate: "stored" }
        ]
        const { transport, calls } = scripted([parts])
        expect(yield* append(transport, 4)).toEqual([undefined, undefined, undefined, undefined])
        expect(calls).toEqual(["1: 0-4", "fence", "1: 1-2", "1: 2-3", "1: 3-4"])
      })
  )

  it.effect("is tried again for as long as what it fails with passes", () =>
    Effect.gen(function* () {
      const { transport, calls } = scripted(Array.from({ length: 6 }, () => fails("NotEnoughReplicas")))
      expect(yield* append(transport, 1)).toEqual([undefined])
      expect(calls).toHaveLength(7)
    })
  )

  it.effect("is refused alone where a broker takes none of the request", () =>
    Effect.gen(function* () {
      const refuseSecond: Answer = (from, to) => (from <= 1 && to > 1 ? fails("Rejected")(from, to) : stored(from, to))
      const { transport } = scripted(Array.from({ length: 9 }, () => refuseSecond))
      expect(yield* append(transport, 4)).toEqual([undefined, "Rejected", undefined, undefined])
    })
  )

  it.effect("stops at one that is refused where it is asked to, and says what was sent", () =>
    Effect.gen(function* () {
      const refuseThird: Answer = (from, to) => (from <= 2 && to > 2 ? fails("Rejected")(from, to) : stored(from, to))
      const { transport, calls } = scripted(Array.from({ length: 9 }, () => refuseThird))
      const forwarder = yield* openForwarder(transport, { topic: "t", partitions: 3 })
      const records = Array.from({ length: 8 }, (_, index) => ({ key: `${index}`, value: "v" }))
      const fates = yield* forwarder.appendUntilRefused(1, records)
      expect(fates.map((fate) => (typeof fate === "string" ? fate : fate.reason))).toEqual([
        "stored",
        "stored",
        "Rejected",
        ...Array.from({ length: 5 }, () => "unsent")
      ])
      expect(calls).toEqual(["1: 0-8", "1: 0-4", "1: 0-2", "1: 2-4", "1: 2-3"])
    }).pipe(Effect.scoped)
  )

  it.effect("is sent again before it stops, where it was in doubt and stands before the one that is refused", () =>
    Effect.gen(function* () {
      const parts: Answer = () => [
        { from: 0, to: 1, fate: "unknown", error: error("Timeout") },
        { from: 1, to: 2, fate: "notStored", error: error("Rejected") },
        { from: 2, to: 3, fate: "stored" },
        { from: 3, to: 4, fate: "notStored" }
      ]
      const { transport, calls } = scripted([parts])
      const forwarder = yield* openForwarder(transport, { topic: "t", partitions: 3 })
      const records = Array.from({ length: 4 }, (_, index) => ({ key: `${index}`, value: "v" }))
      const running = yield* Effect.forkChild(forwarder.appendUntilRefused(1, records))
      yield* TestClock.adjust("1 minute")
      const fates = yield* Fiber.join(running)
      expect(fates.map((fate) => (typeof fate === "string" ? fate : fate.reason))).toEqual([
        "stored",
        "Rejected",
        "stored",
        "unsent"
      ])
      expect(calls).toEqual(["1: 0-4", "fence", "1: 0-1"])
    }).pipe(Effect.scoped)
  )

  it.effect("is stored when it once was, though it is sent again for the order and refused then", () =>
    Effect.gen(function* () {
      const secondStands: Answer = () => [
        { from: 0, to: 1, fate: "notStored", error: error("Throttled") },
        { from: 1, to: 2, fate: "stored" }
      ]
      const answers = [secondStands, stored, fails("Rejected")]
      expect(yield* append(scripted(answers).transport, 2)).toEqual([undefined, undefined])
      const forwarder = yield* openForwarder(scripted([secondStands, fails("Rejected")]).transport, {
        topic: "t",
        partitions: 3
      })
      const records = ["a", "b", "c"].map((key) => ({ key, value: "v" }))
      const running = yield* Effect.forkChild(forwarder.appendUntilRefused(1, records))
      yield* TestClock.adjust("1 minute")
      const fates = yield* Fiber.join(running)
      expect(fates.map((fate) => (typeof fate === "string" ? fate : fate.reason))).toEqual([
        "Rejected",
        "stored",
        "unsent"
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("is sent no more when it is over, and what is on its way is waited for", () =>
    Effect.gen(function* () {
      const parts: Answer = () => [
        { from: 0, to: 1, fate: "stored" },
        { from: 1, to: 2, fate: "notStored", error: error("Throttled") },
        { from: 2, to: 3, fate: "stored" }
      ]
      // Over while a send is on its way, while it waits for the next attempt, and while it waits for a fence.
      const waits: ReadonlyArray<readonly [Answer | undefined, ReadonlyArray<string>]> = [
        [undefined, ["stored", "stored", "stored"]],
        [parts, ["stored", "unsent", "stored"]],
        [unknown, ["unsent", "unsent", "unsent"]]
      ]
      for (const [said, expected] of waits) {
        const { transport, calls } = scripted(said === undefined ? [] : [said], ["Unavailable", "Unavailable"])
        const slow: Transport = {
          ...transport,
          openWriter: (topic) =>
            Effect.map(transport.openWriter(topic), (writer) => ({
              ...writer,
              send: (partition, batch, from, to, timeoutMs, answer) =>
                void setImmediate(() => writer.send(partition, batch, from, to, timeoutMs, answer))
            }))
        }
        const forwarder = yield* openForwarder(slow, { topic: "t", partitions: 3 })
        const over = Deferred.makeUnsafe<void>()
        const records = ["a", "b", "c"].map((key) => ({ key, value: "v" }))
        const running = yield* Effect.forkChild(
          forwarder.appendUntil(
            over,
            1,
            records,
            () => undefined,
            () => true
          )
        )
        yield* Effect.yieldNow
        if (said === undefined) Deferred.doneUnsafe(over, Exit.void)
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))
        expect(running.pollUnsafe() === undefined).toBe(said !== undefined)
        Deferred.doneUnsafe(over, Exit.void)
        expect(yield* Fiber.join(running)).toEqual(expected)
        expect(calls.filter((call) => call !== "fence")).toEqual(["1: 0-3"])
      }
    }).pipe(Effect.scoped)
  )

  it.effect("is in doubt where a driver refuses it without an error that says why", () =>
    Effect.gen(function* () {
      for (const odd of [null, "no", new Error("no"), { reason: "Rejected" }, { reason: "No", detail: "no" }]) {
        const { transport, calls } = scripted([
          (from, to) => [{ from, to, fate: "notStored", error: odd as TransportError }]
        ])
        expect(yield* append(transport, 2)).toEqual([undefined, undefined])
        expect(calls).toEqual(["1: 0-2", "fence", "1: 0-2"])
      }
    })
  )

  it.effect("is halved until the broker takes it, and no further", () =>
    Effect.gen(function* () {
      const atMost: Answer = (from, to) => (to - from > 100 ? fails("TooLarge")(from, to) : stored(from, to))
      const { transport, calls } = scripted(Array.from({ length: 10_000 }, () => atMost))
      expect((yield* append(transport, 3200)).filter((reason) => reason !== undefined)).toEqual([])
      expect(calls.filter((call) => call !== "fence")).toHaveLength(63)
      expect(calls.slice(-2)).toEqual(["1: 3000-3100", "1: 3100-3200"])
    })
  )

  it.effect("goes to where it may be written, also by who may not create it", () =>
    Effect.gen(function* () {
      const { transport } = scripted([])
      const forbidden = { ...transport, ensure: () => Effect.fail(error("Unauthorized")) }
      expect(yield* append(forbidden, 1)).toEqual([undefined])
      const missing = { ...forbidden, openWriter: () => Effect.fail(error("UnknownTopic")) }
      expect(yield* Effect.flip(append(missing, 1))).toMatchObject({ reason: "Unauthorized" })
    })
  )
})
