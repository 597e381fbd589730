import fc from "fast-check"
import { batchOf } from "leat/transport"
import { expect, it } from "vitest"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { expectEqual } from "../expectEqual.ts"

const text = new TextEncoder()
const anyRecord = fc.record({
  key: fc.option(fc.string({ maxLength: 5 }), { nil: null }),
  value: fc.option(fc.string({ maxLength: 40 }), { nil: null }),
  header: fc.string({ maxLength: 8 })
})

it("keeps every record as it was appended, however its batches are kept together, and as it was read", () => {
  const anyBatch = fc.array(anyRecord, { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(
      fc.array(anyBatch, { minLength: 1, maxLength: 30 }),
      fc.nat({ max: 2000 }),
      (batches, chunkBytesMax) => {
        const partition = new MemoryPartition()
        const expected: Array<unknown> = []
        const plain = (bytes: Uint8Array | null) => (bytes === null ? null : Array.from(bytes))
        const readAll = () => {
          const records: Array<unknown> = []
          for (let at = 0n; at < partition.end;) {
            const batch = partition.read(at, partition.end)
            if (batch === undefined) throw new Error("nothing where something was appended")
            for (const { position, key, value, headers, timeMs } of batch.records)
              records.push([
                position,
                plain(key),
                plain(value),
                headers.map(([name, bytes]) => [name, plain(bytes)]),
                timeMs
              ])
            at = batch.next
          }
          return records
        }
        let before: { readonly read: ReadonlyArray<unknown>; readonly count: number } = { read: [], count: 0 }
        for (const [nowMs, records] of batches.entries()) {
          const batch = batchOf(
            records.map(({ key, value, header }) => ({
              key: key === null ? null : text.encode(key),
              value: value === null ? null : text.encode(value),
              headers: [["h", text.encode(header)]] as const,
              timeMs: nowMs
            }))
          )
          for (const { key, value, header } of records)
            expected.push([
              BigInt(expected.length),
              key === null ? null : Array.from(text.encode(key)),
              value === null ? null : Array.from(text.encode(value)),
              [["h", Array.from(text.encode(header))]],
              nowMs
            ])
          partition.append(batch, 0, batch.count, nowMs, chunkBytesMax)
          expectEqual(before.read, expected.slice(0, before.count))
          before = { read: readAll(), count: expected.length }
        }
        expect(readAll()).toEqual(expected)
      }
    ),
    { numRuns: 100 }
  )
})

it("is trimmed to the position, and reads, finds times and goes on from there, wherever its chunks begin", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(
      sizes,
      fc.array(fc.integer({ min: -3, max: 400 }), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(0, 500, 10_000),
      (batches, trims, chunkBytesMax) => {
        const partition = new MemoryPartition()
        let start = 0
        let end = 0
        const append = (size: number) => {
          const records = Array.from({ length: size }, (_, index) => ({ key: "k", value: "v", timeMs: end + index }))
          partition.append(batchOf(records), 0, size, 0, chunkBytesMax)
          end += size
        }
        for (const size of batches) append(size)
        const full = partition.bytes
        for (const before of trims) {
          partition.trim(BigInt(before))
          start = Math.max(start, Math.min(before, end))
          expect([partition.start, partition.end]).toEqual([BigInt(start), BigInt(end)])
          expect(partition.positionAt(0)).toBe(BigInt(start))
          expect(partition.bytes > 0).toBe(start < end)
          append(1)
          const positions: Array<bigint> = []
          for (let at = 0n; at < partition.end;) {
            const batch = partition.read(at, partition.end)
            if (batch === undefined) throw new Error("nothing where something was appended")
            for (const { position } of batch.records) positions.push(position)
            at = batch.next
          }
          expect(positions).toEqual(Array.from({ length: end - start }, (_, index) => BigInt(start + index)))
        }
        partition.retain(Number.POSITIVE_INFINITY, 0)
        expect(partition.bytes).toBe(0)
        expect(full).toBeGreaterThan(0)
      }
    ),
    { numRuns: 200 }
  )
})

it("keeps small batches together: a thousand of one record are a few chunks, and go by size a chunk at a time", () => {
  const partition = new MemoryPartition()
  const one = batchOf([{ key: text.encode("k"), value: new Uint8Array(100), headers: [], timeMs: 1 }])
  for (let index = 0; index < 1000; index++) partition.append(one, 0, 1, index, 10_000)
  partition.retain(Number.NEGATIVE_INFINITY, 20_000)
  expect(partition.bytes).toBeLessThanOrEqual(20_000)
  expect(partition.bytes).toBeGreaterThan(10_000)
  expect(partition.read(0n, partition.end)).toMatchObject({ gap: "expired" })
})

it("is compacted to the last record of each key, and reads from and to any position as if the others had never come", () => {
  const anyOne = fc.record({ key: fc.option(fc.nat({ max: 5 }), { nil: null }), value: fc.string({ maxLength: 20 }) })
  const anyStep = fc.record({ batch: fc.array(anyOne, { minLength: 1, maxLength: 30 }), isCompacted: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(anyStep, { minLength: 1, maxLength: 20 }),
      fc.nat({ max: 400 }),
      fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 200 })), { maxLength: 10 }),
      (steps, chunkBytesMax, ranges) => {
        const partition = new MemoryPartition()
        let expected: ReadonlyArray<readonly [number, number | null, string]> = []
        let end = 0
        for (const { batch, isCompacted } of steps) {
          const sent = batchOf(batch.map(({ key, value }) => ({ key: key === null ? null : `${key}`, value })))
          partition.append(sent, 0, sent.count, 0, chunkBytesMax)
          expected = [...expected, ...batch.map(({ key, value }) => [end++, key, value] as const)]
          if (!isCompacted) continue
          partition.compact()
          expected = expected.filter(
            ([at, key]) => key === null || !expected.some((one) => one[1] === key && one[0] > at)
          )
        }
        for (const [from, to] of [[0, end], ...ranges] as const) {
          const found: Array<unknown> = []
          for (let at = BigInt(from); ;) {
            const batch = partition.read(at, BigInt(to))
            if (batch === undefined) break
            for (const { position, key, value } of batch.records)
              found.push([
                Number(position),
                key === null ? null : Number(new TextDecoder().decode(key)),
                new TextDecoder().decode(value ?? undefined)
              ])
            expect(batch.next).toBeGreaterThan(at)
            expect(batch.next).toBeLessThanOrEqual(BigInt(Math.min(to, end)))
            at = batch.next
          }
          expect(found).toEqual(expected.filter(([at]) => at >= from && at < to))
        }
      }
    )
  )
})
