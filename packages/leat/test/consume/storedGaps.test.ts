/** What is read without a group where something is gone that was stored. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { ReceivedBatch } from "leat/transport"
import { Leat, MemoryBroker, memoryDriver, type StoredEvent } from "leat"
import { type Note, noteContract } from "../contracts/Note.ts"

const routes = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes", linger: "1 millis" }] }]
}

type Told = (batches: ReadonlyArray<ReceivedBatch>) => ReadonlyArray<ReceivedBatch>

/** Six events in one partition; `told` is what the driver makes of what it reads. */
const six = (isCompacted: boolean, told: Told = (batches) => batches) =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions: 1 })
    const real = memoryDriver(broker)
    const driver: typeof real = {
      ...real,
      open: (...given) =>
        Effect.map(real.open(...given), (transport) => ({
          ...transport,
          read: (...asked) =>
            Stream.unwrap(
              Effect.map(Stream.runCollect(transport.read(...asked)), (batches) => Stream.fromIterable(told(batches)))
            )
        }))
    }
    const leat = yield* Leat.make({ source: "shop", routes, drivers: [driver] })
    const notes = yield* leat.stream(noteContract({ compacted: isCompacted }))
    for (const text of ["0", "1", "2", "3", "4", "5"]) yield* notes.publish({ key: "k", text }, { level: "stored" })
    const [range] = yield* notes.stored()
    const log = broker.topic("notes").partitions[0]
    if (range === undefined || log === undefined) throw new Error("nothing is stored")
    return { notes, range, log }
  })

const shown = ({ event, fault, gap }: StoredEvent<Note>) =>
  event?.text ?? (gap === undefined ? (fault ?? "nothing") : `${gap.reason} [${gap.from}, ${gap.to}): ${fault}`)

const expired = "retention has deleted them"
const corrupt = "what is stored there does not verify"
const where = "partition 0 of topic notes"

/** Of one batch another one: without the records of some positions, and with a reason. */
const without =
  (positions: ReadonlyArray<bigint>, gap: NonNullable<ReceivedBatch["gap"]>): Told =>
  (batches) =>
    batches.map(({ records, next }) => ({
      records: records.filter(({ position }) => !positions.includes(position)),
      next,
      gap
    }))

describe("who reads without a group", () => {
  it.live("is told what retention has deleted since the range was asked for", () =>
    Effect.gen(function* () {
      const { notes, range, log } = yield* six(false)
      log.trim(4n)
      const found = yield* Stream.runCollect(notes.read(range))
      expect(found.map(shown)).toEqual([
        `expired [0, 4): nothing can be read at 4 positions of ${where}, from 0 on: ${expired}`,
        "4",
        "5"
      ])
      const [first] = found
      expect(first?.info).toMatchObject({ cluster: "local", topic: "notes", partition: 0, position: 0n, key: "" })
      expect(first?.info).toMatchObject({ keyBytes: null, storedAtMs: Number.NaN, id: undefined, isMarker: false })
      log.trim(6n)
      // Nothing before the range, and nothing behind it, is told of.
      const part = yield* Stream.runCollect(notes.read({ ...range, from: 1n, to: 2n }))
      expect(part.map(shown)).toEqual([
        `expired [1, 2): nothing can be read at one position of ${where}, 1: ${expired}`
      ])
    })
  )

  it.live.each<[string, Told, ReadonlyArray<string>]>([
    [
      "at the begin, in the middle, and at the end",
      without([0n, 2n, 3n, 5n], "corrupt"),
      [
        `corrupt [0, 1): nothing can be read at one position of ${where}, 0: ${corrupt}`,
        "1",
        `corrupt [2, 4): nothing can be read at 2 positions of ${where}, from 2 on: ${corrupt}`,
        "4",
        `corrupt [5, 6): nothing can be read at one position of ${where}, 5: ${corrupt}`
      ]
    ],
    [
      "in batches of its own, up to behind the range",
      (batches) => [
        { records: batches[0]?.records.slice(0, 2) ?? [], next: 2n },
        { records: [], next: 4n, gap: "corrupt" },
        { records: batches[0]?.records.slice(4, 5) ?? [], next: 5n },
        { records: [], next: 9n, gap: "corrupt" }
      ],
      [
        "0",
        "1",
        `corrupt [2, 4): nothing can be read at 2 positions of ${where}, from 2 on: ${corrupt}`,
        "4",
        `corrupt [5, 6): nothing can be read at one position of ${where}, 5: ${corrupt}`
      ]
    ]
  ])("is told what does not verify, %s", ([, told, texts]) =>
    Effect.gen(function* () {
      const { notes, range } = yield* six(false, told)
      expect((yield* Stream.runCollect(notes.read(range))).map(shown)).toEqual(texts)
    })
  )

  it.live("is told of nobody's attempt at an event: nobody handles it", () =>
    Effect.gen(function* () {
      const { notes, range } = yield* six(false)
      const [first] = yield* Stream.runCollect(notes.read({ ...range, to: 1n }))
      if (first === undefined) throw new Error("nothing was read")
      expect(first.info).toMatchObject({ key: "k", position: 0n })
      expect("attempt" in first.info || "signal" in first.info).toBe(false)
      expect(JSON.parse(JSON.stringify(first.info))).not.toHaveProperty("attempt")
    })
  )

  it.live("is told nothing of what compaction has superseded, and of marks of transactions", () =>
    Effect.gen(function* () {
      const { notes, range, log } = yield* six(true)
      log.compact()
      expect((yield* Stream.runCollect(notes.read(range))).map(shown)).toEqual(["5"])
      const marked = yield* six(false, without([1n, 5n], "control"))
      expect((yield* Stream.runCollect(marked.notes.read(marked.range))).map(shown)).toEqual(["0", "2", "3", "4"])
    })
  )
})
