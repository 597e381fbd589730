import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { DeadLetters, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { batchOf, faultDriver } from "leat/testing"
import { ColumnBatch, replayHeader, sendEffect } from "leat/transport"
import { describe, it as plainIt } from "vitest"
import { recordsOf } from "../../src/transport/ReceivedRecords.js"
import { SeenIds } from "../../src/consume/SeenIds.js"
import { noteContract } from "../contracts/Note.ts"
import { open, routes, until } from "./support.ts"

const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const texts = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

/** Stores what stands in a partition once more behind itself. */
const storeAgain = (broker: MemoryBroker) =>
  Effect.gen(function* () {
    const transport = memoryTransport(broker)
    const batches = yield* Stream.runCollect(transport.read("notes", 0, { fromPosition: 0n }))
    const records = Array.from(batches).flatMap((batch) => batch.records)
    const writer = yield* transport.openWriter("notes")
    yield* sendEffect(writer, 0, batchOf(records), 0, records.length, 1000)
  }).pipe(Effect.scoped)

describe("a subscription that looks for copies", () => {
  it.live("handles what a publisher has stored twice once, and counts the copies", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const driver = faultDriver(memoryDriver(broker), {
        send: ({ call }) => (call % 3 === 1 ? { kind: "loseResponse" } : undefined)
      })
      const leat = yield* Leat.make({ source: "test", routes: routes({ dedupe: { records: 0 } }), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      for (const text of texts(9)) yield* notes.publish({ key: `k${text}`, text })
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      yield* subscription.caughtUp
      expect(seen.toSorted()).toEqual(texts(9))
      const [lane] = leat.ledger.snapshot().lanes
      expect(lane).toMatchObject({ done: 9, balanced: true })
      expect(lane?.duplicate).toBeGreaterThan(0)
      // Who does not ask for it gets the copies.
      const all: Array<string> = []
      const other = yield* (yield* open(routes(), broker)).stream(noteContract())
      const subscribed = yield* other.handle("other", ({ text }) => Effect.sync(() => void all.push(text)))
      yield* subscribed.caughtUp
      expect(all).toHaveLength(9 + (lane?.duplicate ?? 0))
    })
  )

  it.live("knows what was handled before it began, as far as it looks back", () =>
    Effect.gen(function* () {
      const handledAgain = (records: number) =>
        Effect.gen(function* () {
          const broker = new MemoryBroker({ partitions: 1 })
          const leat = yield* open(routes(), broker)
          const notes = yield* leat.stream(noteContract())
          yield* notes.publishAll(texts(20).map((text) => ({ key: "k", text })))
          const first = yield* notes.handle("g", () => Effect.void)
          yield* first.caughtUp
          yield* first.stop
          yield* storeAgain(broker)
          const seen: Array<string> = []
          const second = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), {
            dedupe: { records }
          })
          yield* second.caughtUp
          return seen
        }).pipe(Effect.scoped)
      expect(yield* handledAgain(20)).toEqual([])
      // One record tells all of its key: copies of a bucket stand behind its last first.
      expect(yield* handledAgain(1)).toEqual([])
      expect(yield* handledAgain(0)).toEqual(texts(20))
    })
  )

  it.live("handles an event whose first copy waits for a retry once, and a replay each time", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract({ buckets: 1 }))
      yield* notes.publishAll([
        { key: "a", text: "1" },
        { key: "b", text: "2" }
      ])
      yield* storeAgain(broker)
      const seen: Array<string> = []
      const policy = [{ on: ["Again"], retry: { times: 2, baseMs: 20 }, then: "deadLetter" as const }]
      const subscription = yield* notes.handle(
        "g",
        ({ text }, { attempt, replays }) => {
          seen.push(`${text}#${attempt}${replays === undefined ? "" : ` replay ${replays}`}`)
          return text === "1" && replays === undefined ? Effect.fail(failure("Again")) : Effect.void
        },
        { policy, dedupe: { records: 100 } }
      )
      yield* subscription.caughtUp
      yield* subscription.stop
      expect(seen).toEqual(["1#1", "2#1", "1#2", "1#3"])
      yield* DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" })
      yield* notes.handle(
        "g",
        ({ text }, { replays }) => Effect.sync(() => void seen.push(`${text} replay ${replays}`)),
        {
          dedupe: { records: 100 }
        }
      )
      yield* until("replayed", () => seen.length === 5)
      expect(seen.at(-1)).toBe("1 replay 1")
    })
  )
})

describe("seen ids", () => {
  plainIt("are those of copies only, whatever publishers and buckets are mixed", () => {
    const event = fc.record({ incarnation: fc.integer({ min: 1, max: 3 }), bucket: fc.nat(3), isCopy: fc.boolean() })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const next = new Map<string, number>()
        const seen = new SeenIds("s")
        for (const { incarnation, bucket, isCopy } of events) {
          const lane = `${incarnation}/${bucket}`
          const highest = next.get(lane) ?? -1
          const again = isCopy && highest >= 0
          const seq = again ? highest : highest + 1
          next.set(lane, seq)
          const id = `0193000${incarnation}-0000-7000-8000-000000000000/s/${bucket}/${seq}`
          const headers = [["ce_id", new TextEncoder().encode(id)]] as const
          const one = (more: typeof headers | ReadonlyArray<readonly [string, Uint8Array]>) =>
            recordsOf(new ColumnBatch(batchOf([{ key: "k", value: "v", headers: more }]).columns(0, 1), 0n, undefined))
          expect(seen.see(one([replayHeader(1), ...headers]), 0)).toBe(false)
          expect(seen.see(one(headers), 0)).toBe(again)
        }
      })
    )
  })
})
