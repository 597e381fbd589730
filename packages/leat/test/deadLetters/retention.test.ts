/** What a topic keeps in which a group sets aside, on a transport that outlives the process. */
import { Effect } from "effect"
import { DeadLetters, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import type { Driver, Transport } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { note, story } from "../publish/stories.js"

const outliving = (transport: Transport): Transport => ({
  ...transport,
  capabilities: { ...transport.capabilities, ephemeral: false }
})

const policy = [{ on: ["Poison"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" as const }]

it("dead letters and their replays are kept, whatever the cluster keeps by default, and retry topics as it keeps topics", () => {
  story(
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const inner = memoryDriver(broker)
      const driver: Driver = { ...inner, open: (...asked) => Effect.map(inner.open(...asked), outliving) }
      const leat = yield* Leat.make({ source: "test", drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish(note("k", "1"))
      const failing = () => Effect.fail({ _tag: "Poison", message: "no" })
      const subscription = yield* notes.handle("g", failing, { policy, retryTopics: { delaysMs: [1000] } })
      yield* subscription.caughtUp
      yield* Effect.sleep("1 minute")
      const which = { topic: "test.notes", group: "g" }
      yield* DeadLetters.replay(outliving(memoryTransport(broker)), which)
      const kept = { timeMs: Infinity, bytes: Infinity }
      expect(broker.find("test.notes.g.dlq")?.spec.retention).toEqual(kept)
      expect(broker.find("test.notes.g.replay")?.spec.retention).toEqual(kept)
      expect(broker.find("test.notes.g.retry.1")?.spec).toEqual({ topic: "test.notes.g.retry.1", partitions: 1 })
    })
  )
})
