/** A leg compared with the one that is read: what leat publishes, with records taken away, changed and added. */
import { Effect, Stream } from "effect"
import { Audit, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import type { ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { bucketKeys } from "../publish/bucketKeys.js"
import { documentOf, main, mirror } from "../publish/mirrors.js"
import { note, story } from "../publish/stories.js"

type Change = (records: ReadonlyArray<ReceivedRecord>) => ReadonlyArray<ReceivedRecord>

const textOf = (value: Uint8Array | null) => noteContract().decode(value ?? new Uint8Array()).text
const is = (text: string) => (record: ReceivedRecord) => textOf(record.value) === text
const without =
  (text: string): Change =>
  (records) =>
    records.filter((record) => !is(text)(record))
const changed =
  (text: string, change: (record: ReceivedRecord) => Partial<ReceivedRecord>): Change =>
  (records) =>
    records.map((record) => (is(text)(record) ? { ...record, ...change(record) } : record))

/** Reads a topic with another content. */
function place(broker: MemoryBroker, topic: string, change: Change = (records) => records): Audit.ShadowPlace {
  const transport = memoryTransport(broker)
  const read: typeof transport.read = (...asked) =>
    Stream.map(transport.read(...asked), ({ records, next }) => ({ records: change(records), next }))
  return { topic, transport: { bounds: transport.bounds, read } }
}

/** Two brokers with what is published in rounds, one event for each bucket, a second apart; texts are `round key`. */
const published = Effect.fnUntraced(function* (leg: object, rounds: number) {
  const brokers = { main: new MemoryBroker({ partitions: 2 }), far: new MemoryBroker({ partitions: 4 }) }
  const drivers = [
    { ...memoryDriver(brokers.main), name: "main" },
    { ...memoryDriver(brokers.far), name: "far" }
  ]
  yield* Effect.scoped(
    Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", routes: documentOf(1, [main, { ...mirror, ...leg }]), drivers })
      const notes = yield* leat.stream(noteContract())
      for (let round = 0; round < rounds; round++) {
        yield* notes.publishAll(bucketKeys.map((key) => note(key, `${round} ${key}`)))
        yield* Effect.sleep("1 second")
      }
    })
  )
  return brokers
})

const settings = { stream: "test.notes" }
const first = (text: string) => `${text} ${bucketKeys[2]}`

