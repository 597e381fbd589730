import fc from "fast-check"
import { batchOf, type PlainRecord } from "leat/testing"
import type { ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { Block, mergeBlocks } from "../src/Block.js"

const bytes = fc.uint8Array({ maxLength: 40 })
const plain: fc.Arbitrary<PlainRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.tuple(fc.constantFrom("leat", "a", "été", ""), bytes), { maxLength: 3 }),
  timeMs: fc.integer({ min: 0, max: 2 ** 45 })
})
const batches = fc.array(plain, { minLength: 1, maxLength: 12 })
const place = fc.record({ partition: fc.nat(1000), base: fc.maxSafeNat(), storedAtMs: fc.nat() })

/** Plain data: views of a block are no `Buffer`s, and compare by their bytes. */
function plainOf({ position, key, value, headers, timeMs }: ReceivedRecord) {
  return { position, key, value, headers: headers.map(([name, one]) => [name, new Uint8Array(one)]), timeMs }
}

function expected(records: ReadonlyArray<PlainRecord>, from: number, base: number) {
  return records.map(({ key, value, headers, timeMs }, index) => ({
    position: BigInt(base + index + from),
    key,
    value,
    headers,
    timeMs
  }))
}

function sealed(records: ReadonlyArray<PlainRecord>, base = 7, notice = false): Block {
  const batch = batchOf(records)
  if (notice) batch.notice(0, "leat-dropped", Uint8Array.of(1))
  const block = Block.pack(batch.columns(0, records.length))
  block.seal({ partition: 3, base, span: records.length, storedAtMs: 5 })
  return block
}

describe("a block", () => {
  it("gives back the records of any range of any batch, from its bytes alone", () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.nat(), place, (records, a, b, { partition, base, storedAtMs }) => {
        fc.pre(base + records.length < Number.MAX_SAFE_INTEGER)
        const [from = 0, to = 0] = [a % records.length, b % (records.length + 1)].toSorted((x, y) => x - y)
        fc.pre(from < to)
        const packed = Block.pack(batchOf(records).columns(from, to))
        packed.seal({ partition, base, span: to - from, storedAtMs })
        const block = Block.of(new Uint8Array(packed.bytes))
        if (block === undefined) throw new Error("the bytes are no block")
        expect(block.isWhole).toBe(true)
        expect([block.partition, block.base, block.span, block.count]).toEqual([partition, base, to - from, to - from])
        expect(block.storedAtMs).toBe(storedAtMs)
        const times = records.slice(from, to).map(({ timeMs = 0 }) => timeMs)
        expect([block.firstTimeMs, block.lastTimeMs]).toEqual([Math.min(...times), Math.max(...times)])
        const read = Array.from({ length: block.count }, (_, index) => plainOf(block.record(index)))
        expect(read).toEqual(expected(records.slice(from, to), 0, base))
      }),
      { numRuns: 300 }
    )
  })

  it("is none where its place is no position", () => {
    const block = sealed([{ key: "k", value: "v", headers: [], timeMs: 1 }])
    new DataView(block.bytes.buffer).setFloat64(24, 40.5, true)
    expect(Block.of(block.bytes)).toBeUndefined()
  })

  it("does not verify with any one bit flipped, nor cut anywhere", () => {
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 3 }), (records) => {
        const { bytes: whole } = sealed(records)
        const unnoticed: Array<number> = []
        for (let bit = 0; bit < whole.length * 8; bit++) {
          const flipped = new Uint8Array(whole)
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
          if (Block.of(flipped)?.isWhole === true) unnoticed.push(bit)
        }
        for (let length = 0; length < whole.length; length++)
          if (Block.of(whole.slice(0, length))?.isWhole === true) unnoticed.push(-length)
        expect(unnoticed).toEqual([])
      }),
      { numRuns: 15 }
    )
  })

  it("holds a notice that was added after the record was encoded", () => {
    const block = sealed([{ key: "k", value: "v", headers: [["a", Uint8Array.of(2)]] }], 0, true)
    expect(block.record(0).headers.map(([name]) => name)).toEqual(["a", "leat-dropped"])
    expect(Array.from(block.record(0).value ?? [])).toEqual([0x76])
  })

  it("loses nothing and moves nothing when records are left out and blocks are put together", () => {
    fc.assert(
      fc.property(batches, batches, fc.func(fc.boolean()), (first, second, isKept) => {
        const [left, right] = [sealed(first, 100), sealed(second, 100 + first.length)]
        const kept = (block: Block, index: number) => isKept(block.position(index))
        const merged = mergeBlocks([left, right], kept, 100)
        merged.seal({ partition: 3, base: 100, span: first.length + second.length, storedAtMs: 5 })
        const block = Block.of(new Uint8Array(merged.bytes))
        if (block === undefined) throw new Error("the bytes are no block")
        expect(block.isWhole).toBe(true)
        const all = [...expected(first, 0, 100), ...expected(second, first.length, 100)]
        const survivors = all.filter(({ position }) => isKept(Number(position)))
        expect(Array.from({ length: block.count }, (_, index) => plainOf(block.record(index)))).toEqual(survivors)
        for (let position = 100; position < 100 + all.length; position++) {
          const index = survivors.findIndex((one) => one.position >= BigInt(position))
          expect(block.indexAt(position)).toBe(index < 0 ? survivors.length : index)
        }
      }),
      { numRuns: 200 }
    )
  })
})
