import fc from "fast-check"
import { batchOf, ColumnBatch } from "leat/transport"
import { describe, expect, it } from "vitest"
import { recordsOf } from "../../src/transport/ReceivedRecords.ts"
import { ContextHeaders } from "../../src/record/ContextHeaders.ts"
import { RecordBatch } from "../../src/record/RecordBatch.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { wireWriter } from "../../src/record/WireWriter.ts"

const bytes = fc.uint8Array({ maxLength: 40 })
const record = fc.record({
  key: fc.option(bytes, { nil: null }),
  value: fc.option(bytes, { nil: null }),
  headers: fc.array(fc.tuple(fc.string({ maxLength: 8 }), bytes), { maxLength: 3 })
})

describe("columns", () => {
  it("say of each record what objects say", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), fc.nat(5), (plain, skipped) => {
        const batch = batchOf(plain)
        const from = Math.min(skipped, plain.length - 1)
        const columns = new ColumnBatch(batch.columns(from, plain.length), 100n)
        const one = recordsOf(columns)
        const other = recordsOf({ records: columns.records, next: columns.next })
        expect(columns.next).toBe(100n + BigInt(plain.length - from))
        expect(one.length).toBe(plain.length - from)
        for (let index = 0; index < one.length; index++) {
          expect(one.position(index)).toBe(other.position(index))
          expect(one.key(index)).toEqual(other.key(index))
          expect(one.value(index)).toEqual(other.value(index))
          expect(one.headers(index)).toEqual(other.headers(index))
          expect(one.keyText(index)).toBe(other.keyText(index))
          expect(one.timeMs(index)).toBe(other.timeMs(index))
          expect(one.isPlainEvent(index, "s")).toBe(other.isPlainEvent(index, "s"))
          const asked = plain[from + index]
          expect(Buffer.from(one.key(index) ?? "none")).toEqual(Buffer.from(asked?.key ?? "none"))
          expect(Buffer.from(one.value(index) ?? "none")).toEqual(Buffer.from(asked?.value ?? "none"))
        }
      })
    )
  })

  it("know a plain event of their stream, and take nothing else for one", () => {
    const identity = { incarnation: new Uint8Array(16).fill(7), source: "s", type: "t", epoch: 1 }
    for (const stream of ["orders", "refunds"]) {
      const [headers] = batchWith(stream, identity)
      const one = recordsOf({ records: [{ position: 0n, key: null, value: null, headers, timeMs: 0 }], next: 1n })
      const columns = new ColumnBatch(batchOf([{ key: "k", value: "v", headers }]).columns(0, 1), 0n)
      for (const records of [one, recordsOf(columns)]) {
        const meta = readMeta(records.headers(0), "orders")
        const isPlain = records.isPlainEvent(0, "orders")
        expect(isPlain).toBe(stream === "orders")
        expect(isPlain).toBe(meta.isOtherStream !== true && !meta.isMarker && meta.type === undefined)
      }
    }
    const marker = [["leat", Uint8Array.of(2)]] as const
    const other = new ColumnBatch(batchOf([{ key: "k", value: "v", headers: marker }]).columns(0, 1), 0n)
    expect(recordsOf(other).isPlainEvent(0, "orders")).toBe(false)
  })
})

function batchWith(stream: string, identity: Omit<Parameters<typeof wireWriter>[1], "stream">) {
  const batch = new RecordBatch(1024)
  batch.place(1, 2, Float64Array.of(3))
  const end = wireWriter("compact", { ...identity, stream }).write(batch, 0, new ContextHeaders())
  batch.commit(false, 0, end, end, "event")
  return [batch.headers(0)] as const
}
