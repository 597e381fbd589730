/** The level that a call asks for, where a destination cannot give it. */
import { Effect, Fiber } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { open } from "leat/promise"
import { faultDriver, waitUntil } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { big, documentOf, kept, narrow, note, openNotes, story, stored, streamRow } from "./stories.js"

const durable = { level: "durable" } as const

const detail =
  "the level durable needs a cluster that keeps what it stores, which local does not declare; say stored, or give the leg a spill"

const disk = "onDisk"

/** A cluster that keeps what it stores, which takes its time, and one in memory beside it. */
const documentOfBoth = (version: number, isRequired: boolean) => ({
  version,
  clusters: { local: { transport: "memory" }, disk: { transport: disk } },
  policies: { leg: [] },
  routes: [
    {
      match: { stream: "*" },
      to: [
        { cluster: "disk", topic: "notes", ...narrow("block").leg },
        { cluster: "local", topic: "notes", required: isRequired }
      ]
    }
  ]
})

const openBoth = (isRequired: boolean) =>
  Effect.gen(function* () {
    const slow = faultDriver(kept(new MemoryBroker({ partitions: 1 }), disk), narrow("block").faults ?? {})
    const leat = yield* Leat.make({
      source: "test",
      routes: documentOfBoth(1, isRequired),
      drivers: [slow, memoryDriver(new MemoryBroker({ partitions: 1 }))]
    })
    return { leat, notes: yield* leat.stream(noteContract()) }
  })

describe("a call at the level durable, where a required leg goes to a cluster in memory", () => {
  it("is rejected by publish, and nothing is stored", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes()
        const error = yield* Effect.flip(notes.publish(note("k", "1"), durable))
        expect(error).toMatchObject({ _tag: "Rejected", reason: "invalid", stream: "test.notes", detail })
        yield* notes.publish(note("k", "2"))
        expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["2"])
        expect(streamRow(leat)).toMatchObject({ offered: 2, admitted: 1, rejected: { invalid: 1 } })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("is rejected by publishAll, each event with the same error", () =>
    story(
      Effect.gen(function* () {
        const { broker, notes } = yield* openNotes()
        const { admitted, rejected } = yield* notes.publishAll([note("k", "1"), note("k", "2")], durable)
        expect({ admitted, indexes: rejected.map(({ index }) => index) }).toEqual({ admitted: 0, indexes: [0, 1] })
        expect(rejected[0]?.error).toMatchObject({ _tag: "Rejected", reason: "invalid", detail })
        expect(rejected[1]?.error).toBe(rejected[0]?.error)
        expect(yield* stored(broker)).toEqual([])
      })
    ))

  it("is rejected at the door of promises", async () => {
    const broker = new MemoryBroker({ partitions: 1 })
    await using leat = await open({ source: "test", routes: documentOf({}), drivers: [memoryDriver(broker)] })
    const notes = await leat.stream(noteContract())
    const refused = { _tag: "Rejected", reason: "invalid", detail }
    await expect(notes.publish(note("k", "1"), durable)).rejects.toMatchObject(refused)
    const { admitted, rejected } = await notes.publishAll([note("k", "1")], durable)
    expect({ admitted, rejected }).toMatchObject({ admitted: 0, rejected: [{ index: 0, error: refused }] })
  })

  it("is taken where the leg in memory is best-effort", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openBoth(false)
        const { outcome } = yield* notes.publish(note("k", "1"), durable)
        expect(yield* outcome).toMatchObject({ stored: 1 })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("is rejected when its turn comes, where a table has made such a leg required meanwhile", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openBoth(false)
        const texts = Array.from({ length: 60 }, (_, index) => `${index}`)
        const calls = yield* Effect.forEach(texts, (text) =>
          Effect.forkChild(Effect.result(notes.publish(big(text), durable)))
        )
        const waiting = () => streamRow(leat)?.waiting ?? 0
        yield* waitUntil(
          "all are offered, and somebody waits",
          Effect.sync(() => waiting() > 0 && streamRow(leat)?.offered === texts.length)
        )
        const before = waiting()
        yield* leat.swapRoutes(documentOfBoth(2, true))
        const told = yield* Effect.forEach(calls, Fiber.join)
        const refused = told.flatMap((result) => (result._tag === "Failure" ? [result.failure] : []))
        expect(refused.length).toBe(before)
        for (const error of refused) expect(error).toMatchObject({ _tag: "Rejected", reason: "invalid", detail })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))
})
