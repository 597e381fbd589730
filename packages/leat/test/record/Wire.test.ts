import { Buffer } from "node:buffer"
import { CloudEvent, Kafka } from "cloudevents"
import fc from "fast-check"
import { formatEventId } from "leat"
import { EventIdCursor, type Header, RecordBatch, taggedStream } from "leat/transport"
import { batchOf } from "leat/testing"
import { describe, expect, it } from "vitest"
import { formatUuid } from "../../src/record/EventId.js"
import { dropNotice, droppedHeader } from "../../src/record/DropNotice.js"
import { ContextHeaders, type EventContext } from "../../src/record/ContextHeaders.js"
import { causeOf, readMeta, type Wire } from "../../src/record/Wire.js"
import { markerHeader, type WireIdentity, wireWriter } from "../../src/record/WireWriter.js"

interface Written {
  readonly bucket: number
  readonly seq: number
  readonly timeMs: number
  readonly context: EventContext | undefined
}

const reserved = [
  "leat",
  "leat-dropped",
  "ce_id",
  "ce-id",
  "ce_source",
  "ce_type",
  "ce_time",
  "ce_specversion",
  "ce_leatepoch",
  "ce_correlationid",
  "ce_causationid",
  "content-type",
  "traceparent",
  "tracestate",
  "baggage"
]
/** Any text, byte order marks too. */
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom("\uFEFF", "😀", "é", "a", "\0"), maxLength: 8 })
)
const ownName = anyText.filter((name) => !reserved.includes(name.replace(/^ce-/, "ce_")))
const bytes = fc.uint8Array({ maxLength: 200 })
const namedBy = (name: fc.Arbitrary<string>) => fc.array(fc.tuple(name, bytes), { maxLength: 6 })
const contextWith = (name: fc.Arbitrary<string>): fc.Arbitrary<EventContext> =>
  fc.record(
    {
      traceparent: anyText,
      tracestate: anyText,
      baggage: anyText,
      correlationId: anyText,
      causationId: anyText,
      headers: namedBy(name)
    },
    { requiredKeys: [] }
  )
const identities: fc.Arbitrary<WireIdentity> = fc.record({
  incarnation: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  source: fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/),
  stream: fc.stringMatching(/^[a-z0-9_-]{1,60}(\.[a-z0-9_-]{1,60}){0,3}$/),
  type: fc.stringMatching(/^[a-z]{1,9}\.v1\.[A-Z][A-Za-z]{0,9}$/),
  epoch: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
})
/** The last moment that ISO 8601 writes in 24 characters is the last one of the year 9999. */
const timeMs = fc.integer({ min: 0, max: 253_402_300_799_999 })
const recordWith = (contexts: fc.Arbitrary<EventContext>): fc.Arbitrary<Written> =>
  fc.record({
    bucket: fc.integer({ min: 0, max: 65_535 }),
    seq: fc.oneof(fc.nat(300), fc.maxSafeNat()),
    timeMs: fc.oneof(timeMs, fc.constant(1_795_000_000_000)),
    context: fc.option(contexts, { nil: undefined })
  })
const records = fc.array(recordWith(contextWith(ownName)), { minLength: 1, maxLength: 5 })
const wires = fc.constantFrom<Wire>("compact", "cloudevents")

function carried(context: EventContext | undefined): ContextHeaders {
  const headers = new ContextHeaders()
  headers.write(context, undefined)
  return headers
}

/** Writes one record for each entry into a batch, every time with exactly the room that `size` says. */
function write(wire: Wire, identity: WireIdentity, all: ReadonlyArray<Written>): RecordBatch {
  const batch = new RecordBatch(0)
  const writer = wireWriter(wire, identity)
  for (const { bucket, seq, timeMs: ms, context } of all) {
    const headers = carried(context)
    batch.grow(batch.bytes + writer.size(bucket, seq, headers))
    const at = batch.bytes
    batch.place(bucket, seq, Float64Array.of(ms))
    const end = writer.write(batch, at, headers)
    expect(end).toBe(batch.arena.length)
    batch.commit(true, at, end, end, "event")
  }
  return batch
}

/** Copies, because views of an arena are `Buffer`s. */
const headersOf = (batch: RecordBatch, index: number): ReadonlyArray<Header> =>
  batch.headers(index).map(([name, value]) => [name, new Uint8Array(value)])

