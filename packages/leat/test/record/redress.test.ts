import { Buffer } from "node:buffer"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ContextHeaders, type EventContext, noHeaders } from "../../src/record/ContextHeaders.js"
import { replayHeader } from "../../src/record/DeadLetter.js"
import { dropNotice, droppedHeader } from "../../src/record/DropNotice.js"
import type { Header } from "../../src/record/Headers.js"
import { RecordBatch } from "../../src/record/RecordBatch.js"
import { carriedOf, inEpoch, inWire } from "../../src/record/redress.js"
import { readMeta, type Wire } from "../../src/record/Wire.js"
import { markerHeader, type WireIdentity, wireWriter } from "../../src/record/WireWriter.js"

const stream = "test.notes"
const text = fc.string({ unit: "binary", maxLength: 12 })
const contexts: fc.Arbitrary<EventContext> = fc.record(
  {
    traceparent: text,
    baggage: text,
    correlationId: text,
    causationId: text,
    headers: fc.array(
      fc.tuple(
        text.map((name) => `own ${name}`),
        fc.uint8Array({ maxLength: 100 })
      ),
      { maxLength: 80 }
    )
  },
  { requiredKeys: [] }
)
/** Mostly what begins to need one byte more. */
const epochs = fc.oneof(fc.constantFrom(1, 127, 128, 16_383, 16_384, 2_097_152, 2 ** 53 - 1), fc.nat())
const events = fc.record({
  incarnation: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  bucket: fc.nat(30_000),
  seq: fc.oneof(fc.nat(300), fc.maxSafeNat()),
  timeMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  context: contexts,
  drops: fc.boolean(),
  replays: fc.nat(1)
})
type Event = typeof events extends fc.Arbitrary<infer A> ? A : never
const wires = fc.constantFrom<Wire>("compact", "cloudevents")

/** As the publisher writes it. */
function written({ incarnation, bucket, seq, timeMs, context, drops }: Event, wire: Wire, epoch: number): RecordBatch {
  const identity: WireIdentity = { incarnation, source: "s", stream, type: "test.Note", epoch }
  const carried = new ContextHeaders()
  carried.write(context, undefined)
  const writer = wireWriter(wire, identity)
  const size = writer.size(bucket, seq, carried)
  const batch = new RecordBatch(size + 64)
  batch.place(bucket, seq, Float64Array.of(timeMs))
  const end = writer.write(batch, 0, carried)
  batch.commit(false, 0, end, end, "tombstone")
  if (drops) batch.notice(0, droppedHeader, dropNotice([{ bucket: 3, from: 1, to: 9, reason: "overflow" }]))
  return batch
}

/** As a reader finds it. */
function stored(event: Event, wire: Wire, epoch: number): ReadonlyArray<Header> {
  const own = written(event, wire, epoch).headers(0)
  return event.replays === 0 ? own : [replayHeader(1), ...own]
}

const plain = (headers: ReadonlyArray<Header>) =>
  headers.map(([name, value]) => [name, Buffer.from(value).toString("hex")])

describe("a stored record in another epoch", () => {
  it("is what its publisher would have written there, drops and all, in both wires", () => {
    const property = fc.property(events, wires, epochs, epochs, (event, wire, from, to) => {
      expect(plain(inEpoch(stored(event, wire, from), to))).toEqual(plain(stored(event, wire, to)))
    })
    fc.assert(property, { numRuns: 500 })
  })

  it("stays as it is where it says none: another's, and a record that only announces drops", () => {
    const others: ReadonlyArray<ReadonlyArray<Header>> = [
      [],
      [["x", new Uint8Array(3)]],
      [["leat", Uint8Array.of(9, 9, 9)]],
      [["ce_id", Buffer.from("17")]],
      [markerHeader({ incarnation: new Uint8Array(16), stream }), [droppedHeader, Buffer.from("1:2-3:overflow")]]
    ]
    for (const headers of others) {
      expect(inEpoch(headers, 7)).toBe(headers)
      expect(inWire(headers, { wire: "compact", stream, epoch: 7, type: "t", source: "s" }, 0)).toBe(headers)
    }
  })

  it("is known by what NATS calls it too, and by what counts where it is said twice", () => {
    const said = (headers: ReadonlyArray<Header>) => readMeta(headers, stream).epoch
    const id = Buffer.from(`00000000-0000-0000-0000-000000000000/${stream}/1/2`)
    const [leat] = stored(
      { incarnation: new Uint8Array(16), bucket: 1, seq: 2, timeMs: 3, context: {}, drops: false, replays: 0 },
      "compact",
      5
    )
    if (leat === undefined) throw new Error("it has one header")
    const five: Header = ["ce-leatepoch", Buffer.from("5")]
    expect(said(inEpoch([["ce-id", id], five], 6))).toBe(6)
    expect(said(inEpoch([["ce_id", id], leat, five], 6))).toBe(6)
    expect(said(inEpoch([five, leat, ["ce_id", id]], 6))).toBe(6)
    expect(said(inEpoch([["ce_id", Buffer.from("17")], leat, five], 6))).toBe(6)
  })
})

describe("a stored record in another wire", () => {
  it("is what its publisher would have written there, drops and all", () => {
    const property = fc.property(events, wires, wires, epochs, epochs, (event, was, wire, from, to) => {
      const dress = { wire, stream, epoch: to, type: "test.Note", source: "s" }
      expect(plain(inWire(stored(event, was, from), dress, 5))).toEqual(plain(stored(event, wire, to)))
    })
    fc.assert(property, { numRuns: 500 })
  })

  it("has the time of the record where it does not say its own", () => {
    const id = Buffer.from(`00000000-0000-0000-0000-000000000000/${stream}/1/2`)
    const dress = { wire: "compact", stream, epoch: 3, type: "test.Note", source: "s" } as const
    const meta = readMeta(inWire([["ce_id", id]], dress, 1234), stream)
    expect(meta).toMatchObject({ id: { bucket: 1, seq: 2 }, timeMs: 1234, epoch: 3 })
  })

  it("is not touched where it is another stream's, but for its epoch", () => {
    const property = fc.property(events, wires, wires, (event, was, wire) => {
      const dress = { wire, stream: "test.others", epoch: 9, type: "t", source: "s" }
      expect(plain(inWire(stored(event, was, 1), dress, 5))).toEqual(plain(stored(event, was, 9)))
    })
    fc.assert(property)
  })
})

describe("what an event carries", () => {
  it("is found in the block of its record, whichever wire that is in, and written as it was", () => {
    const carried = new ContextHeaders()
    const property = fc.property(events, wires, wires, epochs, (event, was, wire, epoch) => {
      const batch = written(event, was, 1)
      carriedOf(batch.headersBlock(0), carried)
      const { incarnation, bucket, seq, timeMs } = event
      const writer = wireWriter(wire, { incarnation, source: "s", stream, type: "test.Note", epoch })
      const size = writer.size(bucket, seq, carried)
      const copy = new RecordBatch(size + 64)
      copy.place(bucket, seq, Float64Array.of(timeMs))
      const end = writer.write(copy, 0, carried)
      expect(end).toBe(size)
      copy.commit(false, 0, end, end, "tombstone")
      expect(plain(copy.headers(0))).toEqual(plain(written({ ...event, drops: false }, wire, epoch).headers(0)))
    })
    fc.assert(property, { numRuns: 500 })
    expect(noHeaders).toMatchObject({ length: 0, count: 0 })
  })
})
