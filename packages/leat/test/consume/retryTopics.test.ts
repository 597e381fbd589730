import { expect, it } from "@effect/vitest"
import { Clock, Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { DeadLetters, type DeliveryInfo, MemoryBroker, memoryTransport } from "leat"
import { readDeadLetter } from "leat/transport"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { open, routes } from "./support.ts"

const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const second = 1000
const minute = 60 * second
const retryTopics = { delaysMs: [minute, 10 * minute] }
/** Tried twice in each lane. */
const policy = [{ on: ["Bug"], retry: { times: 1, baseMs: 10, jitter: 0 }, then: "deadLetter" as const }]

/** What a partition holds. */
const recordsIn = (broker: MemoryBroker, topic: string, partition = 0) =>
  Effect.gen(function* () {
    if (broker.find(topic) === undefined) return []
    const batches = yield* Stream.runCollect(memoryTransport(broker).read(topic, partition, { fromPosition: 0n }))
    return Array.from(batches).flatMap(({ records }) => records)
  }).pipe(Effect.scoped)

const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? new Uint8Array())

/** Calls of a handler, as seconds of the virtual clock. */
class Calls {
  readonly seen: Array<string> = []
  readonly infos: Array<DeliveryInfo> = []
  isBroken: (key: string, attempt: number) => boolean = (key) => key.startsWith("bad")

  readonly handler = ({ key, text: value }: { readonly key: string; readonly text: string }, info: DeliveryInfo) =>
    Effect.gen({ self: this }, function* () {
      const atMs = yield* Clock.currentTimeMillis
      this.seen.push(`${key}${value}#${info.attempt}@${Math.floor(atMs / second)}`)
      this.infos.push(info)
      if (this.isBroken(key, info.attempt)) return yield* Effect.fail(failure("Bug"))
    })
}

describe("an event that fails", () => {
  it.effect("waits in one retry topic after the other, and is dead-lettered from where it was published", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const calls = new Calls()
      const subscription = yield* notes.handle("g", calls.handler, { policy, retryTopics })
      notes.offer({ key: "good", text: "1" })
      notes.offer({ key: "bad", text: "2" }, { headers: [["x", Uint8Array.of(7)]] })
      notes.offer({ key: "bad", text: "3" })
      yield* TestClock.adjust("30 seconds")
      // Each twice: the retry of its rule, and then it makes room for the next one of its key.
      expect(calls.seen).toEqual(["good1#1@0", "bad2#1@0", "bad2#2@0", "bad3#1@0", "bad3#2@0"])
      expect(yield* subscription.lag).toBe(0n)
      calls.seen.length = 0
      yield* TestClock.adjust("29 seconds")
      expect(calls.seen).toEqual([])
      yield* TestClock.adjust("2 seconds")
      expect(calls.seen).toEqual(["bad2#3@60", "bad2#4@60", "bad3#3@60", "bad3#4@60"])
      calls.seen.length = 0
      yield* TestClock.adjust("9 minutes")
      expect(calls.seen).toEqual([])
      yield* TestClock.adjust("2 minutes")
      expect(calls.seen).toEqual(["bad2#5@660", "bad2#6@660", "bad3#5@660", "bad3#6@660"])
      const last = calls.infos.at(-3)
      expect([last?.topic, last?.moves, last?.replays, last?.headers]).toEqual([
        "notes.g.retry.2",
        2,
        undefined,
        [["x", Uint8Array.of(7)]]
      ])
      expect(last?.id).toEqual(calls.infos[1]?.id)
      const original = (yield* recordsIn(broker, "notes"))[1]
      const letters = (yield* recordsIn(broker, "notes.g.dlq")).map((record) => ({
        key: text(record.key),
        value: record.value,
        ...readDeadLetter(record.headers)
      }))
      expect(letters).toMatchObject([
        {
          key: "bad",
          value: original?.value,
          headers: original?.headers,
          letter: {
            topic: "notes",
            partition: 0,
            position: 1n,
            group: "g",
            tag: "Bug",
            message: "planted Bug",
            attempts: 6,
            moves: 2,
            replays: 0,
            timeMs: original?.timeMs
          }
        },
        { letter: { topic: "notes", position: 2n, attempts: 6 } }
      ])
      expect(letters[0]?.letter?.dueMs).toBeUndefined()
      const { lanes, balanced } = leat.ledger.snapshot()
      expect(balanced).toBe(true)
      expect(lanes.map(({ lane, done, moved, deadLettered }) => [lane, done, moved, deadLettered])).toEqual([
        ["notes/0", 1, { Bug: 2 }, {}],
        ["notes.g.retry.1/0", 0, { Bug: 2 }, {}],
        ["notes.g.retry.2/0", 0, {}, { Bug: 2 }]
      ])
      expect(
        (yield* recordsIn(broker, "notes.g.retry.1")).map(({ headers }) => readDeadLetter(headers)?.letter)
      ).toMatchObject([
        { topic: "notes", position: 1n, attempts: 2, moves: 1, atMs: 11, dueMs: minute + 11 },
        { topic: "notes", position: 2n, attempts: 2, moves: 1, atMs: 21, dueMs: minute + 21 }
      ])
    })
  )

  it.effect("is handled once it can be, and after a replay anew in all retry topics", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      const calls = new Calls()
      yield* notes.handle("g", calls.handler, { policy, retryTopics: { delaysMs: [minute] } })
      notes.offer({ key: "bad", text: "1" })
      yield* TestClock.adjust("2 minutes")
      expect(calls.seen).toEqual(["bad1#1@0", "bad1#2@0", "bad1#3@60", "bad1#4@60"])
      calls.seen.length = 0
      yield* DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" })
      yield* TestClock.adjust("30 seconds")
      expect(calls.seen).toEqual(["bad1#1@120", "bad1#2@120"])
      calls.isBroken = () => false
      yield* TestClock.adjust("1 minute")
      expect(calls.seen.slice(2)).toEqual(["bad1#3@180"])
      expect(calls.infos.at(-1)?.replays).toBe(1)
      expect(calls.infos.at(-1)?.moves).toBe(1)
      expect(yield* recordsIn(broker, "notes.g.dlq")).toHaveLength(2)
    })
  )
})