const marker = markerHeader({ incarnation: new Uint8Array(16).fill(7), stream: "some.stream" })

describe("a record in either wire", () => {
  it("is read back with its id, time, epoch, context and headers, in the room that size says", () => {
    fc.assert(
      fc.property(wires, identities, records, (wire, identity, all) => {
        const batch = write(wire, identity, all)
        for (const [index, { bucket, seq, timeMs: ms, context }] of all.entries()) {
          const { headers = [], ...texts } = context ?? {}
          const { stream, epoch, source, type } = identity
          const incarnation = formatUuid(identity.incarnation)
          expect(readMeta(headersOf(batch, index), stream)).toEqual({
            id: { incarnation, stream, bucket, seq },
            epoch,
            timeMs: ms,
            dropped: [],
            isMarker: false,
            ...(wire === "cloudevents" ? { source, type } : {}),
            ...texts,
            ...(headers.length === 0 ? {} : { headers })
          })
        }
      }),
      { numRuns: 300 }
    )
  })

  it("keeps headers of one name, and their order", () => {
    const repeated = contextWith(fc.constantFrom("a", "b"))
    fc.assert(
      fc.property(wires, identities, recordWith(repeated), (wire, identity, record) => {
        const read = readMeta(headersOf(write(wire, identity, [record]), 0), identity.stream)
        expect(read.headers ?? []).toEqual(record.context?.headers ?? [])
      })
    )
  })

  it("says who it is by leat's own headers, whatever stands behind them", () => {
    const values = fc.oneof(
      bytes,
      fc
        .constantFrom("2", "2020-01-01T00:00:00Z", "01930000-0000-7000-8000-000000000000/x/1/2")
        .map((one) => Buffer.from(one)),
      // A marker, and the header of another event.
      fc.constantFrom(Uint8Array.of(2), Uint8Array.of(3, ...new Uint8Array(30).fill(1)))
    )
    const hostile = fc.array(fc.tuple(fc.constantFrom(...reserved), values), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(wires, identities, recordWith(contextWith(ownName)), hostile, (wire, identity, record, behind) => {
        const meta = readMeta([...headersOf(write(wire, identity, [record]), 0), ...behind], identity.stream)
        expect(meta.id).toMatchObject({ stream: identity.stream, bucket: record.bucket, seq: record.seq })
        expect(meta).toMatchObject({ epoch: identity.epoch, timeMs: record.timeMs })
        // In the compact wire the type is that of the contract, whatever an attribute of somebody else's CloudEvent says.
        expect(meta.type).toBe(wire === "compact" ? undefined : identity.type)
        expect(meta.source).toBe(wire === "compact" ? undefined : identity.source)
      }),
      { numRuns: 500 }
    )
  })

  it("has the id that a cursor over its bytes finds, whatever headers stand behind it", () => {
    const names = fc.constantFrom("leat", "ce_id", "ce-id", "other", "ce_source")
    const values = fc.oneof(
      bytes,
      fc
        .constantFrom("01930000-0000-7000-8000-000000000000/x/1/2", "\uFEFF01930000-0000-7000-8000-000000000000/x/1/2")
        .map((one) => Buffer.from(one)),
      fc.uint8Array({ minLength: 28, maxLength: 44 }).map((one) => Uint8Array.of(3, ...one))
    )
    const behinds = fc.array(fc.tuple(names, values), { maxLength: 4 })
    const cursor = new EventIdCursor()
    fc.assert(
      fc.property(wires, identities, recordWith(contextWith(ownName)), behinds, fc.boolean(), (...drawn) => {
        const [wire, identity, record, behind, isForeign] = drawn
        const own = isForeign ? [] : headersOf(write(wire, identity, [record]), 0)
        const batch = batchOf([{ key: "k", value: "v", headers: [...own, ...behind] }])
        const { bytes: all, headersAt } = batch.columns(0, 1)
        const { id, isMarker } = readMeta(headersOf(batch, 0), "the stream")
        if (isMarker) return
        expect(cursor.read(all, headersAt[0] ?? 0)).toBe(id !== undefined)
        if (id === undefined) return
        expect([formatUuid(cursor.incarnation), cursor.bucket, cursor.seq]).toEqual([id.incarnation, id.bucket, id.seq])
        expect(cursor.stream).toBe(id.stream === "the stream" ? taggedStream("the stream") : id.stream)
      }),
      { numRuns: 500 }
    )
  })

  it("is told from one of another stream with the same incarnation, bucket and sequence, by readers and by backends", () => {
    const streams = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}(\.[a-z]{1,3})?$/), { minLength: 2, maxLength: 2 })
    const [one, other] = [new EventIdCursor(), new EventIdCursor()]
    fc.assert(
      fc.property(wires, identities, recordWith(contextWith(ownName)), streams, (wire, identity, record, names) => {
        const [stream = "", another = ""] = names
        const [first, second] = names.map((name) => write(wire, { ...identity, stream: name }, [record]))
        if (first === undefined || second === undefined) throw new Error("there are two")
        expect([one.read(first.arena, 0), other.read(second.arena, 0)]).toEqual([true, true])
        expect(one.stream).not.toBe(other.stream)
        expect(readMeta(headersOf(first, 0), stream).isOtherStream).toBeUndefined()
        const meta = readMeta(headersOf(first, 0), another)
        expect(meta.isOtherStream).toBe(true)
        expect(meta.id).toMatchObject({
          stream: wire === "compact" ? taggedStream(stream) : stream,
          bucket: record.bucket,
          seq: record.seq
        })
      }),
      { numRuns: 300 }
    )
  })

  it("carries the notice of drops that is added after it was encoded", () => {
    const dropped = [{ bucket: 3, from: 1, to: 5, reason: "overflow" }]
    fc.assert(
      fc.property(wires, identities, records, fc.nat(), (wire, identity, all, nat) => {
        const batch = write(wire, identity, all)
        const at = nat % all.length
        batch.notice(at, droppedHeader, dropNotice(dropped))
        for (const index of all.keys()) {
          const meta = readMeta(headersOf(batch, index), identity.stream)
          expect(meta.dropped).toEqual(index === at ? dropped : [])
        }
      })
    )
  })

  it("costs about 40 bytes compact, and about 300 as a CloudEvent", () => {
    const identity = {
      incarnation: new Uint8Array(16),
      source: "mobile-app",
      stream: "risk.beacons.sighting",
      type: "risk.v1.BeaconSighting",
      epoch: 1
    }
    const record = { bucket: 17, seq: 20_400, timeMs: 1_795_000_000_000, context: undefined }
    expect(write("compact", identity, [record]).recordBytes(0)).toBeLessThan(45)
    expect(write("cloudevents", identity, [record]).recordBytes(0)).toBeLessThan(330)
  })
})

