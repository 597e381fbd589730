import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { DeadLetters, Leat, MemoryBroker, memoryTransport } from "leat"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { bent, open, routes, until } from "./support.ts"

const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const policy = [{ on: ["*"], then: "deadLetter" as const }]

describe("a replayed dead letter", () => {
  it.live("comes again to the group that had set it aside, and to no other, as the event that it was", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll([
        { key: "a", text: "1" },
        { key: "a", text: "2" }
      ])
      const others: Array<string> = []
      const other = yield* notes.handle("other", ({ text }) => Effect.sync(() => void others.push(text)))
      const first = yield* notes.handle("g", ({ text }) => (text === "1" ? Effect.fail(failure("Bug")) : Effect.void), {
        policy
      })
      yield* first.caughtUp
      yield* other.caughtUp
      yield* first.stop
      const transport = memoryTransport(broker)
      const replayed = yield* DeadLetters.replay(transport, { topic: "notes", group: "g" })
      expect(replayed).toMatchObject({ replayed: 1 })
      const seen: Array<unknown> = []
      const second = yield* notes.handle("g", ({ text }, { id, replays, topic }) =>
        Effect.sync(() => void seen.push([text, id?.seq, replays, topic]))
      )
      yield* until("handled", () => seen.length === 1)
      expect(seen).toEqual([["1", 0, 1, "notes.g.replay"]])
      expect(others).toEqual(["1", "2"])
      const { lanes } = leat.ledger.snapshot()
      expect(lanes.every(({ balanced }) => balanced)).toBe(true)
      expect(lanes.reduce((sum, { group, done }) => sum + (group === "g" ? done : 0), 0)).toBe(2)
      yield* second.stop
    })
  )

  it.live("that fails again is set aside again, with the number of its replays", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "a", text: "1" }, { headers: [["x", Uint8Array.of(7)]] })
      const transport = memoryTransport(broker)
      for (let round = 0; round < 3; round++) {
        const subscription = yield* notes.handle("g", () => Effect.fail(failure("Bug")), { policy })
        yield* until("set aside", () => broker.find("notes.g.dlq")?.partitions[0]?.end === BigInt(2 * round + 1))
        yield* subscription.stop
        expect(yield* DeadLetters.replay(transport, { topic: "notes", group: "g" })).toMatchObject({ replayed: 1 })
      }
      const letters = yield* Stream.runCollect(
        DeadLetters.list(transport, { topic: "notes", group: "g" }, { state: "all" })
      )
      expect(Array.from(letters, ({ letter }) => letter.replays)).toEqual([0, 1, 2])
      // Whatever is made of it, nothing grows: the record is the one that it was.
      const published = broker.find("notes")?.partitions[0]?.read(0n, 1n)?.records[0]?.headers
      expect(published?.map(([name]) => name)).toContain("x")
      for (const { headers } of letters) expect(headers).toEqual(published)
      expect(broker.find("notes.g.replay")?.partitions[0]?.end).toBe(3n)
    })
  )

  it.effect("is found while the subscription runs, and by the time it has the settings that are in force", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      let isBroken = true
      const seen: Array<string> = []
      yield* notes.handle(
        "g",
        ({ text }) => (isBroken ? Effect.fail(failure("Bug")) : Effect.sync(() => void seen.push(text))),
        { policy }
      )
      yield* Effect.forkChild(notes.publish({ key: "a", text: "1" }))
      yield* TestClock.adjust("1 second")
      isBroken = false
      yield* DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" })
      yield* TestClock.adjust("31 seconds")
      expect(seen).toEqual(["1"])
    })
  )

  it.live("that cannot be handled halts by the policy as any other, and says where", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const leat = yield* open(routes(), broker)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "a", text: "1" })
      const first = yield* notes.handle("g", () => Effect.fail(failure("Bug")), { policy })
      yield* first.caughtUp
      yield* first.stop
      yield* DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" })
      let isMended = false
      const second = yield* notes.handle("g", () => (isMended ? Effect.void : Effect.fail(failure("Bug"))), {
        policy: []
      })
      yield* until("halted", () => second.halted().length === 1)
      expect(second.halted()).toMatchObject([{ scope: "lane", topic: "notes.g.replay", partition: 0, tag: "Bug" }])
      isMended = true
      yield* second.resume
      yield* until("handled", () => second.halted().length === 0)
      yield* second.stop
    })
  )

  it.effect("is looked for again when a driver fails of the question, throws it back or never answers", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      let looks = 0
      const odd = [
        () => Effect.die(new Error("planted")),
        (): Effect.Effect<never> => {
          throw new Error("planted")
        },
        () => Effect.never
      ]
      const driver = bent(
        (one) => ({
          ...one,
          bounds: (topic, group) =>
            topic.endsWith(".replay") ? (odd[looks++]?.() ?? one.bounds(topic, group)) : one.bounds(topic, group)
        }),
        broker
      )
      const leat = yield* Leat.make({ source: "test", routes: routes(), drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      yield* Effect.scoped(memoryTransport(broker).ensure({ topic: "notes.g.replay", partitions: 1 }))
      for (let minute = 0; minute < 3; minute++) yield* TestClock.adjust("1 minute")
      expect(looks).toBeGreaterThan(odd.length)
      notes.offer({ key: "a", text: "1" })
      yield* TestClock.adjust("1 minute")
      expect(seen).toEqual(["1"])
    })
  )
})