describe("a shadow", () => {
  it.each([{}, { wire: "cloudevents" }])(
    "finds nothing where both have the same, whatever the wire and the partitions are: %j",
    (leg) =>
      story(
        Effect.gen(function* () {
          const { main: one, far } = yield* published(leg, 3)
          const report = yield* Audit.shadow(place(one, "notes"), place(far, "copies"), settings)
          expect(report).toMatchObject({ equal: 24, different: 0, missing: 0, extra: 0, onItsWay: 0, unauditable: 0 })
        })
      )
  )

  it("names what is missing, what is extra, and what has another key, value or header, in their windows", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 5)
        const primary = place(one, "notes", without(first("2")))
        const changes = [
          without(first("1")),
          changed(`3 ${bucketKeys[0]}`, () => ({ key: Buffer.from("other") })),
          changed(`3 ${bucketKeys[1]}`, ({ value }) => ({
            value: value?.map((byte, at) => (at === value.length - 1 ? byte ^ 1 : byte)) ?? null
          })),
          changed(`3 ${bucketKeys[4]}`, ({ headers }) => ({ headers: [...headers, ["own", Buffer.of(1)]] }))
        ]
        const copy = place(far, "copies", (records) => changes.reduce((now, change) => change(now), records))
        const report = yield* Audit.shadow(primary, copy, { ...settings, windowMs: 1000 })
        expect(report).toMatchObject({ equal: 35, different: 3, missing: 1, extra: 1, onItsWay: 0, unauditable: 0 })
        expect(report.missingIds).toMatchObject([{ stream: "test.notes", bucket: 2, seq: 1 }])
        expect(report.extraIds).toMatchObject([{ bucket: 2, seq: 2 }])
        expect(
          report.differentIds
            .map(({ bucket, seq }) => [bucket, seq])
            .toSorted(([left = 0], [right = 0]) => left - right)
        ).toEqual([
          [0, 3],
          [1, 3],
          [4, 3]
        ])
        expect(
          report.windows.map(({ equal, different, missing, extra }) => [equal, different, missing, extra])
        ).toEqual([
          [8, 0, 0, 0],
          [7, 0, 1, 0],
          [7, 0, 0, 1],
          [5, 3, 0, 0],
          [8, 0, 0, 0]
        ])
      })
    ))

  it("takes what has nothing newer of its publisher behind it in its partition for what is on its way", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 3)
        // Buckets 2 and 6 lie in one of the four partitions: nothing of the last round is there.
        const cut: Change = (records) =>
          [first("2"), `2 ${bucketKeys[6]}`].reduce((now, text) => without(text)(now), records)
        const report = yield* Audit.shadow(place(one, "notes"), place(far, "copies", cut), settings)
        expect(report).toMatchObject({ equal: 22, missing: 0, onItsWay: 2, unauditable: 0 })
        // In the partition stands one that was offered in the same moment as the last of the bucket, and later than the one before.
        const tail: Change = (records) => [first("1"), first("2")].reduce((now, text) => without(text)(now), records)
        const later = yield* Audit.shadow(place(one, "notes"), place(far, "copies", tail), settings)
        expect(later).toMatchObject({ equal: 22, missing: 1, onItsWay: 1, unauditable: 0 })
        expect(later.missingIds).toMatchObject([{ bucket: 2, seq: 1 }])
      })
    ))

  it("looks for the share of a canary alone", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({ canary: { buckets: "0-49%" } }, 3)
        const copy = place(far, "copies", without(first("1")))
        const report = yield* Audit.shadow(place(one, "notes"), copy, {
          ...settings,
          canary: { from: 0, to: 49, buckets: 8 }
        })
        expect(report).toMatchObject({ equal: 11, missing: 1, extra: 0, onItsWay: 0, unauditable: 0 })
      })
    ))

  it.each([
    ["copy", { equal: 16, missing: 0, extra: 0, unauditable: 8 }],
    ["primary", { equal: 16, missing: 0, extra: 0, unauditable: 8 }]
  ] as const)("does not judge what retention has taken away from the %s", (side, counts) =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 3)
        const [broker, topic] = side === "copy" ? [far, "copies"] : [one, "notes"]
        const transport = memoryTransport(broker)
        // The first of the rounds.
        for (const { partition, end } of yield* transport.bounds(topic))
          yield* transport.trim?.(topic, partition, end / 3n) ?? Effect.void
        expect(yield* Audit.shadow(place(one, "notes"), place(far, "copies"), settings)).toMatchObject(counts)
      })
    )
  )

  it("does not judge a bucket of which the first records that are there come later, where some were taken away", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 3)
        const transport = memoryTransport(far)
        // Of two buckets in each of four partitions, the first event of one; that of the other was offered in the same moment.
        for (const { partition } of yield* transport.bounds("copies"))
          yield* transport.trim?.("copies", partition, 1n) ?? Effect.void
        const report = yield* Audit.shadow(place(one, "notes"), place(far, "copies"), settings)
        expect(report).toMatchObject({ equal: 20, missing: 0, unauditable: 4 })
      })
    ))

  it("does not judge what was offered before the leg was there", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 3)
        const later: Change = (records) => records.filter(({ value }) => !textOf(value).startsWith("0 "))
        const report = yield* Audit.shadow(place(one, "notes"), place(far, "copies", later), settings)
        expect(report).toMatchObject({ equal: 16, missing: 0, unauditable: 8 })
        const batches = yield* Stream.runCollect(memoryTransport(one).read("notes", 0, { fromPosition: 0n }))
        const second = batches.flatMap(({ records }) => records).find(({ value }) => textOf(value).startsWith("1 "))
        const from = { ...settings, fromTimeMs: second?.timeMs }
        expect(yield* Audit.shadow(place(one, "notes"), place(far, "copies", later), from)).toMatchObject({
          equal: 16,
          unauditable: 0
        })
      })
    ))

  it("holds no more than it may, and says of how many it cannot tell", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 4)
        const bounds = { ...settings, heldMax: 1 }
        const report = yield* Audit.shadow(place(one, "notes"), place(far, "copies"), bounds)
        expect(report.unauditable).toBeGreaterThan(0)
        expect(report).toMatchObject({ missing: 0, extra: 0, different: 0 })
        expect(report.equal + report.unauditable).toBe(32)
      })
    ))

  it("counts further copies, and does not miss them on the other side", () =>
    story(
      Effect.gen(function* () {
        const { main: one, far } = yield* published({}, 3)
        const twice: Change = (records) =>
          records.flatMap((record) => (is(first("1"))(record) ? [record, record] : [record]))
        const report = yield* Audit.shadow(place(one, "notes"), place(far, "copies", twice), settings)
        expect(report).toMatchObject({ equal: 24, missing: 0, extra: 0, copies: { primary: 0, copy: 1 } })
      })
    ))

  it.each([
    [{ stream: "" }, "stream: is the name of a stream"],
    [{}, "stream: is missing; it is the name of a stream"],
    [{ stream: "s", canary: { from: 5, to: 1, buckets: 8 } }, "canary: is percent of the buckets"],
    [{ stream: "s", window: 1 }, "window: is no option; there is stream, canary"]
  ])("refuses %j", async (given, sentence) => {
    const one = place(new MemoryBroker(), "notes")
    const error = await Effect.runPromise(Effect.flip(Audit.shadow(one, one, given as Audit.ShadowSettings)))
    expect(error).toMatchObject({ reason: "Unsupported", detail: expect.stringContaining(sentence) })
  })
})