describe("the cloudevents wire", () => {
  it("keeps to its size under a clock that says no year of four digits", () => {
    const far = fc.constantFrom(-8e15, -62_167_219_200_001, 253_402_300_800_000, 8e15)
    fc.assert(
      fc.property(identities, far, (identity, ms) => {
        const record = { bucket: 1, seq: 2, timeMs: ms, context: undefined }
        const { timeMs: read = Number.NaN } = readMeta(headersOf(write("cloudevents", identity, [record]), 0), "other")
        expect(read).toBe(ms < 0 ? -62_167_219_200_000 : 253_402_300_799_999)
      })
    )
  })

  it("is what the CloudEvents package reads in Kafka's binary mode", () => {
    const text = fc.stringMatching(/^[a-z0-9-]{1,20}$/)
    const contexts: fc.Arbitrary<EventContext> = fc.record(
      { traceparent: text, correlationId: text, causationId: text },
      { requiredKeys: [] }
    )
    fc.assert(
      fc.property(identities, recordWith(contexts), bytes, (identity, record, payload) => {
        const headers = headersOf(write("cloudevents", identity, [record]), 0)
        const value = Buffer.from(payload)
        const message = {
          headers: Object.fromEntries(headers.map(([name, bytesOf]) => [name, Buffer.from(bytesOf).toString()])),
          key: "k",
          value,
          body: value,
          timestamp: undefined
        }
        expect(Kafka.isEvent(message)).toBe(true)
        const event = Kafka.toEvent(message)
        if (!(event instanceof CloudEvent)) throw new Error("one message is one event")
        const { stream, source, type, epoch } = identity
        const { bucket, seq, context } = record
        expect(event.validate()).toBe(true)
        expect(event).toMatchObject({
          specversion: "1.0",
          id: formatEventId({ incarnation: formatUuid(identity.incarnation), stream, bucket, seq }),
          source,
          type,
          time: new Date(record.timeMs).toISOString(),
          datacontenttype: "application/protobuf",
          leatepoch: String(epoch),
          ...(context?.correlationId === undefined ? {} : { correlationid: context.correlationId }),
          ...(context?.causationId === undefined ? {} : { causationid: context.causationId })
        })
        expect(event.data).toEqual(value)
      })
    )
  })

  it("is read in the spelling of NATS too", () => {
    fc.assert(
      fc.property(identities, recordWith(contextWith(ownName)), (identity, record) => {
        const headers = headersOf(write("cloudevents", identity, [record]), 0)
        const nats = headers.map(([name, value]): Header => [name.replace(/^ce_/, "ce-"), value])
        const { headers: _, ...meta } = readMeta(headers, identity.stream)
        expect(readMeta(nats, identity.stream)).toMatchObject(meta)
      })
    )
  })
})

