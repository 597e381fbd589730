import { Clock, Effect, Exit, Stream } from "effect"
import { DeadLetters, MemoryBroker, memoryTransport, TransportError } from "leat"
import type { ReceivedRecord, Run, Transport } from "leat/transport"
import { faultTransport, type FaultPlan, simulate } from "leat/testing"
import { expect, it } from "vitest"
import { bytesOf, dlq, readAll, replays, textOf, which, writeLetters } from "./letters.ts"

interface World {
  readonly broker: MemoryBroker
  /** Without faults. */
  readonly transport: Transport
  /** With the faults of the plan. */
  readonly faulty: Transport
}

/** Runs on virtual time; gives what it gave and how long it took, in milliseconds. */
function told<A>(use: (world: World) => Effect.Effect<A, unknown>, plan: FaultPlan = {}, broker = new MemoryBroker()) {
  const transport = memoryTransport(broker)
  const { exit, elapsedMs } = simulate(1, use({ broker, transport, faulty: faultTransport(transport, plan) }))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return { is: exit.value, elapsedMs }
}

const openCount = (transport: Transport) => Stream.runCount(DeadLetters.list(transport, which))
const keysOf = (records: ReadonlyArray<ReceivedRecord> | undefined) => records?.map(({ key }) => textOf(key)).join("")
const abc = [{ key: "a" }, { key: "b" }, { key: "c" }]

it("writes key, value and headers as they were, behind a header that keeps the event from being a duplicate", () => {
  const { is } = told(({ transport }) =>
    Effect.gen(function* () {
      const headers = [["leat", Uint8Array.of(1, 2)] as const, ["x", bytesOf("ü")] as const]
      yield* writeLetters(transport, 1, [
        { key: "o-1", value: "cents", headers, replays: 1 },
        { value: null, key: null }
      ])
      const report = yield* DeadLetters.replay(transport, which)
      const [first, second] = yield* readAll(transport, replays)
      return { report, first, second, nowMs: yield* Clock.currentTimeMillis, open: yield* openCount(transport) }
    })
  )
  expect(is).toMatchObject({ report: { replayed: 2, guarded: 0, refused: 0 }, first: [], open: 0 })
  const shown = is.second?.map(({ key, value, headers, timeMs }) => {
    return {
      key: textOf(key),
      value: textOf(value),
      headers: headers.map(([name, bytes]) => [name, textOf(bytes)]),
      timeMs
    }
  })
  expect(shown).toEqual([
    {
      key: "o-1",
      value: "cents",
      headers: [
        ["leat-dlq", '{"version":1,"replays":2}'],
        ["leat", "\u0001\u0002"],
        ["x", "ü"]
      ],
      timeMs: is.nowMs
    },
    { key: null, value: null, headers: [["leat-dlq", '{"version":1,"replays":1}']], timeMs: is.nowMs }
  ])
})

it("replays what is chosen, as much as is asked for, and nothing that was replayed too often", () => {
  const { is } = told(({ transport }) =>
    Effect.gen(function* () {
      yield* writeLetters(transport, 0, [
        { key: "a" },
        { key: "b", replays: 3 },
        { key: "c" },
        { key: "d" },
        { key: "e" }
      ])
      const chosen = { where: ({ key }: DeadLetters.ListedLetter) => textOf(key) !== "d" }
      const dry = yield* DeadLetters.replay(transport, which, { ...chosen, isDryRun: true })
      const topics = yield* transport.topics ?? Effect.succeed([])
      const some = yield* DeadLetters.replay(transport, which, { ...chosen, limit: 2 })
      const others = yield* DeadLetters.replay(transport, which, { ...chosen, replaysMax: 4, by: "anna" })
      const none = yield* DeadLetters.replay(transport, which, { replaysMax: 0 })
      const [stored] = yield* readAll(transport, replays)
      const [left] = yield* Stream.runCollect(DeadLetters.list(transport, which))
      const all = yield* Stream.runCollect(DeadLetters.list(transport, which, { state: "all" }))
      return {
        dry,
        topics,
        some,
        others,
        none,
        keys: keysOf(stored),
        left: textOf(left?.key ?? null),
        by: all[1]?.resolution?.by
      }
    })
  )
  expect(is).toEqual({
    dry: { replayed: 3, guarded: 1, refused: 0 },
    topics: [dlq],
    some: { replayed: 2, guarded: 1, refused: 0 },
    others: { replayed: 2, guarded: 0, refused: 0 },
    none: { replayed: 0, guarded: 1, refused: 0 },
    keys: "acbe",
    left: "d",
    by: "anna"
  })
})

