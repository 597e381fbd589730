/** A cluster that answers late, and stores what it was given in order all the same: the last word of a key stays its newest event. */
import { Effect, Exit, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { faultDriver, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"

const contract = noteContract({ compacted: true })

const routes = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: { again: [{ on: ["passing"], retry: { base: "10 millis" }, then: "halt" }] },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "local", topic: "notes", policy: "again", linger: "1 millis", timeout: "1 second" }]
    }
  ]
}

describe("the state of a key in a compacted topic", () => {
  it.each([
    [500, 300],
    [1900, 1000],
    [2500, 1500],
    [2900, 1500],
    [2900, 2500],
    [4000, 2500]
  ])("is its newest event, where an answer takes %i ms and the next event comes after %i ms", (answerMs, nextMs) => {
    const broker = new MemoryBroker({ partitions: 1 })
    let isFirst = true
    const driver = faultDriver(memoryDriver(broker), {
      send: ({ topic }) => {
        if (topic !== "notes" || !isFirst) return undefined
        isFirst = false
        return { kind: "delay", ms: answerMs }
      }
    })
    const told: Array<string> = []
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", drivers: [driver], routes })
      const notes = yield* leat.stream(contract)
      const publish = (text: string) =>
        Effect.forkDetach(
          Effect.tap(notes.publish({ key: "k", text }, { level: "stored" }), () => Effect.sync(() => told.push(text)))
        )
      yield* publish("old")
      yield* Effect.sleep(nextMs)
      yield* publish("new")
      yield* Effect.sleep("20 seconds")
      broker.compact()
      const batches = yield* Stream.runCollect(memoryTransport(broker).read("notes", 0, { fromPosition: 0n }))
      return batches.flatMap(({ records }) =>
        records.map(({ value }) => contract.decode(value ?? new Uint8Array()).text)
      )
    })
    const { exit } = simulate(1, Effect.scoped(program), { stepsMax: 1_000_000 })
    expect([told.toSorted(), Exit.isSuccess(exit) ? exit.value : exit.cause]).toEqual([["new", "old"], ["new"]])
  })
})