describe("headers that leat did not write", () => {
  it("are never a reason to throw, and never give an id, epoch or time that cannot be", () => {
    const leatBytes = fc
      .uint8Array({ minLength: 30, maxLength: 60 })
      .map((value) => Uint8Array.of(3, ...value.slice(1)))
    const overlong = fc.integer({ min: 31, max: 400 }).map((length) => new Uint8Array(length).fill(0x80).fill(3, 0, 27))
    const digits = fc.stringMatching(/^[0-9.e+-]{0,20}$/).map((value) => Buffer.from(value))
    const foreign = fc.array(
      fc.tuple(fc.oneof(fc.constantFrom(...reserved), anyText), fc.oneof(bytes, leatBytes, overlong, digits)),
      { maxLength: 6 }
    )
    fc.assert(
      fc.property(foreign, (headers) => {
        const { id, epoch, timeMs: ms } = readMeta(headers, "some.stream")
        expect([id?.bucket ?? 0, id?.seq ?? 0, epoch ?? 0].every((one) => Number.isSafeInteger(one) && one >= 0)).toBe(
          true
        )
        expect(Number.isSafeInteger(ms ?? 0)).toBe(true)
      }),
      { numRuns: 2000 }
    )
  })

  it("leave a record without an id, and are all there for the handler", () => {
    fc.assert(
      fc.property(namedBy(ownName), (headers) => {
        const { headers: read = [], ...meta } = readMeta(headers, "some.stream")
        expect(meta).toEqual({ dropped: [], isMarker: false })
        expect(read).toEqual(headers)
        expect(causeOf(meta)).toBeUndefined()
      })
    )
  })

  it("announce no drops", () => {
    const notice = dropNotice([{ bucket: 3, from: 100, to: 105, reason: "overflow" }])
    expect(readMeta([[droppedHeader, notice]], "some.stream").dropped).toEqual([])
    expect(readMeta([marker, [droppedHeader, notice]], "some.stream").dropped).toHaveLength(1)
  })

  it("may be a whole CloudEvent of somebody else", () => {
    const foreign = { ce_id: "1234", ce_source: "/java", ce_type: "a.B", ce_time: "2026-11-24T08:00:00+01:00" }
    const headers = Object.entries(foreign).map(([name, value]): Header => [name, Buffer.from(value)])
    expect(readMeta(headers, "some.stream")).toEqual({
      source: "/java",
      type: "a.B",
      timeMs: Date.UTC(2026, 10, 24, 7),
      dropped: [],
      isMarker: false
    })
  })
})

it("a marker is read as one, and as nothing else", () => {
  expect(readMeta([marker], "some.stream")).toEqual({ dropped: [], isMarker: true })
  expect(readMeta([marker], "other.stream")).toEqual({ dropped: [], isMarker: true, isOtherStream: true })
  // As leat wrote it before markers named their stream.
  expect(readMeta([["leat", Uint8Array.of(2)]], "some.stream")).toEqual({ dropped: [], isMarker: true })
})