it("keeps to its rate", () => {
  const letters = Array.from({ length: 100 }, (_, at) => ({ key: String(at) }))
  const replayed = (rate: number) =>
    told(({ transport }) =>
      Effect.andThen(writeLetters(transport, 0, letters), DeadLetters.replay(transport, which, { rate }))
    )
  expect(replayed(50).elapsedMs).toBe(1900) // 20 pages of 5; the first waits for nothing
  expect(replayed(0.5).elapsedMs).toBe(198_000)
})

it("makes the topic of replays with the partitions of the letters, and refuses one that has fewer", () => {
  const { is } = told(({ transport }) =>
    Effect.gen(function* () {
      yield* writeLetters(transport, 1, abc)
      yield* transport.ensure({ topic: replays, partitions: 1 })
      return yield* Effect.flip(DeadLetters.replay(transport, which))
    })
  )
  expect(is.detail).toBe(
    "orders.billing.replay has 1 partitions and orders.billing.dlq has 2; give it as many, so that each letter keeps its partition"
  )
})

it.each([
  ["a lost answer", "loseResponse", "abcabc"],
  ["a broken connection", "cut", "abc"],
  ["no answer at all", "silence", "abc"]
] as const)("sends again, behind a fence, after %s", (_, kind, keys) => {
  let fences = 0
  const { is } = told(
    ({ transport, faulty }) =>
      Effect.gen(function* () {
        yield* writeLetters(transport, 0, abc)
        const report = yield* DeadLetters.replay(faulty, which)
        const [stored] = yield* readAll(transport, replays)
        return { replayed: report.replayed, keys: keysOf(stored), open: yield* openCount(transport) }
      }),
    {
      send: ({ call }) => (call === 0 ? { kind } : undefined),
      fence: () => (fences++ === 0 ? "Unavailable" : undefined)
    }
  )
  expect(is).toEqual({ replayed: 3, keys, open: 0 })
  expect(fences).toBe(2)
})

it("lets no late write land behind what it sends again", () => {
  const { is } = told(
    ({ transport, faulty }) =>
      Effect.gen(function* () {
        yield* writeLetters(transport, 0, abc)
        yield* DeadLetters.replay(faulty, which)
        yield* Effect.sleep("1 minute")
        const [stored] = yield* readAll(transport, replays)
        return keysOf(stored)
      }),
    { send: ({ call }) => (call === 0 ? { kind: "lateWrite", ms: 15_000 } : undefined) }
  )
  expect(is).toBe("abc")
})

it("leaves what the topic of replays will never take, tells why, and replays the rest in order", () => {
  const { is } = told(
    ({ transport, faulty }) =>
      Effect.gen(function* () {
        yield* writeLetters(transport, 0, [
          { key: "a" },
          { key: "b", value: "x".repeat(500) },
          { key: "c" },
          { key: "d" }
        ])
        const { refusal, ...counts } = yield* DeadLetters.replay(faulty, which)
        const [stored] = yield* readAll(transport, replays)
        return { ...counts, reason: refusal?.reason, keys: keysOf(stored), open: yield* openCount(transport) }
      }),
    { send: () => ({ kind: "oversize", bytesMax: 400 }) }
  )
  expect(is).toEqual({ replayed: 3, guarded: 0, refused: 1, reason: "TooLarge", keys: "acd", open: 1 })
})

it("goes on behind what is stored of a range, in order, whatever else of it is", () => {
  const replayedWith = (batch: "prefix" | "each", answer: (runs: ReadonlyArray<Run>) => ReadonlyArray<Run>) =>
    told(({ transport }) =>
      Effect.gen(function* () {
        yield* writeLetters(transport, 0, abc)
        let calls = 0
        const partly: Transport = {
          ...transport,
          capabilities: { ...transport.capabilities, batch },
          openWriter: (topic) =>
            Effect.map(transport.openWriter(topic), (writer) => ({
              ...writer,
              send: (partition, records, from, to, timeoutMs, say) => {
                if (topic !== replays || calls++ > 0) return writer.send(partition, records, from, to, timeoutMs, say)
                writer.send(partition, records, from, from + 1, timeoutMs, (runs) => say(answer(runs)))
              }
            }))
        }
        const { replayed } = yield* DeadLetters.replay(partly, which)
        return `${replayed} ${keysOf((yield* readAll(transport, replays))[0])}`
      })
    ).is
  const error = new TransportError({ reason: "Throttled", transport: "memory", operation: "send", detail: "a test" })
  expect(replayedWith("prefix", (runs) => [...runs, { from: 1, to: 3, fate: "notStored", error }])).toBe("3 abc")
  // Refused together with the other.
  expect(replayedWith("each", (runs) => [...runs, { from: 1, to: 2, fate: "notStored" }])).toBe("3 abc")
  // A driver that says less than it was asked has said nothing of the rest.
  expect(replayedWith("prefix", (runs) => runs)).toBe("3 abc")
  expect(replayedWith("each", () => [{ from: 0, to: 1, fate: "unknown" }])).toBe("3 aabc")
})

