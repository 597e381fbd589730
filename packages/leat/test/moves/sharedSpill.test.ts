/** Two streams in one spill, one of which has left its place: the other stays there, and keeps its order. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { noteContract } from "../contracts/Note.ts"
import {
  away,
  documentAt,
  handledBy,
  ofKey,
  places,
  type SpillingFleet,
  spillingStory,
  stream
} from "./spillingFleet.ts"

const keys = ["k0", "k1", "k2", "k3"]
const others = noteContract({ stream: "test.others" })

interface Said {
  readonly first: "notes" | "others"
  readonly isGrown: boolean
}

/** What is in near/a of the stream that stays, by key, first copies in the order in which they came; a key is in one partition now. */
const stayed = (fleet: SpillingFleet, from: number) => {
  const texts: Array<string> = []
  for (const log of fleet.brokers.near.topic("a").partitions)
    for (let batch = log.read(0n, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
      for (const { value, headers } of batch.records) {
        const isOther = headers.some(([, header]) => new TextDecoder().decode(header).includes("test.others"))
        if (value === null || !isOther) continue
        const { key, text } = others.decode(value)
        texts.push(`${key} ${text}`)
      }
  return keys.map((key) => ofKey(texts, key).slice(from))
}

/** Both have left something in one spill; the first of them goes to far/b, which is away; the next process opens both. */
const parted = Effect.fnUntraced(function* (fleet: SpillingFleet, { first, isGrown }: Said) {
  const one = yield* fleet.process()
  const before = yield* one.leat.stream(others)
  const reader = yield* fleet.process({ disk: fleet.otherDisk })
  const handled = yield* handledBy(reader, "group")
  yield* Effect.sleep("6 seconds")
  yield* fleet.place
  yield* Effect.sleep("6 seconds")
  fleet.faults.near = away
  for (const text of ["1", "2", "3"])
    for (const key of keys) {
      yield* one.notes.publish({ key, text }, { level: "durable" })
      yield* before.publish({ key, text }, { level: "durable" })
    }
  yield* one.kill
  const partitions = fleet.brokers.near.topic("a").partitions as Array<MemoryPartition>
  const count = isGrown ? 4 : partitions.length
  while (partitions.length < count) partitions.push(new MemoryPartition())
  yield* fleet.apply(documentAt(2, "b", { others: "a" }), "b")
  yield* Effect.sleep("50 seconds")
  Object.assign(fleet.faults, { near: {}, far: away })
  fleet.told.length = 0
  const leat = yield* fleet.leat()
  const opened = {
    notes: first === "notes" ? yield* leat.stream(noteContract()) : undefined,
    others: yield* Effect.andThen(Effect.sleep("1 second"), leat.stream(others))
  }
  if (opened.notes === undefined) yield* leat.stream(noteContract())
  for (const text of ["4", "5"]) for (const key of keys) opened.others.offer({ key, text })
  return { leat, handled }
})

const cases = [
  { first: "notes", isGrown: true },
  { first: "others", isGrown: true },
  { first: "notes", isGrown: false },
  { first: "others", isGrown: false }
] as const

describe("two streams in one spill, of which one has left", () => {
  it.each(cases)("keep their order, however long the new place is away: $first first, grown: $isGrown", (said) => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { leat, handled } = yield* parted(fleet, said)
        yield* Effect.sleep("3 minutes")
        // What the one that stays has in front of the other's may be there.
        for (const texts of stayed(fleet, 0)) expect(["1", "2", "3", "4", "5"].slice(0, texts.length)).toEqual(texts)
        fleet.faults.far = {}
        yield* Effect.sleep("3 minutes")
        expect(stayed(fleet, 0)).toEqual(keys.map(() => ["1", "2", "3", "4", "5"]))
        for (const key of keys) expect(ofKey(handled, key)).toEqual(["1", "2", "3"])
        expect(leat.ledger.snapshot().balanced).toBe(true)
        expect(leat.sinks().map(({ trouble }) => trouble)).toEqual([undefined, undefined])
      })
    )
  })

  it.each(cases)("tell what the one that stays waits for: $first first, grown: $isGrown", (said) => {
    const lines = spillingStory((fleet) =>
      Effect.gen(function* () {
        const { leat } = yield* parted(fleet, said)
        yield* Effect.sleep("3 minutes")
        const trouble = leat.sinks().find(({ sink }) => sink === "near/a")?.trouble
        expect(trouble).toMatch(
          /^has stored nothing on partitions? .* for \d+ seconds: what its spill holds of test\.notes is carried to far\/b: far\/b\/\d: .*Unavailable/
        )
      })
    )
    expect(
      lines.filter((line) => line.includes("another process has it") || line.includes("belongs to another"))
    ).toEqual([])
    expect(
      lines.filter((line) => /^Warn near\/a has stored nothing (?=.*is carried to far\/b)/.test(line))
    ).toHaveLength(1)
  })
})

describe("two streams in one spill, which have both left, and of which one is opened while what the other has left is carried", () => {
  it.each([200, 400, 700, 1500])("keep their order where a send takes %i ms", (ms) => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const one = yield* fleet.process()
        const before = yield* one.leat.stream(others)
        yield* fleet.process({ disk: fleet.otherDisk })
        yield* Effect.sleep("6 seconds")
        yield* fleet.place
        yield* fleet.tool.write({ kind: "placed", stream: "test.others", base: 1, place: places.a, epoch: 1 })
        yield* Effect.sleep("6 seconds")
        fleet.faults.near = away
        const texts = ["1", "2", "3", "4", "5", "6"]
        for (const text of texts) {
          yield* before.publish({ key: "k0", text: `o${text}` }, { level: "durable" })
          yield* one.notes.publish({ key: "k0", text: `n${text}` }, { level: "durable" })
        }
        yield* one.kill
        const document = documentAt(2, "b")
        const moved = new Map([stream, "test.others"].map((name) => [name, places.b] as const))
        yield* fleet.tool.look
        yield* fleet.tool.write({ kind: "table", base: 1, document, places: moved })
        yield* Effect.sleep("50 seconds")
        Object.assign(fleet.faults, { near: {}, far: { send: () => ({ kind: "delay", ms }) } })
        const leat = yield* fleet.leat()
        yield* leat.stream(noteContract())
        yield* Effect.sleep("1 second")
        yield* leat.stream(others)
        yield* Effect.sleep("3 minutes")
        const stored = (yield* fleet.stored("b")).map(({ text }) => text)
        for (const of of ["n", "o"]) {
          const first = [...new Set(stored.filter((text) => text.startsWith(of)))]
          expect(first).toEqual(texts.map((text) => of + text))
        }
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    )
  })
})
