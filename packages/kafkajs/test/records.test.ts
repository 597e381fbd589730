import fc from "fast-check"
import { batchOf, type Header, type PlainRecord, type ReceivedRecord } from "leat/transport"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { BytesReader } from "../src/protocol/BytesReader.ts"
import { crc32c } from "leat/transport"
import { type Aborted, readRecordBatches } from "../src/protocol/readRecordBatches.ts"
import { batchBytesMax, writeRecordBatch } from "../src/protocol/writeRecordBatch.ts"

const nowMs = 1_795_000_000_000
const endless = (1n << 63n) - 1n

function written(records: ReadonlyArray<PlainRecord>, from = 0, to = records.length, base = 0n): Buffer {
  const columns = batchOf(records).columns(from, to)
  const bytes = Buffer.alloc(batchBytesMax(columns))
  const end = writeRecordBatch(bytes, 0, columns, nowMs)
  bytes.writeBigInt64BE(base, 0)
  return bytes.subarray(0, end)
}

const read = (bytes: Buffer, { from = 0n, to = endless, aborted = [] as ReadonlyArray<Aborted> } = {}) =>
  readRecordBatches(bytes, from, to, aborted, "t/0")

/** Changes a batch, and makes its checksum right again. */
function changed(bytes: Buffer, change: (bytes: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  copy.writeUInt32BE(crc32c(copy, 21), 17)
  return copy
}

const plain = ({ key, value, headers, timeMs }: ReceivedRecord) => ({
  key: key === null ? null : Buffer.from(key).toString("base64"),
  value: value === null ? null : Buffer.from(value).toString("base64"),
  headers: headers.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
  timeMs
})

describe("records in Kafka's format", () => {
  const anyBytes = fc.uint8Array({ maxLength: 300 })
  const header: fc.Arbitrary<Header> = fc.tuple(fc.string({ unit: "grapheme", maxLength: 12 }), anyBytes)
  const record: fc.Arbitrary<PlainRecord> = fc.record({
    key: fc.option(anyBytes),
    value: fc.option(anyBytes),
    headers: fc.array(header, { maxLength: 5 }),
    timeMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4_102_444_800_000 }))
  })

  it("T37 come back as they were: bytes, absences, times, and headers of any name in any order", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), fc.nat(), fc.nat(), (records, a, b) => {
        const from = a % records.length
        const to = from + 1 + (b % (records.length - from))
        const back = read(written(records, from, to, 7n), { from: 7n })
        const expected = records.slice(from, to).map(({ key, value, headers = [], timeMs }, index) => ({
          ...plain({
            position: 0n,
            key: key as Uint8Array,
            value: value as Uint8Array,
            headers,
            timeMs: timeMs || nowMs
          }),
          position: 7n + BigInt(index)
        }))
        expect(back.records.map((one) => ({ ...plain(one), position: one.position }))).toEqual(expected)
        expect(back.next).toBe(7n + BigInt(to - from))
      }),
      { numRuns: 300 }
    )
  })

  it("T37 keep headers that an object would bend: of one name, of names in turns, of names like numbers", () => {
    const names = ["b", "2", "b", "1", "__proto__", "a", "2", ""]
    const headers = names.map((name, index) => [name, Uint8Array.of(index)] as const)
    const [back] = read(written([{ key: "k", value: "v", headers }])).records
    expect(back?.headers.map(([name, value]) => [name, value[0]])).toEqual(names.map((name, index) => [name, index]))
  })

  it("T34 tell a tombstone from an empty value, and no key from an empty one", () => {
    const back = read(
      written([
        { key: "k", value: null },
        { key: null, value: "" },
        { key: "", value: "v" }
      ])
    )
    expect(back.records.map(({ key, value }) => [key?.length, value?.length])).toEqual([
      [1, undefined],
      [undefined, 0],
      [0, 1]
    ])
  })

  it("T36 have positions of 64 bits", () => {
    const base = (1n << 62n) + 3n
    const back = read(
      written(
        [
          { key: "k", value: "a" },
          { key: "k", value: "b" }
        ],
        0,
        2,
        base
      ),
      { from: base + 1n }
    )
    expect([back.records.map(({ position }) => position), back.next]).toEqual([[base + 1n], base + 2n])
  })

  it("T33 may have gaps: what compaction took away is passed over, and the batch reaches to its end all the same", () => {
    const three = written(
      [
        { key: "k", value: "a" },
        { key: "k", value: "b" },
        { key: "k", value: "c" }
      ],
      0,
      3,
      10n
    )
    const compacted = changed(three, (batch) => batch.writeInt32BE(1, 57))
    const back = read(Buffer.concat([compacted, written([{ key: "k", value: "d" }], 0, 1, 20n)]), { from: 10n })
    expect(back.records.map(({ position }) => position)).toEqual([10n, 20n])
    expect(back.next).toBe(21n)
    expect(read(compacted, { from: 10n }).next).toBe(13n)
  })

  it("T5 T16 name no producer: its idempotence is not used, so that it cannot fail unseen", () => {
    const batch = written([{ key: "k", value: "v" }])
    expect([batch.readBigInt64BE(43), batch.readInt16BE(51), batch.readInt32BE(53)]).toEqual([-1n, -1, -1])
  })

  it("whose last batch is cut off are read up to there", () => {
    const whole = Buffer.concat([written([{ key: "k", value: "a" }]), written([{ key: "k", value: "b" }], 0, 1, 1n)])
    for (let length = whole.length - 1; length > whole.length / 2; length--) {
      const back = read(whole.subarray(0, length))
      expect([back.records.length, back.next]).toEqual([1, 1n])
    }
  })

  it("are not taken for true when a bit has turned", () => {
    const good = written([{ key: "key", value: "value", headers: [["h", Uint8Array.of(1, 2)]] }])
    for (let bit = 21 * 8; bit < good.length * 8; bit += 3) {
      const bad = Buffer.from(good)
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => read(bad)).toThrow("Corrupt")
    }
  })

  const manyRecords = written(
    Array.from({ length: 20 }, (_, index) => ({
      key: `k${index}`,
      value: "v".repeat(index),
      headers: [["leat", Buffer.alloc(33)]]
    }))
  )

  it.each([
    ["a length that leads back", (batch: Buffer) => batch.writeUInt8(3, 61)],
    ["a record that is longer than its batch", (batch: Buffer) => batch.set([0xfe, 0xff, 0x03], 61)],
    ["a number that does not end", (batch: Buffer) => batch.fill(0xff, 70)],
    ["a key that is longer than its record", (batch: Buffer) => batch.writeUInt8(0x7e, 65)],
    ["more records than there are bytes", (batch: Buffer) => batch.writeInt32BE(2 ** 31 - 1, 57)],
    ["bytes that are not compressed as it says", (batch: Buffer) => batch.writeInt16BE(1, 21)],
    ["other bytes that are not", (batch: Buffer) => batch.writeInt16BE(4, 21)]
  ])("are Corrupt where the checksum holds and their batch has %s", (_, change) => {
    expect(() => read(changed(manyRecords, change))).toThrow(/Corrupt.*position 0/)
  })

  it("are Corrupt where their batch ends before it begins", () => {
    const bad = Buffer.from(manyRecords)
    bad.writeInt32BE(-12, 8)
    bad.writeUInt32BE(0, 17)
    expect(() => read(bad)).toThrow(/Corrupt.*position 0/)
  })

  it("are refused where they are older than Kafka 0.11", () => {
    const old = Buffer.from(written([{ key: "k", value: "v" }]))
    old[16] = 1
    expect(() => read(old)).toThrow("Unsupported")
  })

  it.each([
    ["gzip", 1, (body: Buffer) => gzipSync(body)],
    ["zstd", 4, (body: Buffer) => zstdCompressSync(body)]
  ])("are read compressed with %s", (_, codec, compress) => {
    const good = written([
      { key: "k", value: "a".repeat(500) },
      { key: "k", value: "b" }
    ])
    const body = compress(good.subarray(61))
    const compressed = changed(Buffer.concat([good.subarray(0, 61), body]), (batch) => {
      batch.writeInt16BE(codec, 21)
      batch.writeInt32BE(batch.length - 12, 8)
    })
    expect(read(compressed).records.map(plain)).toEqual(read(good).records.map(plain))
  })

  it.each([
    ["snappy", 2],
    ["lz4", 3]
  ])("compressed with %s are refused by name", (name, codec) => {
    const bad = changed(written([{ key: "k", value: "v" }]), (batch) => batch.writeInt16BE(codec, 21))
    expect(() => read(bad)).toThrow(name)
  })

  describe("of transactions", () => {
    const transactional = (value: string, base: bigint, producer: bigint) =>
      changed(written([{ key: "k", value }], 0, 1, base), (batch) => {
        batch.writeInt16BE(16, 21)
        batch.writeBigInt64BE(producer, 43)
      })
    const end = (base: bigint, producer: bigint) =>
      changed(written([{ key: "\0\0\0\0", value: "\0" }], 0, 1, base), (batch) => {
        batch.writeInt16BE(48, 21)
        batch.writeBigInt64BE(producer, 43)
      })

    it("are left out when aborted, as far as the abort reaches; so are control records", () => {
      const log = Buffer.concat([
        transactional("aborted", 0n, 7n),
        transactional("other", 1n, 8n),
        end(2n, 7n),
        transactional("again", 3n, 7n),
        end(4n, 8n),
        end(5n, 7n)
      ])
      const { records, next, hasControl } = read(log, { aborted: [{ producer: 7n, first: 0n }] })
      expect(records.map(({ value }) => Buffer.from(value ?? []).toString())).toEqual(["other", "again"])
      expect([next, hasControl]).toEqual([6n, true])
    })
  })
})

describe("a number of the protocol", () => {
  it("that does not end is refused", () => {
    expect(() => new BytesReader(Buffer.alloc(10, 255)).varint()).toThrow("does not end")
    expect(() => new BytesReader(Buffer.alloc(12, 255)).varlong()).toThrow("does not end")
  })
})