it.each([
  ["Unavailable", 90_000],
  ["Unauthorized", 0]
] as const)("gives up when the error is %s, and goes on when it is called again", (reason, waitedMs) => {
  let isBroken = true
  const { is } = told(
    ({ transport, faulty }) =>
      Effect.gen(function* () {
        yield* writeLetters(transport, 0, abc)
        const beganMs = yield* Clock.currentTimeMillis
        const error = yield* Effect.flip(DeadLetters.replay(faulty, which))
        const waited = (yield* Clock.currentTimeMillis) - beganMs
        isBroken = false
        const { replayed } = yield* DeadLetters.replay(faulty, which)
        return { reason: error.reason, waited, replayed, open: yield* openCount(transport) }
      }),
    { send: () => (isBroken ? { kind: "fail", reason } : undefined) }
  )
  expect(is).toMatchObject({ reason, replayed: 3, open: 0 })
  expect(is.waited).toBeGreaterThanOrEqual(waitedMs)
  expect(is.waited).toBeLessThanOrEqual(waitedMs + 2000)
})

it("drops with a reason, deletes nothing, and refuses to drop without one", () => {
  const { is } = told(({ transport }) =>
    Effect.gen(function* () {
      yield* writeLetters(transport, 0, abc)
      const dry = yield* DeadLetters.drop(transport, which, { reason: "test", isDryRun: true })
      const before = yield* openCount(transport)
      const dropped = yield* DeadLetters.drop(transport, which, { reason: "sent by a load test", limit: 2 })
      const all = yield* Stream.runCollect(DeadLetters.list(transport, which, { state: "all" }))
      const without = yield* Effect.exit(DeadLetters.drop(transport, which, { reason: " " }))
      return {
        dry,
        before,
        dropped,
        reasons: all.map(({ resolution }) => resolution?.reason),
        isRefused: Exit.isFailure(without)
      }
    })
  )
  const reason = "sent by a load test"
  expect(is).toEqual({ dry: 3, before: 3, dropped: 2, reasons: [reason, reason, undefined], isRefused: true })
})

it.each([
  [
    "a misspelt option",
    { wher: () => false },
    "wher: is no option; there is where, partition, limit, isDryRun, by, rate, replaysMax"
  ],
  ["no rate", { rate: 0 }, "rate: is a number above 0, and not 0"],
  ["a limit of nothing", { limit: 0 }, "limit: is a whole number from 1, and not 0"]
])("replays nothing for %s", (_, options, detail) => {
  const { is } = told(({ transport }) =>
    Effect.andThen(
      writeLetters(transport, 0, abc),
      Effect.flip(DeadLetters.replay(transport, which, options as object))
    )
  )
  expect(is).toMatchObject({ reason: "Unsupported", detail })
})

it("replays what was set aside, whatever a `where` does to the letters that it is shown", () => {
  const { is } = told(({ transport }) =>
    Effect.gen(function* () {
      const headers = [["x", bytesOf("own")] as const]
      yield* writeLetters(
        transport,
        1,
        ["a", "b"].map((key) => ({ key, value: `value of ${key}`, headers }))
      )
      yield* DeadLetters.replay(transport, which, {
        where: (letter) => {
          for (const bytes of [letter.key, letter.value, letter.headers[0]?.[1]]) bytes?.fill(90)
          return true
        }
      })
      return yield* readAll(transport, replays)
    })
  )
  const replayed = is.flat().map(({ key, value, headers }) => [key, value, headers.at(-1)?.[1] ?? null].map(textOf))
  expect(replayed).toEqual([
    ["a", "value of a", "own"],
    ["b", "value of b", "own"]
  ])
})

it("lists letters whose bytes may be given away: those of the others stay", () => {
  const { is } = told(({ transport }) =>
    Effect.gen(function* () {
      yield* writeLetters(
        transport,
        1,
        Array.from({ length: 20 }, (_, index) => ({ key: `${index}`, value: "value" }))
      )
      const letters = yield* Stream.runCollect(DeadLetters.list(transport, which))
      const { buffer } = letters[0]?.value ?? new Uint8Array()
      if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] })
      return letters
    })
  )
  expect(is.slice(1).map(({ key, value }) => `${textOf(key)} ${textOf(value)}`)).toEqual(
    Array.from({ length: 19 }, (_, index) => `${index + 1} value`)
  )
})
